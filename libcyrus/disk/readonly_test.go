package disk

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestReadOnly(t *testing.T) {
	m := NewMem()
	if err := errors.Join(m.MkdirAll("/a", 0o700), m.MkdirAll("/tmp", 0o700), m.WriteFile("/a/f", []byte("text"))); err != nil {
		t.Fatal(err)
	}
	r := ReadOnly(m, "/tmp/")
	f, err := r.OpenFile("/a/f", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, write := f.Write([]byte("x"))
	_, writeAt := f.WriteAt([]byte("x"), 0)
	_, create := r.OpenFile("/a/f", os.O_RDWR|os.O_TRUNC, 0o600)
	for what, err := range map[string]error{
		"write": write, "writeat": writeAt, "truncate": f.Truncate(0), "open": create,
		"mkdir": r.MkdirAll("/a/b", 0o700), "rename": r.Rename("/a/f", "/tmp/f"), "link": r.Link("/a/f", "/a/g"),
		"symlink": r.Symlink("f", "/a/g"), "remove": r.Remove("/a/f"), "chtimes": r.Chtimes("/a/f", time.Now()),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := r.Link("/a/f", "/tmp/g"); err != nil {
		t.Error(err)
	}
	if _, err := r.OpenFile("/a/new", os.O_RDWR|os.O_CREATE, 0o600); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a new file: %v", err)
	}
	if b, err := ReadFile(r, "/a/f"); string(b) != "text" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
