package mailbox
