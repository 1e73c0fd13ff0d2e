package message

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"gocyrus/libcyrus/errs"
)

// copyCase is a message given to a real Cyrus 3.6.1, and what it did. Strings
// hold octets as the characters of the same number.
type copyCase struct {
	Mode   string  // append or lmtp
	Config string  // default, keep8bit (munge8bit: no), reject8bit (reject8bit: yes)
	Input  string  // for lmtp without dot-stuffing
	Reply  string  // the text of the refusal, or ""
	Stored *string // the message as stored; for lmtp without the fields put in front
}

func octets(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

func copyCases(t *testing.T) (cases []copyCase) {
	t.Helper()
	f, err := os.Open("testdata/copy.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); ; {
		var c copyCase
		if err := d.Decode(&c); err == io.EOF {
			return cases
		} else if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
}

func (c copyCase) options() CopyOptions {
	o := CopyOptions{Reject8bit: c.Config == "reject8bit", Munge8bit: c.Config != "keep8bit"}
	if c.Mode == "lmtp" {
		o.Mode = Repair
		o.Drop = []string{"Return-Path"}
		o.HeaderDone = func(f *Fields) []byte {
			var b []byte
			if !f.Has("Message-ID") {
				b = append(b, "Message-ID: new\r\n"...)
			}
			if !f.Has("date") {
				b = append(b, "Date: new\r\n"...)
			}
			return b
		}
	}
	return o
}

// TestCopierAsCyrus checks every case whole, octet by octet, and in pieces.
func TestCopierAsCyrus(t *testing.T) {
	cases := copyCases(t)
	if len(cases) < 400 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		for _, step := range []int{1 << 20, 1, 7} {
			in := octets(c.Input)
			var out bytes.Buffer
			w := NewCopier(&out, c.options())
			for rest := in; len(rest) > 0; {
				n := min(step, len(rest))
				if _, err := w.Write(rest[:n:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			err := w.Close()
			if !bytes.Equal(in, octets(c.Input)) {
				t.Errorf("%s %.60q: the caller's octets were changed", c.Mode, c.Input)
			}
			if c.Stored == nil {
				if err == nil || errs.KindOf(err).String() != c.Reply {
					t.Errorf("%s %s %.60q: %v, want %q", c.Mode, c.Config, in, err, c.Reply)
				}
				continue
			}
			if want := octets(*c.Stored); err != nil || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s %s %.60q by %d: %v\n got  %.200q\n want %.200q", c.Mode, c.Config, in, step, err,
					out.Bytes(), want)
			}
			if w.Size() != int64(out.Len()) {
				t.Errorf("Size = %d, want %d", w.Size(), out.Len())
			}
		}
	}
}

func TestFields(t *testing.T) {
	w := NewCopier(io.Discard, CopyOptions{Mode: Repair, Drop: []string{"Return-Path"}})
	io.WriteString(w, "Return-Path: <a@b>\r\nReceived: one\r\nRECEIVED:two\r\n\tfolded\nSubject :  x \r\nEmpty:\r\n\r\nBody: no\r\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := w.Fields()
	if got := strings.Join(f.All("received"), "|"); got != "one|two\tfolded" {
		t.Errorf("Received = %q", got)
	}
	for name, want := range map[string]string{"return-path": "<a@b>", "SUBJECT": "x ", "empty": "", "body": ""} {
		if got := f.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !f.Has("Empty") || f.Has("Body") || f.All("body") != nil {
		t.Error("Has or All is wrong")
	}
	names := ""
	f.Each(func(name, _ string) { names += name + " " })
	if names != "return-path received received subject empty " {
		t.Errorf("names %q", names)
	}
}

// TestCopierLimits: neither an endless field nor an endless header fills the
// memory.
func TestCopierLimits(t *testing.T) {
	w := NewCopier(io.Discard, CopyOptions{Mode: Repair})
	for range 3 * maxField / 1000 {
		w.Write(bytes.Repeat([]byte("x"), 1000))
	}
	if len(w.held) > maxField+1000 {
		t.Errorf("%d octets held", len(w.held))
	}
	if err := w.Close(); !errs.Is(err, errs.BadHeader) {
		t.Error(err)
	}
	w = NewCopier(io.Discard, CopyOptions{Mode: Repair})
	line := []byte("F: " + strings.Repeat("x", 995) + "\r\n")
	for range 2 * maxFields / 1000 {
		w.Write(line)
	}
	if err := w.Close(); err != nil || len(w.fields.list) > maxFields/1000 || w.Size() != int64(2*maxFields/1000*1000) {
		t.Errorf("%v, %d fields, %d octets", err, len(w.fields.list), w.Size())
	}
}

func TestCopierWriteError(t *testing.T) {
	full := errors.New("disk full")
	for _, m := range []CopyMode{Strict, Repair} {
		w := NewCopier(errWriter{full}, CopyOptions{Mode: m})
		_, err := io.WriteString(w, "Subject: x\r\n\r\nbody\r\n")
		if err != full || w.Close() != full {
			t.Errorf("mode %d: %v, %v", m, err, w.Close())
		}
	}
}

type errWriter struct{ err error }

func (w errWriter) Write([]byte) (int, error) { return 0, w.err }

func TestCopierAllowNUL(t *testing.T) {
	for in, kind := range map[string]errs.Kind{
		"S: x\r\n\r\na\x00b\nc\r\n": 0,
		"S: x\x00\r\n\r\nb\r\n":     errs.ContainsNUL,
		"S: x\n\r\nb\r\n":           errs.ContainsNL,
	} {
		var out bytes.Buffer
		w := NewCopier(&out, CopyOptions{AllowNUL: true})
		io.WriteString(w, in)
		err := w.Close()
		if kind != 0 && !errs.Is(err, kind) || kind == 0 && (err != nil || out.String() != in) {
			t.Errorf("%q: %v, %q", in, err, out.String())
		}
	}
}

// FuzzCopier: what Repair lets through has good lines and no NUL, however it
// came; what Strict lets through has the same octets.
func FuzzCopier(f *testing.F) {
	for _, s := range []string{"S: x\r\n\r\nb\r\n", "S: x\ny\n\nb\rc", "\r\r\n", "a:\r\n \r\n\r\n"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		run := func(o CopyOptions, step int) (string, error) {
			var out bytes.Buffer
			w := NewCopier(&out, o)
			for rest := in; len(rest) > 0; {
				n := min(step, len(rest))
				w.Write(rest[:n:n])
				rest = rest[n:]
			}
			err := w.Close()
			return out.String(), err
		}
		for _, o := range []CopyOptions{{}, {Mode: Repair}, {Mode: Repair, Munge8bit: true}} {
			a, aerr := run(o, len(in)+1)
			b, berr := run(o, 1+int(step))
			if (aerr == nil) != (berr == nil) || aerr == nil && a != b {
				t.Fatalf("whole %q, %v; by %d %q, %v", a, aerr, step, b, berr)
			}
			if aerr != nil {
				continue
			}
			if o.Mode == Strict && a != string(in) {
				t.Fatalf("%q became %q", in, a)
			}
			if strings.ContainsRune(a, 0) || o.Mode == Repair && !hasGoodLines([]byte(a)) {
				t.Fatalf("%q became %q", in, a)
			}
		}
	})
}

// TestStrictUTF8: a header in UTF-8, cut anywhere, and octets that are none.
func TestStrictUTF8(t *testing.T) {
	for text, want := range map[string]errs.Kind{
		"Subject: £ 台北 😀\r\n\r\n\xff":    0,
		"Subject: \xc3(\r\n\r\n":         errs.Contains8Bit,
		"Subject: \xfc\r\n\r\n":          errs.Contains8Bit,
		"Subject: \xe5\x8f\r\n\r\n":      errs.Contains8Bit,
		"Subject: x\r\nTo: \x80\r\n\r\n": errs.Contains8Bit,
	} {
		for at := range len(text) {
			var b strings.Builder
			c := NewCopier(&b, CopyOptions{Mode: Strict, UTF8: true, Munge8bit: true, Reject8bit: true})
			io.WriteString(c, text[:at])
			io.WriteString(c, text[at:])
			err := c.Close()
			if want == 0 && (err != nil || b.String() != text) || want != 0 && errs.KindOf(err) != want {
				t.Errorf("%q cut at %d: %q, %v", text, at, b.String(), err)
			}
		}
	}
}
