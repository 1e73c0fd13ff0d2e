// Package model is a test of what several clients of one mailbox see: they do
// random commands at the same time, and what each is told must be explained by
// a model of the mailboxes.
//
// What is looked at while they work: EXPUNGE and VANISHED come only where they
// may, name messages that the client has, and UIDs grow; a UID stands for one
// message; the modseq of a message does not go back, and with one modseq it
// has one set of flags, whoever is told of it. What is looked at when all are
// quiet: everything that was answered OK is there, and nothing that no command
// has made; each message that is gone was removed by somebody; flags that only
// were set are set; and what a client knows from what it was told is what the
// mailbox is.
package model
