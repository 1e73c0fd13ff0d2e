package message

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/libcyrus/errs"
)

// FuzzParse: nothing panics, both ways to read agree, all offsets lie in the
// message, and the cache record reads back to the same tree.
func FuzzParse(f *testing.F) {
	for i, s := range oddMessages(f, oddTar) {
		if i%9 == 0 && len(s.raw) < 2000 {
			f.Add(s.raw, i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, strict bool) {
		o := Options{RFC2046Strict: strict, RFC2047UTF8: strict, Location: time.UTC}
		m, err := Parse(raw, o)
		if err != nil {
			t.Fatal(err)
		}
		rec := m.CacheRecord()
		r, err := ParseReader(bytes.NewReader(raw), int64(len(raw)), o)
		if err != nil || !bytes.Equal(r.CacheRecord(), rec) || r.GUID != m.GUID || !bytes.Equal(r.Header(), m.Header()) {
			t.Fatalf("ParseReader differs: %v", err)
		}
		m.Times(time.Unix(1700000000, 0))
		checkPart(t, &m.root, int64(len(raw)))
		c, n, err := ParseCache(rec, CacheVersion)
		if err != nil || n != len(rec) {
			t.Fatalf("ParseCache: %d of %d, %v", n, len(rec), err)
		}
		tree, err := c.Sections()
		if err != nil {
			t.Fatal(err)
		}
		for path := range [...]int{0, 1, 2} {
			for k := Whole; k <= HeaderFields; k++ {
				span, ok := tree.Find([]uint32{uint32(path), 1}[:path], k)
				if end := uint64(span.Offset) + uint64(span.Size); ok && span.Offset > uint32(len(raw)) || ok && end > uint64(len(raw)) {
					t.Errorf("BODY[%d, %d] = %+v beyond %d", path, k, span, len(raw))
				}
			}
		}
	})
}

// checkPart checks that a part and all in it lie in the message.
func checkPart(t *testing.T, b *part, size int64) {
	t.Helper()
	for _, v := range []int64{b.headerOffset + b.headerSize, b.contentOffset + b.contentSize} {
		if v < 0 || v > size || b.headerSize < 0 || b.contentSize < 0 || b.contentLines < 0 {
			t.Errorf("part %s/%s: header %d+%d, content %d+%d, %d lines; message %d", b.typ, b.subtype, b.headerOffset,
				b.headerSize, b.contentOffset, b.contentSize, b.contentLines, size)
		}
	}
	for i := range b.parts {
		checkPart(t, &b.parts[i], size)
	}
	if b.inner != nil {
		checkPart(t, b.inner, size)
	}
}

func TestParseReaderErrors(t *testing.T) {
	raw := []byte("From: a@b\r\n\r\n" + strings.Repeat("x\r\n", 100000))
	if _, err := ParseReader(bytes.NewReader(raw), int64(len(raw))+1, Options{}); !errs.Is(err, errs.IO) {
		t.Errorf("a short file: %v", err)
	}
	broken := errors.New("broken")
	if _, err := ParseReader(brokenAt{broken}, 10, Options{}); !errs.Is(err, errs.IO) || !errors.Is(err, broken) {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := ParseReader(bytes.NewReader(nil), 1<<33, Options{}); !errs.Is(err, errs.TooBig) {
		t.Errorf("a file over 4 GiB: %v", err)
	}
}

type brokenAt struct{ err error }

func (b brokenAt) ReadAt([]byte, int64) (int, error) { return 0, b.err }

// bigMessage is a message of size octets made up as it is read.
type bigMessage struct{ size int64 }

func (m bigMessage) ReadAt(p []byte, off int64) (int, error) {
	const head = "Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	const line = "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\r\n"
	for i := range p {
		switch at := off + int64(i); {
		case at >= m.size:
			return i, io.EOF
		case at < int64(len(head)):
			p[i] = head[at]
		default:
			p[i] = line[(at-int64(len(head)))%int64(len(line))]
		}
	}
	return len(p), nil
}

// TestBigMessage: 50 MB are parsed in little memory.
func TestBigMessage(t *testing.T) {
	const size = 50 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, err := ParseReader(bigMessage{size}, size, Options{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d octets were allocated", n)
	}
	if got := m.root.parts[0].contentSize; got < size-100 {
		t.Errorf("content size %d", got)
	}
}

// spent is the processor's time that this process has had; that of a clock
// depends on what else the machine does.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestHostileSizes: messages that are made to cost much stay cheap.
func TestHostileSizes(t *testing.T) {
	const size = 3 << 20
	for name, raw := range map[string]string{
		"parts":      "Content-Type: multipart/mixed; boundary=B\r\n\r\n" + strings.Repeat("--B\r\n", size/5),
		"addresses":  "To: " + strings.Repeat("a,", size/2) + "\r\n\r\n",
		"params":     "Content-Type: a/b" + strings.Repeat("; a*0=", size/6) + "\r\n\r\n",
		"languages":  "Content-Language: " + strings.Repeat("a,", size/2) + "\r\n\r\n",
		"comments":   "To: " + strings.Repeat("(", size) + "\r\n\r\n",
		"words":      "Subject: " + strings.Repeat("=?a?q?=", size/7) + "\r\n\r\n",
		"fields":     strings.Repeat("To: a\r\n", size/7) + "\r\n",
		"header":     strings.Repeat("x", 4*size) + "\r\n\r\n",
		"boundaries": strings.Repeat("Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n", size/50),
	} {
		start := spent(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Parse([]byte(raw), Options{})
		if err != nil {
			t.Fatal(err)
		}
		m.CacheRecord()
		runtime.ReadMemStats(&after)
		if d := spent(t) - start; d > 10*time.Second {
			t.Errorf("%s: %v", name, d)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 30*size {
			t.Errorf("%s: %d MB were allocated", name, n>>20)
		}
		r, err := ParseReader(strings.NewReader(raw), int64(len(raw)), Options{})
		if err != nil || !bytes.Equal(r.CacheRecord(), m.CacheRecord()) {
			t.Errorf("%s: ParseReader differs, %v", name, err)
		}
	}
}

// TestDeepNesting: hostile nesting ends at a limit.
func TestDeepNesting(t *testing.T) {
	raw := []byte(strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 5000) + "end")
	m, err := Parse(raw, Options{})
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for b := &m.root; b != nil; b = b.inner {
		depth++
	}
	if depth < 1000 || depth > maxDepth+2 {
		t.Errorf("depth %d", depth)
	}
	c, _, err := ParseCache(m.CacheRecord(), CacheVersion)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sections(); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	raw := []byte("A: 1\r\nB: 2\r\nSubject: late\r\nFrom: =?utf-8?q?=C3=A9?= \xc3\xa9 <a@b>\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n" +
		"--AB\r\n\r\nx\r\n--A--\r\n")
	m, _ := Parse(raw, Options{MaxHeaderLines: 1})
	if m.root.env.subject != nil || m.MessageID() != "" {
		t.Error("MaxHeaderLines has no effect")
	}
	m, _ = Parse(raw, Options{RFC2047UTF8: true})
	c, _, _ := ParseCache(m.CacheRecord(), CacheVersion)
	if got := string(c.Item(ItemFrom)); got != "\"é é\" <a@b>" {
		t.Errorf("RFC2047UTF8: %q", got)
	}
	if len(m.root.parts) != 0 {
		t.Error("boundary A matched AB")
	}
	m, _ = Parse(raw, Options{RFC2046Strict: true})
	if len(m.root.parts) != 1 {
		t.Error("RFC2046Strict has no effect")
	}
	m, _ = Parse(raw, Options{RFC2046Strict: true, BoundaryLimit: 1})
	if len(m.root.parts) != 0 {
		t.Error("BoundaryLimit has no effect")
	}
}

// benchMail is a mail of 100 KB with two short texts and an attachment.
func benchMail() []byte {
	var b bytes.Buffer
	b.WriteString("Return-Path: <a@example.com>\r\nReceived: from mx.example.com (mx.example.com [192.0.2.1])\r\n" +
		"\tby mail.example.org (Cyrus) with LMTPA;\r\n\tMon, 01 Jan 2024 12:00:00 +0000\r\nX-Sieve: CMU Sieve 3.0\r\n" +
		"From: =?utf-8?q?Andr=C3=A9?= <andre@example.com>\r\nTo: Somebody Else <s@example.org>, other@example.org\r\n" +
		"Cc: list@example.org\r\nSubject: =?utf-8?q?R=C3=A9sum=C3=A9?= of the meeting\r\nDate: Mon, 1 Jan 2024 12:34:56 +0100\r\n" +
		"Message-ID: <20240101.123456@example.com>\r\nReferences: <1@example.com>\r\n <2@example.com>\r\n" +
		"List-Id: <list.example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_outer\"\r\n\r\n" +
		"--=_outer\r\nContent-Type: multipart/alternative; boundary=\"=_inner\"\r\n\r\n" +
		"--=_inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	for range 40 {
		b.WriteString("This is a line of text with an =C3=A9 and so on, as they are.\r\n")
	}
	b.WriteString("--=_inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n")
	for range 40 {
		b.WriteString("<p>This is a line of text and so on, as they are.</p>\r\n")
	}
	b.WriteString("--=_inner--\r\n--=_outer\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=\"a.pdf\"\r\n\r\n")
	for b.Len() < 100<<10 {
		b.WriteString("VGhpcyBpcyBhIGxpbmUgb2YgdGV4dCB3aXRoIGFuIGFuZCBzbyBvbiwgYXMgdGhleSBhcmUuYWJj\r\n")
	}
	b.WriteString("--=_outer--\r\n")
	return b.Bytes()
}

// BenchmarkParse has what is done at each delivery. BenchmarkSHA1 is the part
// of it that is SHA-1.
func BenchmarkParse(b *testing.B) {
	raw := benchMail()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := Parse(raw, Options{})
		if err != nil {
			b.Fatal(err)
		}
		m.CacheRecord()
	}
}

func BenchmarkParseReader(b *testing.B) {
	raw := benchMail()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := ParseReader(bytes.NewReader(raw), int64(len(raw)), Options{})
		if err != nil {
			b.Fatal(err)
		}
		m.CacheRecord()
	}
}

func BenchmarkSHA1(b *testing.B) {
	raw := benchMail()
	for b.Loop() {
		_ = sha1.Sum(raw)
		_ = sha1.Sum(raw[:len(raw)*3/4])
	}
}

func BenchmarkCopier(b *testing.B) {
	raw := benchMail()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		w := NewCopier(io.Discard, CopyOptions{Mode: Repair, Munge8bit: true})
		for rest := raw; len(rest) > 0; {
			n := min(8192, len(rest))
			w.Write(rest[:n])
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
