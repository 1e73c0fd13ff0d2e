package main

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net"
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
