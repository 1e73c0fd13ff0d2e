package conversations

// FolderStatus is how many conversations a folder has, and how many of them
// have unseen messages: both 0 if it is not known.
//
// Source: conversation_getstatus in Cyrus imap/conversations.c.
func (t *Txn) FolderStatus(f Folder) (threads, unseen uint32, err error) {
	s, err := t.status("F" + t.key(f))
	return s.threads, s.unseenThreads, err
}
