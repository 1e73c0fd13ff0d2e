package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/libcyrus/errs"
)

// TestContract does the same on the real file system and in memory.
func TestContract(t *testing.T) {
	for name, fsys := range map[string]FS{"os": OS(), "mem": NewMem(), "strict": NewStrictMem()} {
		t.Run(name, func(t *testing.T) { contract(t, fsys, t.TempDir()) })
	}
}

func contract(t *testing.T, fsys FS, dir string) {
	check := func(what string, err error, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	p := func(name string) string { return filepath.Join(dir, name) }
	check("mkdir", fsys.MkdirAll(p("a/b"), 0o700), nil)
	check("mkdir again", fsys.MkdirAll(p("a/b"), 0o700), nil)
	_, err := fsys.Open(p("a/none"))
	check("open nothing", err, fs.ErrNotExist)
	_, err = fsys.OpenFile(p("none/x"), os.O_CREATE|os.O_RDWR, 0o600)
	check("create in nothing", err, fs.ErrNotExist)

	f, err := fsys.OpenFile(p("a/f"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	check("create", err, nil)
	_, err = fsys.OpenFile(p("a/f"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	check("create again", err, fs.ErrExist)
	io.WriteString(f, "hello")
	f.WriteAt([]byte("J"), 0)
	f.WriteAt([]byte("x"), 7)
	f.Seek(1, io.SeekStart)
	rest, err := io.ReadAll(f)
	check("read", err, nil)
	if string(rest) != "ello\x00\x00x" {
		t.Errorf("read %q", rest)
	}
	check("truncate", f.Truncate(3), nil)
	check("grow", f.Truncate(4), nil)
	_, err = f.ReadAt(make([]byte, 10), 2)
	check("short read", err, io.EOF)
	check("sync", f.Sync(), nil)
	check("datasync", f.Datasync(), nil)
	b, err := ReadFile(fsys, p("a/f"))
	check("read all", err, nil)
	if string(b) != "Jel\x00" {
		t.Errorf("file has %q", b)
	}

	check("link", fsys.Link(p("a/f"), p("a/b/g")), nil)
	check("link again", fsys.Link(p("a/f"), p("a/b/g")), fs.ErrExist)
	check("symlink", fsys.Symlink("f", p("a/s")), nil)
	if target, err := fsys.Readlink(p("a/s")); target != "f" || err != nil {
		t.Errorf("Readlink = %q, %v", target, err)
	}
	one, _ := f.Stat()
	for _, name := range []string{"a/f", "a/b/g", "a/s", "a/b/../f"} {
		fi, err := fsys.Stat(p(name))
		check("stat "+name, err, nil)
		if Inode(fi) != Inode(one) || Links(fi) != 2 || fi.Size() != 4 {
			t.Errorf("%s: inode %d, %d links, size %d", name, Inode(fi), Links(fi), fi.Size())
		}
	}
	when := time.Unix(1e9, 0)
	check("chtimes", fsys.Chtimes(p("a/f"), when), nil)
	if fi, _ := fsys.Stat(p("a/b/g")); !fi.ModTime().Equal(when) {
		t.Errorf("mtime %v", fi.ModTime())
	}
	if fi, _ := fsys.Lstat(p("a/s")); fi.Mode()&fs.ModeSymlink == 0 {
		t.Error("Lstat follows links")
	}
	check("rename", fsys.Rename(p("a/b/g"), p("a/h")), nil)
	check("rename nothing", fsys.Rename(p("a/b/g"), p("a/h")), fs.ErrNotExist)
	check("remove full dir", fsys.Remove(p("a")), syscall.ENOTEMPTY)
	check("remove dir", fsys.Remove(p("a/b")), nil)
	check("syncdir", fsys.SyncDir(p("a")), nil)
	var names []string
	list, err := fsys.ReadDir(p("a"))
	check("readdir", err, nil)
	for _, e := range list {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"f", "h", "s"}) {
		t.Errorf("directory has %q", names)
	}
	for _, name := range names {
		check("remove", fsys.Remove(p("a/"+name)), nil)
	}
	if fi, _ := f.Stat(); Links(fi) != 0 {
		t.Errorf("removed file has %d names", Links(fi))
	}
	check("close", f.Close(), nil)
	_, err = f.ReadAt(b, 0)
	check("read closed", err, fs.ErrClosed)

	f, _ = fsys.OpenFile(p("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	io.WriteString(f, "a")
	io.WriteString(f, "b")
	f.Close()
	f, _ = fsys.Open(p("log"))
	if _, err := f.Write(b); err == nil {
		t.Error("a file open for reading was written")
	}
	f.Close()
	if b, _ := ReadFile(fsys, p("log")); string(b) != "ab" {
		t.Errorf("appended %q", b)
	}
}

func TestFaultsOfReplace(t *testing.T) {
	for _, fresh := range []func() *Mem{NewMem, NewStrictMem} {
		for _, failing := range []func(FS, int) FS{FailAt, FailFrom} {
			replaceFaults(t, fresh, failing)
		}
	}
}

// replaceFaults makes each operation of ReplaceSync fail in turn, and looks
// at the result both with and without a power cut after it.
func replaceFaults(t *testing.T, fresh func() *Mem, failing func(FS, int) FS) {
	const name, old, new = "cyrus.header", "old", "new and longer"
	for i := 0; ; i++ {
		m := fresh()
		if err := ReplaceSync(m, name, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		err := ReplaceSync(failing(m, i), name, []byte(new), 0o600)
		for _, d := range []*Mem{m, m.Crash(0), m.Crash(1), m.Crash(2), m.Crash(3)} {
			got, rerr := d.ReadFile(name)
			ok := string(got) == new || (err != nil && string(got) == old)
			if rerr != nil || !ok {
				t.Errorf("fault %d: ReplaceSync = %v; then read %q, %v", i, err, got, rerr)
			}
		}
		if err == nil {
			return // no operation is left to fail
		}
		if !errors.Is(err, ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
}

// TestReplaceCleansUp: after a single failure no temporary file is left.
func TestReplaceCleansUp(t *testing.T) {
	for i := 0; ; i++ {
		m := NewMem()
		err := Replace(FailAt(m, i), "x", []byte("new"), 0o600)
		if _, rerr := m.ReadFile("x" + NewSuffix); rerr == nil {
			t.Errorf("fault %d: temporary file left", i)
		}
		if err == nil {
			return
		}
	}
}

// TestNames says which names are there after a power cut.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		what         string
		do           func(m *Mem)
		lost         string // after losing all that is unsynced
		lostStrict   string
		alsoPossible []string // results that some seed must give
	}{
		{"created", func(m *Mem) { m.OpenFile("a", os.O_CREATE|os.O_RDWR, 0o600) }, "", "", []string{"a"}},
		{"file synced", func(m *Mem) {
			f, _ := m.OpenFile("a", os.O_CREATE|os.O_RDWR, 0o600)
			f.Sync()
		}, "a", "", nil},
		{"directory synced", func(m *Mem) {
			m.OpenFile("a", os.O_CREATE|os.O_RDWR, 0o600)
			m.SyncDir("/")
		}, "a", "a", nil},
		{"renamed", func(m *Mem) {
			m.WriteFile("a", nil)
			m.Rename("a", "b")
		}, "a", "a", []string{"b"}},
		{"renamed, then synced", func(m *Mem) {
			m.WriteFile("a", nil)
			m.Rename("a", "b")
			m.SyncDir("/")
		}, "b", "b", nil},
		{"renamed, then file synced", func(m *Mem) {
			m.WriteFile("a", nil)
			m.Rename("a", "b")
			f, _ := m.Open("b")
			f.Sync()
		}, "b", "a", nil},
		{"removed", func(m *Mem) {
			m.WriteFile("a", nil)
			m.Remove("a")
		}, "a", "a", []string{""}},
		{"across directories, one synced", func(m *Mem) {
			m.WriteFile("d/a", nil)
			m.WriteFile("e/x", nil)
			m.Rename("d/a", "e/a")
			m.SyncDir("e")
		}, "d/a e/a e/x", "d/a e/a e/x", []string{"e/a e/x"}},
		{"removed and made anew", func(m *Mem) {
			m.WriteFile("a", nil)
			m.Remove("a")
			m.OpenFile("a", os.O_CREATE|os.O_RDWR, 0o600)
			m.SyncDir("/")
		}, "a", "a", nil},
	} {
		for i, m := range []*Mem{NewMem(), NewStrictMem()} {
			c.do(m)
			want := []string{c.lost, c.lostStrict}[i]
			if got := names(m.Crash(0)); got != want {
				t.Errorf("%s (strict %d): left %q, want %q", c.what, i, got, want)
			}
			seen := map[string]bool{}
			for seed := uint64(1); seed < 40; seed++ {
				seen[names(m.Crash(seed))] = true
			}
			for _, p := range c.alsoPossible {
				if !seen[p] {
					t.Errorf("%s (strict %d): %q never happens, only %v", c.what, i, p, seen)
				}
			}
		}
	}
}

// names lists all files.
func names(m *Mem) string {
	var out []string
	var walk func(dir string)
	walk = func(dir string) {
		list, _ := m.ReadDir(dir)
		for _, e := range list {
			p := filepath.Join(dir, e.Name())
			if e.IsDir() {
				walk(p)
			} else {
				out = append(out, strings.TrimPrefix(p, "/"))
			}
		}
	}
	walk("/")
	return strings.Join(out, " ")
}

// TestPages: of an unsynced write any subset of its pages is on disk.
func TestPages(t *testing.T) {
	m := NewMem()
	m.WriteFile("f", []byte(strings.Repeat("o", 3*pageSize)))
	f, _ := m.OpenFile("f", os.O_RDWR, 0)
	f.WriteAt([]byte(strings.Repeat("n", 2*pageSize)), 100)
	seen := map[string]int{}
	for seed := range uint64(200) {
		b, _ := m.Crash(seed).ReadFile("f")
		if len(b) != 3*pageSize {
			t.Fatalf("size %d", len(b))
		}
		seen[fmt.Sprintf("%c%c%c%c", b[0], b[100], b[pageSize], b[2*pageSize])]++
	}
	if len(seen) != 8 || seen["oooo"] == 0 || seen["onnn"] == 0 {
		t.Errorf("outcomes: %v", seen)
	}
	f.Sync()
	if b, _ := m.Crash(0).ReadFile("f"); b[pageSize] != 'n' {
		t.Error("Sync did not keep the write")
	}
	f.Truncate(10)
	f.WriteAt([]byte("z"), pageSize)
	sizes := map[int]bool{}
	for seed := range uint64(50) {
		b, _ := m.Crash(seed).ReadFile("f")
		sizes[len(b)] = true
	}
	if len(sizes) != 3 {
		t.Errorf("sizes after truncation: %v", sizes)
	}
}

func TestSameSeedSameCrash(t *testing.T) {
	m := NewMem()
	for i := range 20 {
		f, _ := m.OpenFile(fmt.Sprint(i), os.O_CREATE|os.O_RDWR, 0o600)
		f.Write(make([]byte, 3*pageSize))
	}
	for seed := range uint64(5) {
		a, b := m.Crash(seed), m.Crash(seed)
		if names(a) != names(b) {
			t.Fatal("a seed gives different results")
		}
	}
}

func TestError(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, c := range []struct {
		err  error
		want errs.Kind
	}{
		{full, errs.DiskFull},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}, errs.DiskFull},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.EIO}, errs.IO},
		{errs.New(errs.Locked, "lock", "x", nil), errs.Locked},
	} {
		if got := errs.KindOf(Error("disk", "x", c.err)); got != c.want {
			t.Errorf("%v is %v", c.err, got)
		}
	}
	if Error("disk", "x", nil) != nil {
		t.Error("nil has become an error")
	}
}

func TestShortWriteIsInjected(t *testing.T) {
	m := NewMem()
	f, err := FailAt(m, 1).OpenFile("f", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.Write(make([]byte, 3*pageSize))
	if n != pageSize || !errors.Is(err, ErrInjected) {
		t.Errorf("Write = %d, %v", n, err)
	}
}
