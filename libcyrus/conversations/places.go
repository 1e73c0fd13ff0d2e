package conversations

// Places returns the folders with copies of a message that are neither
// \Deleted nor expunged, in the order of the database, one for each copy: unique ids, or, in old
// databases, internal names (byName). Parts of other messages with the same
// contents are left out.
//
// Source: conversations_guid_foreach in Cyrus imap/conversations.c.
func (t *Txn) Places(g GUID) (folders []string, byName bool, err error) {
	const deleted, expunged = 1 << 2, 1 << 31
	err = t.each("G"+g.String(), func(key string, v []byte) error {
		p, err := parsePlace([]byte(key), v)
		if err == nil && p.part == "" && p.system&deleted == 0 && p.internal&expunged == 0 && p.folder < len(t.folders) && t.folders[p.folder] != noFolder {
			folders = append(folders, t.folders[p.folder])
		}
		return nil
	})
	return folders, t.byName, err
}
