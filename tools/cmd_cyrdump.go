package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const cyrdumpUse = `Usage: cyrdump [OPTIONS] {mailboxes}
Dumps out a basic copy of mailbox data to stdout.

-C <config-file>         use <config-file> instead of config from imapd.conf
-v                       enable verbose output

`

// boxDump is one run of cyrdump.
type boxDump struct {
	*program
	site    *site.Site
	w       *bufio.Writer
	verbose bool
}

// cyrdump prints mailboxes as multipart messages.
//
// Source: Cyrus imap/cyrdump.c. In 3.6.1 the Content-ID of a message is the
// UID of the next one.
func cyrdump(p *program) int { return p.end((&boxDump{program: p}).run(context.Background())) }

func (d *boxDump) run(ctx context.Context) error {
	opts, operands, err := d.options("C:v", cyrdumpUse, exUsage)
	if err != nil {
		return err
	}
	conf := ""
	for _, o := range opts {
		if o.Letter == 'C' {
			conf = o.Arg
		} else {
			d.verbose = true
		}
	}
	if len(operands) == 0 {
		return d.misused(cyrdumpUse, exUsage)
	}
	if d.site, err = d.openSite(conf); err != nil {
		return err
	}
	defer d.site.Close()
	d.w = bufio.NewWriter(d.out)
	err = eachMatch(ctx, d.site, operands, func(_ string, e *mboxlist.Entry) error {
		if e.Name.IsDeleted(d.site.Layout.DeletedPrefix) {
			return nil
		}
		return d.mailbox(ctx, e)
	})
	if ferr := d.w.Flush(); err == nil {
		err = ferr
	}
	return err
}

// trouble prints what is wrong with a mailbox among the rest, with -v.
func (d *boxDump) trouble(format string, args ...any) {
	if d.verbose {
		fmt.Fprintf(d.w, format, args...)
	}
}

// listed is the system flags whose messages are listed.
var listed = []struct {
	name string
	flag mailbox.Flags
}{
	{"Answered", mailbox.Answered}, {"Deleted", mailbox.Deleted}, {"Draft", mailbox.Draft}, {"Flagged", mailbox.Flagged},
}

// mailbox prints one mailbox.
func (d *boxDump) mailbox(ctx context.Context, e *mboxlist.Entry) error {
	if e.Kind() != mboxlist.Email {
		d.trouble("error opening %s: Invalid mailbox type\n", e.Name)
		return nil
	}
	m, err := d.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		d.trouble("error opening %s: %v\n", e.Name, err)
		return nil
	}
	defer m.Close()
	var records []mailbox.Record
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Live() {
			records = append(records, *r)
		}
		return true
	})
	if err != nil {
		return err
	}
	boundary := fmt.Sprintf("dump-%d-%d-%d", os.Getpid(), time.Now().Unix(), rand.Int32())
	fmt.Fprintf(d.w, "Content-Type: multipart/related; boundary=\"%s\"\n\n--%[1]s\n", boundary)
	fmt.Fprintf(d.w, "Content-Type: text/xml\nIMAP-Dump-Version: 0\n\n")
	fmt.Fprintf(d.w, "<imapdump uniqueid=\"%s\">\n", m.UniqueID())
	fmt.Fprintf(d.w, "  <mailbox-url>imap://%s/%s</mailbox-url>\n", d.site.Config.ServerName(), urlName(e.Name))
	fmt.Fprintf(d.w, "  <incremental-uid>0</incremental-uid>\n  <nextuid>%d</nextuid>\n\n", uint64(m.Header().LastUID)+1)
	d.sequence("uidlist", "", records, 0)
	fmt.Fprint(d.w, "\n  <flags>\n")
	for _, f := range listed {
		d.sequence("flag", ` name="\`+f.name+`" user="*"`, records, f.flag)
	}
	fmt.Fprint(d.w, "  </flags>\n</imapdump>\n")
	for i := range records {
		fmt.Fprintf(d.w, "\n--%s\nContent-Type: message/rfc822\nContent-ID: %d\n\n", boundary, records[i].UID)
		if err := d.message(m, &records[i]); err != nil {
			d.trouble("error mapping message %d: %v\n", records[i].UID, err)
			break
		}
	}
	fmt.Fprintf(d.w, "\n--%s--\n", boundary)
	return nil
}

// sequence prints an element with the UIDs of messages that have a flag.
func (d *boxDump) sequence(tag, attributes string, records []mailbox.Record, flag mailbox.Flags) {
	fmt.Fprintf(d.w, "  <%s%s>", tag, attributes)
	for i := range records {
		if records[i].Flags.Has(flag) {
			fmt.Fprintf(d.w, "%d ", records[i].UID)
		}
	}
	fmt.Fprintf(d.w, "</%s>\n", tag)
}

// message prints a message as it is stored.
func (d *boxDump) message(m *mailbox.Mailbox, r *mailbox.Record) error {
	f, err := m.OpenMessage(r)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(d.w, io.NewSectionReader(f, 0, 1<<62))
	return err
}

// urlUnsafe is what Cyrus escapes in the mailbox of a URL, besides what is
// not printable ASCII.
//
// Source: urlunsafe in Cyrus imap/imapurl.c.
const urlUnsafe = " \"#%&+:;<=>?@[\\]^`{|}"

// urlName is an internal name in a URL: as UTF-8, and that escaped.
func urlName(n mboxname.Name) string {
	text, err := mboxname.DecodeUTF7(string(n))
	if err != nil {
		text = string(n)
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; c <= ' ' || c > '~' || strings.IndexByte(urlUnsafe, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
