// Package snapshot keeps copies of a whole mail store, each as it was at one
// time, in a directory of their own:
//
//	DIR/lock                     who writes here holds it
//	DIR/20261123T190000Z/        one snapshot, complete in itself
//	    manifest                 what is in it, line by line (manifest.go)
//	    conf/                    mailboxes.db, annotations.db, deliver.db, user_deny.db as
//	                             files of Cyrus's, whatever mode the site was in; quota,
//	                             files of users, of shared mailboxes and of domains
//	    sieve/  etc/             compiled scripts; copies of the configuration, to read
//	    spool/PARTITION/         mailboxes with messages and metadata, where the layout
//	    archive/PARTITION/       of the site puts them below a partition
//	DIR/.20261124T190000Z.partial/   one that was not finished, or is being removed
//
// So a snapshot is a site in shared mode, which Open opens for reading. A
// Cyrus could serve a copy of it; not the snapshot itself, whose files are
// those of other snapshots too.
//
// # What a snapshot holds
//
// Everything that was acknowledged before Take began. The mailbox list is
// that of one moment at the start. All mailboxes of one user are as they
// were at one later moment, each shared one likewise: for that the user's
// namespace lock, then the mailbox and index locks are held shared while
// index, header and annotations are copied. Message files are linked before,
// without any lock, as they never change; what came or went meanwhile is
// corrected under the locks. Caches only grow, so that they are copied after
// the locks are given back, up to where they ended. A message that is moved
// from one user's mailbox to another's while Take runs is in at least one of
// them: while it runs nothing that is expunged goes for good (mailbox.KeepExpunged),
// unless a real Cyrus expunges it.
//
// A file is linked from the site if that is possible and if it never changes
// (messages), else linked from the snapshot before if it is the same, else
// cloned (FICLONE), else copied. A message that is linked is safe from being
// deleted, not from a broken disk: that needs a DIR on another one.
//
// # What a crash leaves
//
//	while it is written   DIR/.NAME.partial: never taken for a snapshot, and
//	                      removed by the next Take
//	after syncfs          the same, complete
//	after the rename      the snapshot
//	while it is pruned    renamed first: as while it is written
package snapshot
