// Package data is two spools written by Cyrus 3.6.1, and what its tools and
// its IMAP server say about them.
package data

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The samples: with directories by unique id, by name, and the second as a
// Cyrus before 3.6 would have left it, with index files of all versions
// (libcyrus/site, TestMakeOldSample).
const (
	ByID   = "sample-spool"
	Legacy = "sample-legacy"
	Old    = "sample-old"
)

// Dir is where this package lies.
func Dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// Unpack puts a sample into a temporary directory and returns it, with etc,
// conf, spool, spool2, archive, sieve in it. In etc/*.conf its path is filled
// in.
func Unpack(t testing.TB, sample string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), sample)
	UnpackInto(t, sample, root)
	return root
}

// UnpackInto is Unpack for a directory of the caller's.
func UnpackInto(t testing.TB, sample, root string) {
	t.Helper()
	if err := unpack(filepath.Join(Dir(), sample+".tar.gz"), root); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"imapd.conf", "cyrus.conf"} {
		path := filepath.Join(root, "etc", name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "@ROOT@", root)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"run", "archive"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// Read returns a file of this package, such as "tools-output/quota.txt".
func Read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Dir(), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unpack unpacks an archive without its top folder.
func unpack(archive, root string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := write(root, h, r); err != nil {
			return err
		}
	}
}

// below is the place of a member of the archive.
func below(root, name string) string {
	_, rest, _ := strings.Cut(name, "/")
	return filepath.Join(root, filepath.FromSlash(rest))
}

// write makes one member of the archive, with its time but without owner.
func write(root string, h *tar.Header, r io.Reader) error {
	path := below(root, h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, path)
	case tar.TypeLink:
		return os.Link(below(root, h.Linkname), path)
	case tar.TypeReg:
	default:
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Chtimes(path, h.ModTime, h.ModTime)
}
