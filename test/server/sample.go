package server

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Unpack makes a site of one of the sample spools that a real Cyrus wrote
// (test/data). Passwords are "pw-" and the name.
func Unpack(tb testing.TB, sample string, shared bool) *Site {
	tb.Helper()
	s := New(tb, Options{Shared: shared, Bare: true, Users: []string{}})
	for _, d := range []string{"conf", "spool"} {
		if err := os.RemoveAll(filepath.Join(s.Dir, d)); err != nil {
			tb.Fatal(err)
		}
	}
	root, err := Root()
	if err == nil {
		err = untar(filepath.Join(root, "test/data", sample+".tar.gz"), s.Dir)
	}
	if err != nil {
		tb.Fatal(err)
	}
	conf, err := os.ReadFile(filepath.Join(s.Dir, "etc/imapd.conf"))
	if err != nil {
		tb.Fatal(err)
	}
	lines := []string{strings.ReplaceAll(string(conf), "@ROOT@", s.Dir)}
	if os.Getuid() == 0 {
		lines = append(lines, "cyrus_user: root")
	}
	if shared {
		lines = append(lines, "mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat")
	}
	s.write("etc/imapd.conf", strings.Join(lines, "\n")+"\n")
	s.write("etc/cyrus.conf", s.cyrusConf(Options{}))
	return s
}

// untar unpacks an archive without its top folder.
func untar(name, dir string) error {
	f, err := os.Open(name)
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
		_, rest, ok := strings.Cut(h.Name, "/")
		if !ok || !filepath.IsLocal(rest) {
			continue
		}
		if err := extract(r, h, filepath.Join(dir, rest)); err != nil {
			return err
		}
	}
}

func extract(r io.Reader, h *tar.Header, path string) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, path)
	case tar.TypeLink:
		_, rest, _ := strings.Cut(h.Linkname, "/")
		return os.Link(filepath.Join(strings.TrimSuffix(path, strings.SplitN(h.Name, "/", 2)[1]), rest), path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(path, h.ModTime, h.ModTime)
}
