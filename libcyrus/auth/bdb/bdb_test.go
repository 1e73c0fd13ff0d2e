package bdb

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// read returns a file of testdata. They were made by saslpasswd2 of
// Cyrus SASL 2.1.28 (1, 50, 2000, big, deleted) and by db_load of Berkeley
// DB 5.3 from a dump of these (be, bigbe, sum).
func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

// users is what "user1" … "userN" with "secret1" … are in a file.
func users(n int) map[string]string {
	m := make(map[string]string)
	for i := range n {
		m[fmt.Sprintf("user%d\x00example.org\x00userPassword", i+1)] = fmt.Sprintf("secret%d", i+1)
	}
	return m
}

func TestParse(t *testing.T) {
	deleted := users(50)
	for _, n := range []string{"3", "7", "9"} {
		delete(deleted, "user"+n+"\x00example.org\x00userPassword")
	}
	deleted["user5\x00example.org\x00userPassword"] = "changed"
	big := map[string]string{
		"long\x00example.org\x00userPassword":  strings.Repeat("x", 2048), // saslpasswd2 cuts what is longer
		"short\x00example.org\x00userPassword": "pw",
	}
	for name, want := range map[string]map[string]string{
		"1.sasldb":       {"alice\x00example.org\x00userPassword": "pass"},
		"50.sasldb":      users(50),
		"2000.sasldb.gz": users(2000),
		"be.sasldb":      users(50), // big-endian, 512-byte pages
		"big.sasldb":     big,       // with an overflow page
		"bigbe.sasldb":   big,
		"sum.sasldb":     big, // pages with check sums
		"deleted.sasldb": deleted,
	} {
		got, err := Parse(read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d keys, want %d", name, len(got), len(want))
		}
		for k, v := range want {
			if string(got[k]) != v {
				t.Errorf("%s: %q is %.20q, want %.20q", name, k, got[k], v)
			}
		}
	}
}

func TestParseBad(t *testing.T) {
	good := read(t, "50.sasldb")
	change := func(at int, b ...byte) []byte {
		d := bytes.Clone(good)
		copy(d[at:], b)
		return d
	}
	for name, data := range map[string][]byte{
		"empty":     {},
		"text":      bytes.Repeat([]byte("text "), 100),
		"btree":     change(offMagic, 0x62, 0x31, 0x05, 0),
		"version":   change(offVersion, 7),
		"encrypted": change(offEncrypt, 1),
		"page size": change(offPageSize, 1, 2, 3, 0),
		"page type": change(offPageType, 9),
	} {
		if _, err := Parse(data); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Cut anywhere, it is read as far as it goes or refused.
	for n := 0; n < len(good); n += 97 {
		_, _ = Parse(good[:n])
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"1.sasldb", "be.sasldb", "bigbe.sasldb", "sum.sasldb"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := Parse(data)
		for k, v := range values {
			if len(k) > len(data) || len(v) > len(data) {
				t.Errorf("item of %d bytes", len(v))
			}
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Error(err)
		}
	})
}
