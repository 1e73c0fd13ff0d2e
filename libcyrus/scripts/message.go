package scripts

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// maxMessage bounds what is read of a message that somebody else has put
// into #sieve, in octets.
const maxMessage = 16 << 20

// read returns the scripts that the messages hold. Of two messages of one
// script, or one name, which a crash may have left, the later counts.
func (u *User) read(ctx context.Context) ([]Script, error) {
	m, err := u.site.Store.Open(ctx, u.ref, mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var all []Script
	var failed error
	err = m.Each(1, func(r *mailbox.Record) bool {
		if !r.Live() {
			return true
		}
		x, ok, err := parse(m, r)
		if err != nil {
			failed = err
			return false
		}
		if !ok {
			return true
		}
		all = slices.DeleteFunc(all, func(old Script) bool {
			same := old.ID == x.ID || old.Name == x.Name
			if same {
				x.stale = append(append(x.stale, old.stale...), old.uid)
				x.was = append(append(x.was, old.was...), old.Name)
			}
			return same
		})
		all = append(all, x)
		return true
	})
	if err == nil {
		err = failed
	}
	return all, err
}

// parse reads the message of a script; not ok if it is none.
func parse(m *mailbox.Mailbox, r *mailbox.Record) (x Script, ok bool, err error) {
	f, err := m.OpenMessage(r)
	if err != nil {
		return x, false, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.NewSectionReader(f, 0, maxMessage))
	if err != nil {
		return x, false, err
	}
	head, text, found := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !found {
		return x, false, nil
	}
	h, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n\r\n")))).ReadMIMEHeader()
	if err != nil {
		return x, false, nil // no script
	}
	_, disposition, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	id, isScript := strings.CutSuffix(disposition["filename"], ".sieve")
	if err != nil || !isScript || id == "" {
		return x, false, nil
	}
	name := h.Get("Subject")
	if plain, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
		name = plain
	}
	x = Script{Name: name, ID: id, Text: text, Active: r.Flags.Has(mailbox.Flagged), uid: r.UID}
	return x, ValidName(name), nil
}

// append stores a script as a new message.
//
// Source: store_script in Cyrus imap/sieve_db.c.
func (u *User) append(ctx context.Context, x *Script) error {
	st, err := u.site.Store.Stage(u.ref.Partition)
	if err != nil {
		return err
	}
	defer st.Remove()
	now := time.Now()
	host := config.Servername.In(u.site.Config)
	from := u.id
	if mboxname.UserParts(u.id).Domain == "" {
		from += "@" + host
	}
	_, err = fmt.Fprintf(st, "From: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%x@%s>\r\n"+
		"Content-Type: application/sieve; charset=utf-8\r\nContent-Length: %d\r\n"+
		"Content-Disposition: attachment;\r\n\tfilename=\"%s.sieve\"\r\nMIME-Version: 1.0\r\n\r\n%s",
		from, mime.QEncoding.Encode("UTF-8", x.Name), now.Format("Mon, 02 Jan 2006 15:04:05 -0700"),
		sha1.Sum(x.Text), host, len(x.Text), x.ID, x.Text)
	if err != nil {
		return err
	}
	msg := mailbox.AppendMessage{Staged: st, InternalDate: now}
	if x.Active {
		msg.Flags = mailbox.Flagged
	}
	done, err := u.site.Store.Append(ctx, u.ref, []mailbox.AppendMessage{msg}, mailbox.AppendOptions{})
	if err == nil {
		x.uid = done[0].UID
	}
	return err
}

// expunge removes messages.
func (u *User) expunge(ctx context.Context, uids []uint32) error {
	return u.change(ctx, func(m *mailbox.Mailbox, r *mailbox.Record) error {
		if !slices.Contains(uids, r.UID) {
			return nil
		}
		return m.Expunge(r, "")
	})
}

// flag makes the message with this UID the only one that is flagged.
func (u *User) flag(ctx context.Context, all []Script, want uint32) error {
	if !slices.ContainsFunc(all, func(x Script) bool { return x.Active != (x.uid == want) }) {
		return nil
	}
	return u.change(ctx, func(m *mailbox.Mailbox, r *mailbox.Record) error {
		if r.Flags.Has(mailbox.Flagged) == (r.UID == want) {
			return nil
		}
		r.Flags ^= mailbox.Flagged
		return m.Rewrite(r)
	})
}

// change calls fn for each message and makes what it has done last.
func (u *User) change(ctx context.Context, fn func(*mailbox.Mailbox, *mailbox.Record) error) error {
	m, err := u.site.Store.Open(ctx, u.ref, mailbox.Write)
	if err != nil {
		return err
	}
	defer m.Close()
	live, err := m.Live()
	if err != nil {
		return err
	}
	for _, uid := range live {
		r, ok, err := m.FindUID(uid, 0)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := fn(m, &r); err != nil {
			return err
		}
	}
	return m.Commit(ctx)
}
