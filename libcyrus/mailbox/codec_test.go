package mailbox

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/test/data"
)

func TestHeaderForms(t *testing.T) {
	for _, c := range []struct {
		name, text, again string
		want              header
	}{
		{
			"3.6", "%(T e N user.alice I x1 Q user.alice A %(alice lrs -bob w) U (kw1 NIL kw3))\n", "",
			header{typ: "e", name: "user.alice", uniqueID: "x1", quotaRoot: "user.alice", acl: "alice\tlrs\t-bob\tw\t", flags: []string{"kw1", "", "kw3"}},
		},
		{"least", "%(T el N NIL I x1 A %())\n", "", header{typ: "el", uniqueID: "x1"}},
		{
			"3.4", "user.alice\tx1\nkw1  kw3\nalice\tlrs\t\n", "%(T e N NIL I x1 Q user.alice A %(alice lrs) U (kw1 NIL kw3))\n",
			header{uniqueID: "x1", quotaRoot: "user.alice", acl: "alice\tlrs\t", flags: []string{"kw1", "", "kw3"}},
		},
		{"3.4, no root", "\tx1\n\nanyone\tlr\t\n", "%(T e N NIL I x1 A %(anyone lr))\n", header{uniqueID: "x1", acl: "anyone\tlr\t"}},
	} {
		h, err := decodeHeader([]byte(headerMagic + c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		crc := h.crc
		h.crc = 0
		if h.typ != c.want.typ || h.name != c.want.name || h.uniqueID != c.want.uniqueID || h.quotaRoot != c.want.quotaRoot ||
			h.acl != c.want.acl || !slices.Equal(h.flags, c.want.flags) || crc != checksum([]byte(headerMagic+c.text)) {
			t.Errorf("%s: %+v, want %+v", c.name, h, c.want)
		}
		if c.again == "" {
			c.again = c.text
		}
		if h.typ == "" {
			h.typ = "e"
		}
		if got := string(h.encode()); got != headerMagic+c.again {
			t.Errorf("%s: written again it is %q", c.name, got[len(headerMagic):])
		}
	}
	if _, err := decodeHeader([]byte("no header")); err == nil {
		t.Error("no error without magic")
	}
}

// TestOldHeaderRewritten adds a flag to a mailbox with a header of 3.4.
func TestOldHeaderRewritten(t *testing.T) {
	e := memEnv(t)
	someMail(1)(e)
	old := headerMagic + "user.alice\t" + inbox.UniqueID + "\n\nalice\tlrswipkxtecdan\t\n"
	if err := disk.Replace(e.fs, e.dir(inbox)+"/cyrus.header", []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	st := e.stage(text(2))
	defer st.Remove()
	if _, err := e.s.Append(ctx, inbox, []AppendMessage{{Staged: st, Keywords: []string{"kw"}}}, AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	e.check(inbox)
	b, _ := disk.ReadFile(e.fs, e.dir(inbox)+"/cyrus.header")
	if want := headerMagic + "%(T e N user.alice I " + inbox.UniqueID + " Q user.alice A %(alice lrswipkxtecdan) U (kw))\n"; string(b) != want {
		t.Errorf("%q", b)
	}
}

func TestAuditFlags(t *testing.T) {
	for f, want := range map[Flags]string{0: "", Seen | Answered: "AN|SE", Expunged | Unlinked | Archived | NeedsCleanup | Deleted: "DE|NC|AR|UN|EX"} {
		if got := f.Audit(); got != want {
			t.Errorf("%x: %q, want %q", uint32(f), got, want)
		}
	}
}

func TestUserFlags(t *testing.T) {
	var u UserFlags
	for _, n := range []int{0, 31, 32, 127} {
		u.Set(n)
	}
	var got []int
	u.Each(func(n int) { got = append(got, n) })
	if !slices.Equal(got, []int{0, 31, 32, 127}) || !u.Has(127) || u.Has(1) || !u.Any() {
		t.Errorf("%v", got)
	}
	v := u
	v.Clear(31)
	if w := u.AndNot(v); !w.Has(31) || w.Has(0) || w.Or(v) != u {
		t.Errorf("%v %v", u, v)
	}
}

func TestStamp(t *testing.T) {
	for in, want := range map[int64]Stamp{-5: 0, 0: 0, 1e9: 1e9, 1 << 33: 1<<32 - 1} {
		if got := StampOf(time.Unix(in, 0)); got != want {
			t.Errorf("%d: %d", in, got)
		}
	}
}

func TestNewUniqueID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewUniqueID()
		if len(id) != 24 || seen[id] {
			t.Fatal(id)
		}
		seen[id] = true
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(headerMagic + "%(T e N user.alice I x1 Q user.alice A %(alice lrs -bob w) U (kw1 NIL kw3))\n"))
	f.Add([]byte(headerMagic + "user.alice\tx1\nkw1  kw3\nalice\tlrs\t\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHeader(b)
		if err != nil {
			return
		}
		if h.typ == "" {
			h.typ = "e"
		}
		once := h.encode()
		again, err := decodeHeader(once)
		if err != nil || !bytes.Equal(again.encode(), once) {
			t.Errorf("%q is read as %q (%v)", once, again.encode(), err)
		}
	})
}

func FuzzIndex(f *testing.F) {
	s := openSample(f, data.ByID)
	for _, ref := range s.refs {
		m, err := s.store.Open(ctx, ref, Read)
		if err != nil {
			f.Fatal(err)
		}
		b, _ := disk.ReadFile(disk.OS(), m.box.paths.index)
		f.Add(b)
		m.Close()
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeIndexHeader(b[:min(len(b), maxHeader)])
		if err != nil {
			return
		}
		h.encode()
		l := h.layout()
		var r Record
		for i := 0; l.header+(i+1)*l.record <= len(b); i++ {
			raw := b[l.header+i*l.record:][:l.record]
			if l.decode(&r, raw) && l.crc != 0 {
				again := make([]byte, l.record)
				l.encode(again, &r)
				var same Record
				if !l.decode(&same, again) || same != r {
					t.Errorf("%+v is read as %+v", r, same)
				}
			}
		}
	})
}

// FuzzOpen opens mailboxes with any index.
func FuzzOpen(f *testing.F) {
	e := memEnv(f)
	someMail(3)(e)
	index := e.dir(inbox) + "/cyrus.index"
	good, err := disk.ReadFile(e.fs, index)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, false)
	f.Add(good[:200], true)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		e := memEnv(t)
		someMail(3)(e)
		if mend && len(b) >= 160 && bytes.Equal(b[8:20], good[8:20]) { // let it get past the header
			b = bytes.Clone(b)
			be.PutUint32(b[20:], be.Uint32(b[20:])%100)
			be.PutUint32(b[156:], checksum(b[:156]))
		}
		if err := disk.Replace(e.fs, index, b, 0o600); err != nil {
			t.Fatal(err)
		}
		e = e.reopen(e.fs, func(o *Options) { o.UncleanBoot = time.Now() })
		m, err := e.s.Open(ctx, inbox, Read)
		if err != nil {
			return
		}
		m.Close()
		if h := m.hdr; h.Options&OptDeleted == 0 && h.LastUID < 1<<31 && h.Version >= 14 {
			e.mustAppend(inbox, 4)
		}
	})
}

// FuzzCacheRecord reads a cache file of any bytes at any offset.
func FuzzCacheRecord(f *testing.F) {
	e := memEnv(f)
	someMail(2)(e)
	good, err := disk.ReadFile(e.fs, e.dir(inbox)+"/cyrus.cache")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, int64(4))
	f.Add(good[:len(good)-3], int64(4))
	f.Fuzz(func(t *testing.T, b []byte, off int64) {
		m := disk.NewMem()
		if err := disk.Replace(m, "c", b, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := m.Open("c")
		if err != nil {
			t.Fatal(err)
		}
		of := &openFile{File: file}
		of.refs.Store(1)
		var buf CacheBuffer
		defer buf.Free()
		if off < 0 || off > 1<<48 {
			return
		}
		r, err := buf.record(of, off)
		if err == nil && !bytes.Equal(r, b[off:off+int64(len(r))]) {
			t.Errorf("record of %d bytes at %d", len(r), off)
		}
	})
}

// TestOwnsSeenByVersion looks at indexes that have no place for \Recent.
func TestOwnsSeenByVersion(t *testing.T) {
	for version, want := range map[uint32]bool{10: false, 11: false, 12: true, 17: true} {
		m := Mailbox{hdr: IndexHeader{Version: version, Options: OptSharedSeen}}
		if got := m.OwnsSeen("alice"); got != want {
			t.Errorf("version %d: %v, want %v", version, got, want)
		}
	}
}
