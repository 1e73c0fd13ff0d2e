package mailbox

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox/mailboxtest"
)

// incomingFiles is what DUMP would send of a mailbox.
func incomingFiles(e *env, ref Ref) map[string][]byte {
	e.Helper()
	out := map[string][]byte{}
	m := e.open(ref, Read)
	defer m.Close()
	read := func(name, path string) {
		b, err := disk.ReadFile(e.fs, path)
		if err != nil {
			e.Fatal(err)
		}
		out[name] = b
	}
	read(dumpedHeader, m.Files().Header)
	read(dumpedIndex, m.Files().Index)
	m.Each(1, func(r *Record) bool {
		read(fileOf(r.UID), m.messagePath(r))
		return true
	})
	return out
}

// receive puts files into an Incoming, and looks at them.
func (e *env) receive(files map[string][]byte) (*Incoming, error) {
	in, err := e.s.Receive("default")
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := in.Put(name, bytes.NewReader(files[name]), int64(len(files[name]))); err != nil {
			return in, err
		}
	}
	if err := in.Check(); err != nil {
		return in, err
	}
	return in, in.Seal()
}

// flagged is a mailbox with messages that have flags, one of which is expunged.
func flagged(e *env) map[string][]byte {
	e.Helper()
	someMail(4)(e)
	m := e.open(inbox, Write)
	for uid, name := range map[uint32]string{1: "one", 3: "three"} {
		r, _, err := m.FindUID(uid, 0)
		if err != nil {
			e.Fatal(err)
		}
		n, err := m.AddFlag(name, MaxUserFlags)
		if err != nil {
			e.Fatal(err)
		}
		r.User.Set(n)
		r.Flags |= Flagged
		if err := m.Rewrite(&r); err != nil {
			e.Fatal(err)
		}
	}
	r, _, err := m.FindUID(2, 0)
	if err == nil {
		err = m.Expunge(&r, "")
	}
	if err == nil {
		err = m.Commit(ctx)
	}
	if err != nil {
		e.Fatal(err)
	}
	m.Close()
	return incomingFiles(e, inbox)
}

// facts is what clients can know of a message.
type facts struct {
	uid     uint32
	date    Stamp
	flags   Flags
	names   string
	content string
}

func factsOf(e *env, ref Ref) (all []facts) {
	e.Helper()
	m := e.open(ref, Read)
	defer m.Close()
	err := m.Each(1, func(r *Record) bool {
		var names []string
		r.User.Each(func(n int) { names = append(names, m.Flags()[n]) })
		b, err := disk.ReadFile(e.fs, m.messagePath(r))
		if err != nil {
			e.Error(err)
		}
		all = append(all, facts{r.UID, r.InternalDate, r.Flags, strings.Join(names, " "), string(b)})
		return true
	})
	if err != nil {
		e.Fatal(err)
	}
	return all
}

// TestUndump: the messages are what they were, expunged ones too, also where
// their keywords have other numbers; twice is as once.
func TestUndump(t *testing.T) {
	t.Parallel()
	from := memEnv(t)
	files := flagged(from)
	was := from.open(inbox, Read).Header()
	e := memEnv(t)
	e.create(inbox)
	m := e.open(inbox, Write)
	if _, err := m.AddFlag("own", MaxUserFlags); err != nil {
		t.Fatal(err)
	}
	if err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	m.Close()
	for round := range 2 {
		in, err := e.receive(files)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.s.Undump(ctx, inbox, in, nil); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if done, err := e.s.Undumped(ctx, inbox, in); err != nil || !done {
			t.Errorf("undumped: %v, %v", done, err)
		}
		in.Remove()
		e.check(inbox)
		if have, want := factsOf(e, inbox), factsOf(from, inbox); !slices.Equal(have, want) {
			t.Errorf("round %d:\n%+v, not\n%+v", round, have, want)
		}
		m := e.open(inbox, Read)
		if is := m.Header(); is.UIDValidity != was.UIDValidity || is.LastUID != was.LastUID || round > 0 && is.HighestModseq <= was.HighestModseq {
			t.Errorf("round %d: %+v, was %+v", round, is, was)
		}
		m.Close()
	}
	if q := e.quota.used["user.alice"]; q[0] == 0 {
		t.Errorf("quota: %v", q)
	}
	if a := e.mustAppend(inbox, 9); a[0].UID != 5 {
		t.Errorf("next UID: %d", a[0].UID)
	}
	in, err := e.receive(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.s.Undump(ctx, inbox, in, nil); !errs.Is(err, errs.BadArgument) {
		t.Errorf("a message would be lost: %v", err)
	}
	if done, err := e.s.Undumped(ctx, inbox, in); err != nil || !done {
		t.Errorf("undumped: %v, %v", done, err)
	}
}

// TestUndumpPart: messages that are there need not come.
func TestUndumpPart(t *testing.T) {
	t.Parallel()
	from := memEnv(t)
	someMail(2)(from)
	first := incomingFiles(from, inbox)
	from.mustAppend(inbox, 3)
	second := incomingFiles(from, inbox)
	delete(second, "1.")
	delete(second, "2.")
	e := memEnv(t)
	e.create(inbox)
	for i, files := range []map[string][]byte{second, first, second} {
		in, err := e.receive(files)
		if err != nil {
			t.Fatal(err)
		}
		err = e.s.Undump(ctx, inbox, in, nil)
		if i == 0 && !errs.Is(err, errs.BadArgument) || i > 0 && err != nil {
			t.Errorf("round %d: %v", i, err)
		}
	}
	if err := has(e.check(inbox), 1, 3); err != nil {
		t.Error(err)
	}
}

// TestUndumpFaults makes each operation of Undump fail in turn.
func TestUndumpFaults(t *testing.T) {
	t.Parallel()
	from := memEnv(t)
	someMail(3)(from)
	files := incomingFiles(from, inbox)
	f := &faultTest{
		setup: func(e *env) {
			e.create(inbox)
			m := e.open(inbox, Write)
			m.SetUIDValidity(m.Header().UIDValidity + 5) // another
			if err := m.Commit(ctx); err != nil {
				e.Fatal(err)
			}
			m.Close()
		},
		do: func(e *env, ack func()) error {
			in, err := e.receive(files)
			if err != nil {
				return err
			}
			if err := e.s.Undump(ctx, inbox, in, nil); err != nil {
				return err
			}
			ack()
			return nil
		},
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			if !acked && len(r.Live()) == 0 {
				return nil
			}
			return has(r, 1, 3)
		},
	}
	f.run(t)
}

// TestPut: names that could lead elsewhere, and files that end too early.
func TestPut(t *testing.T) {
	t.Parallel()
	e := memEnv(t)
	in, err := e.s.Receive("default")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/x", "a\x00b", ".hidden", strings.Repeat("x", 256), "\xff"} {
		if err := in.Put(name, strings.NewReader("abc"), 3); !errs.Is(err, errs.BadArgument) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := in.Put("1.", strings.NewReader("ab"), 3); !errs.Is(err, errs.BadArgument) {
		t.Errorf("short: %v", err)
	}
	if err := in.Put("2.", strings.NewReader("abc"), 3); err != nil {
		t.Error(err)
	}
	if err := in.Put("2.", strings.NewReader("abc"), 3); !errs.Is(err, errs.BadArgument) {
		t.Errorf("twice: %v", err)
	}
	if err := in.Put("3.", strings.NewReader(""), 1<<40); !errs.Is(err, errs.TooBig) {
		t.Errorf("large: %v", err)
	}
	in.Remove()
	if left, err := e.fs.ReadDir("/s/spool/stage."); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestUndumpKeywords: names that would break the protocol are refused.
func TestUndumpKeywords(t *testing.T) {
	t.Parallel()
	from := memEnv(t)
	files := flagged(from)
	h, err := decodeHeader(files[dumpedHeader])
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"a b", "a\r\n* BYE", "(", "\\Seen", "ä"} {
		c := h.clone()
		c.flags[0] = bad
		files[dumpedHeader] = c.encode()
		if in, err := from.receive(files); !errs.Is(err, errs.BadArgument) {
			t.Errorf("%q: %v", bad, err)
		} else {
			in.Remove()
		}
	}
}

// FuzzUndump gives a mailbox any header and index, with right checksums.
func FuzzUndump(f *testing.F) {
	from := memEnv(f)
	good := flagged(from)
	f.Add(good[dumpedHeader], good[dumpedIndex])
	f.Add(good[dumpedHeader], good[dumpedIndex][:300])
	f.Fuzz(func(t *testing.T, head, index []byte) {
		files := maps.Clone(good)
		index = bytes.Clone(index)
		if h, err := decodeIndexHeader(index[:min(len(index), maxHeader)]); err == nil && h.layout().crc != 0 {
			l := h.layout()
			be.PutUint32(index[l.headerCRC:], checksum(index[:l.headerCRC]))
			for off := l.header; off+l.record <= len(index); off += l.record {
				be.PutUint32(index[off+l.crc:], checksum(index[off:off+l.crc]))
			}
		}
		files[dumpedHeader], files[dumpedIndex] = head, index
		e := memEnv(t)
		e.create(inbox)
		in, err := e.receive(files)
		if err == nil {
			err = e.s.Undump(ctx, inbox, in, nil)
		}
		if err != nil && !errs.Is(err, errs.BadArgument) {
			t.Errorf("%v", err)
		}
		m := e.open(inbox, Read)
		m.Close()
		e.check(inbox)
	})
}
