package main

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeflate talks through the layer to a peer that uses the standard
// library, in pieces of any size, in both directions.
func TestDeflate(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	rnd := rand.New(rand.NewPCG(1, 1))
	pieces := make([][]byte, 60)
	for i := range pieces {
		pieces[i] = bytes.Repeat([]byte("* 12 FETCH (FLAGS (\\Seen))\r\n"), rnd.IntN(3000))
		if i%7 == 0 {
			for j := range pieces[i] {
				pieces[i][j] = byte(rnd.Uint32())
			}
		}
	}
	go func() { // sends back what it gets
		r := flate.NewReader(there)
		w, _ := flate.NewWriter(there, flate.DefaultCompression)
		buf := make([]byte, 5000)
		for {
			n, err := r.Read(buf)
			if n > 0 {
				w.Write(buf[:n])
				w.Flush()
			}
			if err != nil {
				return
			}
		}
	}()
	d := newDeflate(here)
	sent := make(chan error, 1)
	go func() {
		for _, p := range pieces {
			if _, err := d.Write(p); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	want := bytes.Join(pieces, nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(d, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("what came back is not what was sent")
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if d.Buffered() {
		t.Error("everything is read, and something is left")
	}
}

// TestPartialFlush gives a stream octet by octet: what is decompressed is known
// as soon as its last bit is there, which a client relies on that flushes with
// zlib's Z_PARTIAL_FLUSH. The streams were made by zlib with levels 1 and 9.
func TestPartialFlush(t *testing.T) {
	for name, want := range map[string]string{
		"partial.deflate": "3 NAMESPACE\r\n4 NOOP\r\n5 FETCH 1:* (FLAGS)\r\n",
		"dynamic.deflate": strings.Repeat("7 UID FETCH 1:* (FLAGS BODY.PEEK[HEADER])\r\n8 NOOP\r\n", 40),
	} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		f := &inflater{}
		var got []byte
		buf := make([]byte, 100)
		for _, c := range raw {
			f.add([]byte{c})
			if err := f.advance(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, buf[:f.read(buf)]...)
		}
		for f.waiting > 0 {
			got = append(got, buf[:f.read(buf)]...)
		}
		if string(got) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// FuzzInflate compares what anything decompresses to with what the standard
// library makes of it, whatever the pieces are that it comes in.
func FuzzInflate(f *testing.F) {
	f.Add([]byte{0x4a, 0x04, 0x00, 0x00, 0x00, 0xff, 0xff}, uint8(1))
	f.Add([]byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, uint8(3))
	f.Fuzz(func(t *testing.T, raw []byte, piece uint8) {
		want, werr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), 1<<20))
		x := &inflater{}
		var got []byte
		buf := make([]byte, 1000)
		var err error
		for rest := raw; len(got) < 1<<20; {
			err = x.advance()
			n := x.read(buf)
			got = append(got, buf[:n]...)
			if n > 0 {
				continue
			}
			if err != nil || len(rest) == 0 {
				break
			}
			k := min(len(rest), int(piece)+1)
			x.add(rest[:k])
			rest = rest[k:]
		}
		got = got[:min(len(got), 1<<20)]
		if werr == nil && len(want) < 1<<20 && (err != io.EOF || !bytes.Equal(got, want)) {
			t.Errorf("%q, %v; the standard library: %q", got, err, want)
		}
		if !bytes.HasPrefix(got, want) {
			t.Errorf("%q does not begin with %q", got, want)
		}
	})
}

// FuzzDeflate reads anything as compressed input.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte{0, 1, 2})
	f.Add([]byte{0x4a, 0x04, 0x00, 0x00, 0x00, 0xff, 0xff})
	f.Fuzz(func(_ *testing.T, b []byte) {
		d := newDeflate(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(b), io.Discard})
		io.Copy(io.Discard, io.LimitReader(d, 1<<20))
	})
}
