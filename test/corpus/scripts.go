package corpus

// A Script is the active script of the user of the same name.
type Script struct{ User, Text string }

// Scripts is one user's script each. Each user has the folders a, Junk
// and "two words".
var Scripts = []Script{
	{"s-empty", ``},
	{"s-keep", `keep;`},
	{"s-fileinto", `require "fileinto"; fileinto "INBOX/a";`},
	{"s-words", `require "fileinto"; fileinto "INBOX/two words";`},
	{"s-missing", `require "fileinto"; fileinto "INBOX/missing";`},
	{"s-create", `require ["fileinto", "mailbox"]; fileinto :create "INBOX/made/here";`},
	{"s-copy", `require ["fileinto", "copy"]; fileinto :copy "INBOX/a"; keep;`},
	{"s-two", `require "fileinto"; fileinto "INBOX/a"; fileinto "INBOX/Junk";`},
	{"s-flags", `require ["fileinto", "imap4flags"]; addflag ["\\Flagged", "$Label1", "work"]; fileinto :flags ["\\Seen", "\\Answered"] "INBOX/a"; keep;`},
	{"s-discard", `discard;`},
	{"s-if", `require "fileinto"; if header :is "X-Spam-Flag" "YES" { fileinto "INBOX/Junk"; } elsif size :over 5000 { fileinto "INBOX/a"; }`},
	{"s-envelope", `require ["envelope", "fileinto"]; if envelope :is "from" "" { fileinto "INBOX/Junk"; } elsif envelope :contains "from" "alice" { fileinto "INBOX/a"; }`},
	{"s-reject", `require "reject"; reject "No thanks.";`},
	{"s-reject-lines", "require \"reject\"; reject \"No thanks.\r\nReally not.\";"},
	{"s-reject-utf8", "require \"reject\"; reject \"geh w\u00e4g\";"},
	{"s-ereject", `require "ereject"; ereject "Go away.";`},
	{"s-redirect", `redirect "x@example.net";`},
	{"s-redirect-copy", `require "copy"; redirect :copy "x@example.net"; redirect :copy "y@example.net";`},
	{"s-vacation", `require "vacation"; vacation :addresses "me@example.com" "I am away.";`},
	{"s-edit", `require "editheader"; addheader "X-New" "added"; deleteheader "Subject"; addheader :last "X-Last" "end";`},
	{"s-edit-two", `require ["editheader", "fileinto", "copy"]; addheader "X-One" "1"; fileinto :copy "INBOX/a"; addheader "X-Two" "2"; keep;`},
	{"s-duplicate", `require ["duplicate", "fileinto"]; if duplicate :header "subject" { fileinto "INBOX/Junk"; }`},
	{"s-fails", `require ["fileinto", "variables"]; fileinto "INBOX/a"; fileinto "INBOX/missing";`},
	{"s-body", `require ["body", "fileinto"]; if body :text :contains "all" { fileinto "INBOX/a"; }`},
	{"s-date", `require ["date", "fileinto"]; if date :is "date" "year" "2026" { fileinto "INBOX/a"; }`},
	{"s-subaddress", `require ["envelope", "subaddress", "fileinto"]; if envelope :detail "to" "a" { fileinto "INBOX/Junk"; }`},
}
