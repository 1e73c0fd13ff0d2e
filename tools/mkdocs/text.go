package main

// head is imapd.conf(5) up to the options.
const head = `.\" Made by tools/mkdocs from the table of options. Do not edit.
.TH IMAPD.CONF 5 "" gocyrus "Cyrus"
.SH NAME
imapd.conf \- options of all programs
.SH DESCRIPTION
.I /etc/imapd.conf
is read by every program at its start; most take another file with
.BR \-C .
Each line is
.PP
.RS
.IB name :\& " value"
.RE
.PP
with a name of letters, digits, hyphens and underscores, in any case. Blanks
around the value do not count; the value may not be empty. A line that ends
in a backslash goes on in the next one. Empty lines, and lines that begin with
.BR # ,
are skipped;
.B #
behind a value belongs to it. A name may be given once only.
.PP
.IB service _ name :\& " value"
sets an option for one service only, by its name in
.BR cyrus.conf (5),
or for one command, by its own name. It is used before the line without the
service.
.PP
.BI @include:\& " file"
reads another file in this place.
.PP
If the file cannot be used the program prints what is wrong, with file and
line, and exits with status 78.
.B cyrus info conf
shows all that differs from the defaults,
.B cyrus info conf\-lint
the lines that nothing explains and warnings about others.
.SS Types
.TP
.B switch
yes, on, true, 1 or no, off, false, 0; only the first letters count.
.TP
.B int
A number; 0x in front makes it hexadecimal, 0 octal. Behind one that counts bytes or KiB
K, M or G may stand (also KB or KiB), which Cyrus takes from 3.8 on.
.TP
.B duration
Numbers with the units d, h, m and s, which are added: 1h30m. A number without a
unit has the unit given with the option. A minus may stand in front.
.TP
.B string
Any text.
.B {configdirectory}
at its beginning stands for that option.
.TP
.B enum, stringlist
One of the words given with the option. An enum takes yes, true, t and 1 for on, and
no, false, f and 0 for off.
.TP
.B bitfield
Any number of the words given with the option, separated by blanks.
.SS TOML
A file whose name ends in
.I .toml
says the same in that language: the options in a table
.BR [options] ,
as strings, numbers or booleans, or as lists where words are separated by blanks. The
same file may hold what belongs to
.BR cyrus.conf (5).
.SH OPTIONS
Each option is shown with its default.
`

const patternsHead = `.SH OTHER NAMES
These names are made of names of the site.
`

const foot = `.SH FILES
.I /etc/imapd.conf
.SH SEE ALSO
.BR cyrus.conf (5),
.BR cyrus\-master (8),
.BR cyrus\-cyr_info (8)
`
