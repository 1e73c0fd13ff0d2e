package linewire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readers gives the input whole and in pieces of one octet.
var readers = map[string]func(io.Reader) io.Reader{
	"whole":  func(r io.Reader) io.Reader { return r },
	"octets": iotest.OneByteReader,
}

func TestLine(t *testing.T) {
	const limit = 10
	for how, wrap := range readers {
		r := NewReader(wrap(strings.NewReader("a\r\nbare\n\r\n12345678\r\n123456789\r\n"+strings.Repeat("x", 20000)+"\r\nafter\r\ncut")), limit)
		for _, want := range []any{"a", "bare", "", "12345678", ErrTooLong, ErrTooLong, "after", io.ErrUnexpectedEOF} {
			line, err := r.Line()
			r.Release()
			if e, ok := want.(error); ok {
				if !errors.Is(err, e) {
					t.Errorf("%s: Line = %q, %v; want %v", how, line, err, e)
				}
			} else if err != nil || string(line) != want {
				t.Errorf("%s: Line = %q, %v; want %q", how, line, err, want)
			}
		}
	}
	if _, err := NewReader(strings.NewReader(""), limit).Line(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ command, in, want string }{
		{"DATA\r\n", ".\r\n", ""},
		{"DATA\r\n", "a\r\n.\r\n", "a\r\n"},
		{"DATA\r\n", "..\r\n.x\r\n.\r\n", ".\r\nx\r\n"},
		{"DATA\r\n", "a\n.b\n.\r\nc\r\n.\r\n", "a\nb\n\r\nc\r\n"}, // bare LF: the dots are stuffing, no end
		{"DATA\r\n", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"},
		{"DATA\r\n", "a\r.\r\n.\r\n", "a\r.\r\n"},
		{"DATA\n", "a\n..b\n.\n", "a\n.b\n"},
	} {
		for how, wrap := range readers {
			r := NewReader(wrap(strings.NewReader(c.command+c.in+"NEXT\r\n")), 100)
			if _, err := r.Line(); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := r.Body(&b); err != nil || b.String() != c.want {
				t.Errorf("%s: Body of %q = %q, %v; want %q", how, c.in, b.String(), err, c.want)
			}
			if line, err := r.Line(); err != nil || string(line) != "NEXT" {
				t.Errorf("%s: after %q: %q, %v", how, c.in, line, err)
			}
		}
	}
}

func TestBodyCutOff(t *testing.T) {
	r := NewReader(strings.NewReader("a\r\n.\r"), 100)
	if err := r.Body(io.Discard); err != io.ErrUnexpectedEOF {
		t.Errorf("a text without end: %v", err)
	}
}

func TestBodyWriterFails(t *testing.T) {
	full := errors.New("disk full")
	r := NewReader(strings.NewReader(strings.Repeat("x\r\n.y\r\n", 5000)+".\r\nNEXT\r\n"), 100)
	if err := r.Body(writerFunc(func([]byte) (int, error) { return 0, full })); err != full {
		t.Errorf("Body = %v, want %v", err, full)
	}
	if line, err := r.Line(); err != nil || string(line) != "NEXT" {
		t.Errorf("the dialog does not go on: %q, %v", line, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestDotWriter(t *testing.T) {
	for in, want := range map[string]string{
		"":               ".\r\n",
		"a\r\n":          "a\r\n.\r\n",
		".\r\n..\r\nx.y": "..\r\n...\r\nx.y\r\n.\r\n",
		"a\r\n.":         "a\r\n..\r\n.\r\n",
	} {
		for _, size := range []int{1, 2, 3, 100} {
			var b bytes.Buffer
			w := NewWriter(&b)
			d := w.Dot()
			for rest := []byte(in); len(rest) > 0; {
				n := min(size, len(rest))
				_, _ = d.Write(rest[:n])
				rest = rest[n:]
			}
			d.Close()
			if err := w.Flush(); err != nil || b.String() != want {
				t.Errorf("%q in pieces of %d became %q, want %q", in, size, b.String(), want)
			}
		}
	}
}

func TestWriterErrorSticks(t *testing.T) {
	gone, writes := errors.New("gone"), 0
	w := NewWriter(writerFunc(func([]byte) (int, error) { writes++; return 0, gone }))
	for range 10000 {
		w.Line("250 ok")
	}
	if err := w.Flush(); err != gone || writes != 1 {
		t.Errorf("Flush = %v after %d writes", err, writes)
	}
}

// FuzzBody checks that what is stuffed comes back, however it is cut.
func FuzzBody(f *testing.F) {
	f.Add([]byte("a\r\n.b\r\n"), 3)
	f.Add([]byte(".\r\n.\r\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r"), nil), []byte("\n"), []byte("\r\n"))
		var wire bytes.Buffer
		w := NewWriter(&wire)
		d := w.Dot()
		_, _ = d.Write(text)
		d.Close()
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\r\n")) {
			text = append(text, "\r\n"...)
		}
		wire.WriteString("NEXT\r\n")
		r := NewReader(io.Reader(&chunks{wire.Bytes(), 1 + size&15}), 100)
		var got bytes.Buffer
		if err := r.Body(&got); err != nil || !bytes.Equal(got.Bytes(), text) {
			t.Fatalf("%q became %q, %v", text, got.Bytes(), err)
		}
		if line, err := r.Line(); err != nil || string(line) != "NEXT" {
			t.Fatalf("next line %q, %v", line, err)
		}
	})
}

// chunks reads b in pieces of n octets.
type chunks struct {
	b []byte
	n int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.n)], c.b)
	c.b = c.b[n:]
	return n, nil
}

// TestChunk reads lines and counted octets in turn, however they arrive.
func TestChunk(t *testing.T) {
	text := strings.Repeat(".\r\n\x00\n\r", 3000)
	for _, size := range []int{1, 3, 8191, 8192, 1 << 20} {
		r := NewReader(&chunks{[]byte("ONE\r\n" + text + "TWO\nTHREE\r\n"), size}, 100)
		var got bytes.Buffer
		for _, want := range []string{"ONE", "TWO", "THREE"} {
			if line, err := r.Line(); err != nil || string(line) != want {
				t.Fatalf("in pieces of %d: %q, %v, want %q", size, line, err, want)
			}
			n := map[string]int64{"ONE": int64(len(text))}[want]
			if err := r.Chunk(&got, n); err != nil || got.String() != text {
				t.Fatalf("in pieces of %d: %d octets, %v", size, got.Len(), err)
			}
		}
		if err := r.Chunk(io.Discard, 1); err != io.ErrUnexpectedEOF {
			t.Errorf("past the end: %v", err)
		}
	}
	full := errors.New("disk full")
	r := NewReader(strings.NewReader(text+"NEXT\r\n"), 100)
	if err := r.Chunk(writerFunc(func([]byte) (int, error) { return 0, full }), int64(len(text))); err != full {
		t.Errorf("Chunk = %v, want %v", err, full)
	}
	if line, err := r.Line(); err != nil || string(line) != "NEXT" {
		t.Errorf("the dialog does not go on: %q, %v", line, err)
	}
}

// FuzzReader checks that hostile input never loses sync or panics.
func FuzzReader(f *testing.F) {
	f.Add([]byte("LHLO x\r\nDATA\r\n.\r\n"), true)
	f.Fuzz(func(t *testing.T, in []byte, body bool) {
		r := NewReader(bytes.NewReader(in), 64)
		for {
			line, err := r.Line()
			if err != nil && err != ErrTooLong {
				return
			}
			if len(line) > 64 {
				t.Fatalf("line of %d octets", len(line))
			}
			if body && r.Body(io.Discard) != nil {
				return
			}
		}
	})
}

func BenchmarkBody(b *testing.B) {
	text := bytes.Repeat([]byte("This is a line of some words, as they stand in mail.\r\n"), 2000)
	text = append(text, ".\r\n"...)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := NewReader(bytes.NewReader(text), 1024).Body(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
