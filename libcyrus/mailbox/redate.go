package mailbox

// SetInternalDate changes when a message arrived. The record gets the next
// modseq, and r has both afterwards. The time of the message file stays. Mode
// Write.
//
// Source: mailbox_rewrite_index_record in Cyrus imap/mailbox.c.
func (m *Mailbox) SetInternalDate(r *Record, t Stamp) error {
	if err := m.Rewrite(r); err != nil {
		return err
	}
	rw := m.changes.records.get(r.Recno)
	was := rw.new
	rw.new.InternalDate = t
	if m.store.o.Conversations != nil && m.hasConversations() {
		if err := m.updateConversations(&was, &rw.new); err != nil {
			return err
		}
	}
	m.hdr.SyncCRC ^= m.crcs.basic(&was) ^ m.crcs.basic(&rw.new)
	*r = rw.new
	return nil
}
