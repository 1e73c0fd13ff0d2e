package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

// scriptIndex is what the program davindex is told of one user.
type scriptIndex struct {
	Database string        `json:"database"`
	Mailbox  string        `json:"mailbox"`
	Scripts  []indexScript `json:"scripts"`
}

type indexScript struct {
	UID           uint32 `json:"uid"`
	ID            string `json:"id"`
	Name          string `json:"name"`
	Content       string `json:"content"`
	Active        bool   `json:"active"`
	Created       int64  `json:"created"`
	Updated       int64  `json:"updated"`
	Modseq        uint64 `json:"modseq"`
	CreatedModseq uint64 `json:"createdmodseq"`
}

// errNoScript means that a message of #sieve is none of a script.
var errNoScript = errors.New("is no Sieve script")

// indexScripts writes the rows of all users' scripts into their dav.db, where
// Cyrus looks for them. What cannot be written is reported; Cyrus's
// dav_reconstruct can make it anew from the messages.
//
// Source: sieve_db.c and dav_reconstruct_user in Cyrus imap.
func (p *program) indexScripts(ctx context.Context, s *site.Site) error {
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	users := 0
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		owner := e.Name.Owner()
		if e.Kind() != mboxlist.Sieve || !e.Exists() || e.Has(mboxlist.Remote) || owner == "" {
			return true, nil
		}
		x, err := p.scriptsOf(ctx, s, e, owner)
		if err != nil {
			return false, err
		}
		users++
		return true, enc.Encode(x)
	})
	if err != nil || users == 0 {
		return err
	}
	program, err := davindex()
	if err != nil {
		fmt.Fprintf(p.err, "The list of Sieve scripts of %d users is not written, as the program davindex is not there (%v):\n"+
			"before they use ManageSieve with Cyrus, run its dav_reconstruct -a.\n", users, err)
		return nil
	}
	c := exec.CommandContext(ctx, program)
	var said bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = &in, &said, &said
	if err := c.Run(); err != nil {
		p.log.Error(fmt.Sprintf("davindex: %v: %s", err, said.String()))
		fmt.Fprintf(p.err, "%sFor these users run Cyrus's dav_reconstruct.\n", said.String())
		return nil
	}
	p.notice("wrote the index of Sieve scripts of %d users", users)
	return nil
}

// davindex is the path of that program, which lies beside this one.
func davindex() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "davindex")
	_, err = os.Stat(path)
	return path, err
}

// scriptsOf reads the scripts of a user.
func (p *program) scriptsOf(ctx context.Context, s *site.Site, e *mboxlist.Entry, owner string) (*scriptIndex, error) {
	inbox, legacy, err := s.List.HomeOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	m, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	x := &scriptIndex{Database: s.Layout.UserFile(mboxname.UserDAV, owner, inbox, legacy), Mailbox: e.UniqueID, Scripts: []indexScript{}}
	err = m.Each(1, func(r *mailbox.Record) bool {
		if !r.Live() {
			return true
		}
		row, err := scriptOf(m, r)
		if err != nil {
			p.log.Error(fmt.Sprintf("%s: message %d: %v", e.Name, r.UID, err))
			return true
		}
		x.Scripts = append(x.Scripts, row)
		return true
	})
	return x, err
}

// scriptOf reads a message of #sieve: its Subject is the name, the file name
// of its Content-Disposition the id of the script.
func scriptOf(m *mailbox.Mailbox, r *mailbox.Record) (x indexScript, err error) {
	f, err := m.OpenMessage(r)
	if err != nil {
		return x, err
	}
	defer f.Close()
	in := bufio.NewReader(io.NewSectionReader(f, 0, 1<<62))
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return x, err
	}
	_, disposition, err := mime.ParseMediaType(header.Get("Content-Disposition"))
	id, ok := strings.CutSuffix(disposition["filename"], ".sieve")
	if err != nil || !ok || id == "" {
		return x, errNoScript
	}
	name := header.Get("Subject")
	if plain, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
		name = plain
	}
	sum := sha1.New()
	if _, err := io.Copy(sum, in); err != nil {
		return x, err
	}
	return indexScript{
		UID: r.UID, ID: id, Name: name, Content: hex.EncodeToString(sum.Sum(nil)), Active: r.Flags.Has(mailbox.Flagged),
		Created: r.InternalDate.Time().Unix(), Updated: r.LastUpdated.Time().Unix(), Modseq: r.Modseq, CreatedModseq: r.CreatedModseq,
	}, nil
}
