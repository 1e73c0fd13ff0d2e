package message

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"gocyrus/libcyrus/errs"
)

// fetchSection answers BODY[spec] as imapd does; ok is false for NIL.
func fetchSection(t *testing.T, raw, record []byte, version int, spec string) (text []byte, ok bool) {
	t.Helper()
	c, _, err := ParseCache(record, version)
	if err != nil {
		t.Fatal(err)
	}
	root, err := c.Sections()
	if err != nil {
		t.Fatal(err)
	}
	spec, list, _ := strings.Cut(spec, " (")
	names := strings.Fields(strings.TrimSuffix(list, ")"))
	var path []uint32
	for spec != "" {
		first, rest, _ := strings.Cut(spec, ".")
		n, err := strconv.Atoi(first)
		if err != nil {
			break
		}
		path, spec = append(path, uint32(n)), rest
	}
	kind := map[string]Kind{"": Whole, "TEXT": Text, "MIME": MIME}[spec]
	switch {
	case spec == "HEADER":
		kind = Header
	case strings.HasPrefix(spec, "HEADER.FIELDS"):
		kind = HeaderFields
	case spec == "" && len(path) == 0:
		return raw, true
	}
	span, ok := root.Find(path, kind)
	if !ok {
		return nil, false
	}
	end := min(uint64(span.Offset)+uint64(span.Size), uint64(len(raw)))
	text = raw[min(uint64(span.Offset), end):end]
	if strings.HasPrefix(spec, "HEADER.FIELDS") {
		text = AppendFields(nil, text, names, strings.HasSuffix(spec, "NOT"), 0)
	}
	return text, true
}

// TestSampleSections compares with the answers recorded for the sample spools.
func TestSampleSections(t *testing.T) {
	type section struct {
		Len  int
		SHA1 string
	}
	var all struct {
		Users map[string]struct {
			Mailboxes map[string]struct {
				Messages []struct {
					Raw      section
					Sections map[string]*section
				}
			}
		}
	}
	b, err := os.ReadFile("../../test/data/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	byHash := map[string]stored{}
	for _, s := range sampleMessages(t, sampleSpools[0]) {
		h := sha1.Sum(s.raw)
		byHash[hex.EncodeToString(h[:])] = s
	}
	n := 0
	for _, u := range all.Users {
		for _, m := range u.Mailboxes {
			for _, msg := range m.Messages {
				s, ok := byHash[msg.Raw.SHA1]
				if !ok {
					t.Fatalf("message %s is not in the spool", msg.Raw.SHA1)
				}
				for spec, want := range msg.Sections {
					text, ok := fetchSection(t, s.raw, s.cache, s.cacheVersion, spec)
					h := sha1.Sum(text)
					if ok != (want != nil) || ok && hex.EncodeToString(h[:]) != want.SHA1 {
						t.Errorf("%s BODY[%s]: %v %q, want %+v", s.name, spec, ok, text, want)
					}
					n++
				}
			}
		}
	}
	if n < 400 {
		t.Errorf("only %d sections", n)
	}
}

// TestOddSections compares with what a real Cyrus 3.6.1 answered to BODY[…]
// for the messages of oddTar.
func TestOddSections(t *testing.T) {
	f, err := os.Open("testdata/sections.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	msgs := map[string]stored{}
	for _, s := range oddMessages(t, oddTar) {
		msgs[strings.TrimLeft(s.name, "0")] = s
	}
	n := 0
	for sc := bufio.NewScanner(z); sc.Scan(); n++ {
		w := strings.Split(sc.Text(), "\t")
		s := msgs[w[0]]
		text, ok := fetchSection(t, s.raw, s.cache, s.cacheVersion, w[1])
		got := "NIL"
		if ok {
			h := sha1.Sum(text)
			got = fmt.Sprintf("%d %x", len(text), h[:4])
		}
		if got != w[2] {
			t.Errorf("%s BODY[%s]: %s %.200q, want %s", s.name, w[1], got, text, w[2])
		}
	}
	if n < 1000 {
		t.Errorf("only %d sections", n)
	}
}

func TestParseCacheErrors(t *testing.T) {
	m, err := Parse([]byte("From: a@b\r\n\r\nx\r\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec := m.CacheRecord()
	for n := range rec {
		if _, _, err := ParseCache(rec[:n], CacheVersion); !errs.Is(err, errs.BadFormat) {
			t.Fatalf("a record cut off at %d: %v", n, err)
		}
	}
	c, n, err := ParseCache(append(bytes.Clone(rec), "more"...), CacheVersion)
	if err != nil || n != len(rec) {
		t.Fatalf("%d, %v", n, err)
	}
	for cut := range len(c.items[ItemSection]) {
		d := c
		d.items[ItemSection] = c.items[ItemSection][:cut]
		if _, err := d.Sections(); !errs.Is(err, errs.BadFormat) {
			t.Errorf("a SECTION item cut off at %d: %v", cut, err)
		}
	}
}

func TestCachedSince(t *testing.T) {
	for name, want := range map[string]int{
		"References": 0, "x-mailer": 1, "X-Spam-Score": 3, "Sender": 7, "Keywords": 1, "X-Other": -1, "From": -1, "DATE": -1,
		strings.Repeat("a", 31): 1, strings.Repeat("a", 32): -1,
	} {
		v, ok := CachedSince(name)
		if ok != (want >= 0) || ok && v != want {
			t.Errorf("CachedSince(%q) = %d, %v; want %d", name, v, ok, want)
		}
	}
	if !AllCached([]string{"Sender", "Keywords"}, 7) || AllCached([]string{"Sender"}, 6) || AllCached([]string{"To"}, 11) {
		t.Error("AllCached is wrong")
	}
}

// FuzzParseCache: any octets give a view or an error.
func FuzzParseCache(f *testing.F) {
	m, _ := Parse([]byte("From: a@b\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nx\r\n--B--\r\n"), Options{})
	f.Add(m.CacheRecord(), 11)
	f.Add(m.CacheRecord(), 3)
	f.Fuzz(func(t *testing.T, b []byte, version int) {
		c, n, err := ParseCache(b, version)
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatalf("%d of %d", n, len(b))
		}
		if s, err := c.Sections(); err == nil {
			s.Find([]uint32{1, 2, 3}, MIME)
			s.Find(nil, Text)
		}
	})
}
