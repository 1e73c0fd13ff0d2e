package dbwire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/cyrusdb/kv"
)

func TestFrames(t *testing.T) {
	var b []byte
	payloads := [][]byte{{}, []byte("x"), bytes.Repeat([]byte("y"), 100000)}
	for i, p := range payloads {
		start := len(b)
		b = AppendHead(b, uint32(i), uint8(i+10))
		b = Finish(append(b, p...), start)
	}
	r := bufio.NewReader(bytes.NewReader(b))
	for i, p := range payloads {
		id, op, got, err := ReadFrame(r, make([]byte, 10))
		if err != nil || id != uint32(i) || op != uint8(i+10) || !bytes.Equal(got, p) {
			t.Errorf("frame %d: %d, %d, %d octets, %v", i, id, op, len(got), err)
		}
	}
	if _, _, _, err := ReadFrame(r, nil); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for text, want := range map[string]error{
		"\x00\x00\x00\x06\x00\x00\x00\x01\x03": io.ErrUnexpectedEOF,
		"\x00\x00":                             io.ErrUnexpectedEOF,
		"\xff\x00\x00\x00\x00\x00\x00\x01\x03": ErrTooLong,
	} {
		if _, _, _, err := ReadFrame(bufio.NewReader(strings.NewReader(text)), nil); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, _, err := ReadFrame(bufio.NewReader(strings.NewReader("\x00\x00\x00\x01\x00\x00\x00\x01\x03")), nil); err == nil {
		t.Error("a frame shorter than its head was read")
	}
}

func TestMessages(t *testing.T) {
	hello := HelloRequest{1, 3, ClientID{1, 2, 3}}
	var hello2 HelloRequest
	if !hello2.Decode(hello.Append(nil)) || hello2 != hello {
		t.Errorf("HelloRequest became %+v", hello2)
	}
	reply := HelloReply{1, FeatureFreeze, 4711, true, false, "site", 7}
	var reply2 HelloReply
	if !reply2.Decode(reply.Append(nil)) || reply2 != reply {
		t.Errorf("HelloReply became %+v", reply2)
	}
	req := CommitRequest{Seq: 1, Done: 2, Tx: kv.Tx{
		If:  []kv.Cond{{Key: []byte("a"), Value: nil}, {Key: []byte("b"), Value: []byte{}}},
		Set: []kv.KV{{Key: []byte("c"), Value: []byte("v")}, {Key: []byte("d"), Value: nil}},
	}}
	var req2 CommitRequest
	b := req.Append(nil, 'M')
	for i, c := range req.Tx.If {
		req.Tx.If[i].Key = append([]byte("M"), c.Key...)
	}
	for i, c := range req.Tx.Set {
		req.Tx.Set[i].Key = append([]byte("M"), c.Key...)
	}
	if !req2.Decode(b) || !reflect.DeepEqual(req2, req) {
		t.Errorf("CommitRequest became %+v", req2)
	}
	for i := range b {
		var cut CommitRequest
		if cut.Decode(b[:i]) {
			t.Errorf("%d of %d octets are a request", i, len(b))
		}
	}
	huge := binary.BigEndian.AppendUint32(make([]byte, 16), 1<<31)
	if req2.Decode(huge) {
		t.Error("2^31 conditions in no octets")
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(CommitRequest{Seq: 1, Tx: kv.Tx{Set: []kv.KV{{Key: []byte("c"), Value: []byte("v")}}}}.Append(nil, 'M'))
	f.Add(HelloRequest{1, 1, ClientID{}}.Append(nil))
	f.Add(HelloReply{Site: "x"}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		new(CommitRequest).Decode(b)
		new(HelloRequest).Decode(b)
		new(HelloReply).Decode(b)
		ReadFrame(bufio.NewReader(bytes.NewReader(b)), nil)
	})
}

// TestPage: a key's counter is odd while it changes, another number
// afterwards, and another one with a new server.
func TestPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	if _, err := OpenPage(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	server, err := CreatePage(path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := OpenPage(path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	a, b := []byte("a"), []byte("b")
	ga, gb, changes, others := client.Generation('M', a), client.Generation('M', b), client.Changes('M'), client.Changes('N')
	err = server.Change([][]byte{[]byte("Ma"), []byte("Ma")}, func() error {
		if client.Generation('M', a)&1 == 0 || client.Changes('M')&1 == 0 {
			t.Error("even during a change")
		}
		return io.EOF
	})
	if err != io.EOF {
		t.Error(err)
	}
	if g := client.Generation('M', a); g == ga || g&1 != 0 {
		t.Errorf("generation %d after %d", g, ga)
	}
	if client.Generation('M', b) != gb || client.Changes('N') != others {
		t.Error("something else has changed too")
	}
	if c := client.Changes('M'); c == changes || c&1 != 0 {
		t.Errorf("changes %d after %d", c, changes)
	}
	server.ChangeAll('N', func() error { return nil })
	if client.Generation('M', b) == gb || client.Changes('N') == others {
		t.Error("ChangeAll has not changed all")
	}
	// The server dies in the middle of a change.
	server.database('M').Store(server.database('M').Load() | 1)
	ga = client.Generation('M', a)
	server.Close()
	if server, err = CreatePage(path); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if g := client.Generation('M', a); g <= ga || g&1 != 0 || client.Changes('M')&1 != 0 {
		t.Errorf("with the next server: %d after %d, %d", g, ga, client.Changes('M'))
	}
}

func TestNotAPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	other := newPage()
	other[19]++ // the version
	for _, text := range []string{"x", string(other), strings.Repeat("x", pageFileSize)} {
		os.WriteFile(path, []byte(text), 0o600)
		if _, err := OpenPage(path); !errors.Is(err, ErrNoPage) {
			t.Errorf("%.20q: %v", text, err)
		}
		p, err := CreatePage(path)
		if text == string(other) {
			if b, _ := os.ReadFile(path); !errors.Is(err, ErrNoPage) || string(b) != text {
				t.Errorf("another version: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%.20q: %v", text, err)
			continue
		}
		p.Close()
	}
}

// TestPageCutOff: somebody makes the file shorter while it is mapped.
func TestPageCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	server, err := CreatePage(path)
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	client, err := OpenPage(path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	os.Truncate(path, 4096)
	odd := 0
	for i := range 100 {
		odd += int(client.Generation('M', []byte{byte(i)}) & 1)
	}
	if odd == 0 {
		t.Error("no fault was seen")
	}
	if server, err = CreatePage(path); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if g := client.Generation('M', []byte("k")); g&1 != 0 {
		t.Errorf("mended: %d", g)
	}
}

func BenchmarkGeneration(b *testing.B) {
	p, err := CreatePage(filepath.Join(b.TempDir(), "page"))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	key := []byte("Nuser\x1falice\x1fWork")
	for b.Loop() {
		p.Generation('M', key)
	}
}

// TestSocket: also in a directory whose name is too long for a socket.
func TestSocket(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("long/", 30))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "s")
		if _, err := Dial(path, time.Second); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no socket: %v", err)
		}
		for range 2 { // the second takes the place of the first
			l, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Dial(path, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			l.Close()
		}
	}
}
