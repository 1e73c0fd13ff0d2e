// Package mailbox keeps mailboxes on disk as Cyrus 3.6 does: one file per
// message, cyrus.header, cyrus.index and cyrus.cache, each in the bytes and
// by the rules of Cyrus, so that it may work on the same spool.
//
// A Store is the mailboxes of a site. Store.Open gives a Mailbox, which is
// open and locked for the length of one operation: between two commands of
// a client nothing is held. Messages come in by Stage and Append, or Copy.
//
//	Read       Header, Records, Each, FindUID, Cache, OpenMessage
//	Write      Rewrite, Expunge, Annotate, AddFlag, Set…; then Commit
//	Exclusive  what Cleanup, Repack, Delete, Move and repair do
//
// Reading is by pread in windows of 64 KiB under the shared index lock: 100,000
// records take some 10 ms, so nothing of the index is kept in memory
// between two operations. A reader of many records closes the Mailbox
// while it sends, and goes on by record number if Inode and Generation are
// the same, else by UID.
//
// # Locks
//
// In this order: namespace lock of the owner (exclusive to write, not to read;
// none for shared mailboxes), mailbox lock (shared; exclusive to
// remove or replace files), cyrus.index. Two of one kind are taken in
// ascending order of their names. Quota roots, annotations and the mailbox
// list are locked for moments while these are held.
//
// # Durability
//
// What Append, Copy, Commit, Create, Delete and Move have done lasts when
// they return; what is \Recent may be forgotten. commit.go says what a crash
// leaves after each step, repair.go what is made of it, rebuild.go the same
// for replacing the index, and create.go for moving.
package mailbox
