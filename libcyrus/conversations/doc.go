// Package conversations keeps which messages of a user belong together: one
// database per user, conversations.db, in the format of Cyrus 3.6, and by
// its rules, so that its ctl_conversationsdb -A finds nothing wrong.
//
// A conversation has an id (cid). A message gets one when it is appended: that
// of another copy of it, of a message that its References, In-Reply-To or
// Message-ID name and that has the same subject, or one of its own. The
// database has, by the first letter of the key,
//
//	<…>             conversations that a Message-ID was named in
//	B cid           a conversation: counts, folders, senders, subject, messages
//	F unique id     counts of a folder
//	G guid:n:uid[p] where a message, or part p of one, is; n is the folder
//	$FOLDER_IDS     the unique ids of folders, by these numbers
//	$COUNTED_FLAGS  the flags that conversations count
//	Q               number and size of all messages, each copy counted once
//
// A Txn is one change of such a database. It reads what is stored and keeps
// what changes in memory until Commit. Whoever makes one holds the namespace
// lock of the user exclusively, as Cyrus does, so that nobody else changes the
// database meanwhile.
//
// Source of all rules: Cyrus imap/conversations.c.
package conversations
