package snapshot

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// ManifestName is the name of the manifest in a snapshot.
const ManifestName = "manifest"

// format is the version of the manifest. A reader refuses a higher one.
const format = 1

// Head is the first line of a manifest.
type Head struct {
	Format     int               `json:"format"`
	Program    string            `json:"program"`
	Server     string            `json:"server"`
	Mode       string            `json:"mode"`    // own or shared
	Began      time.Time         `json:"began"`   // what was acknowledged before is in it
	Options    map[string]string `json:"options"` // of imapd.conf: what the layout and the names depend on
	Partitions []string          `json:"partitions"`
	Archives   []string          `json:"archives,omitempty"` // partitions with an archive partition
}

// File is a file of the snapshot that the index of no mailbox describes.
type File struct {
	Path  string `json:"path"` // below the snapshot
	Size  int64  `json:"size"`
	SHA1  string `json:"sha1,omitempty"` // in hex; none for a symbolic link
	Link  string `json:"link,omitempty"` // where a symbolic link leads
	Mtime int64  `json:"mtime"`          // of the original, nanoseconds since 1970
	Inode uint64 `json:"inode"`          // of the original
}

// Mailbox is a mailbox of the snapshot. Its messages are those of its index.
type Mailbox struct {
	Name     string   `json:"mailbox"`
	ID       string   `json:"id"`
	Dir      string   `json:"dir"`                // of its messages, below the snapshot
	Archive  string   `json:"archive,omitempty"`  // of its archived messages, if that is another one
	Messages int      `json:"messages"`           // files of messages
	Bytes    int64    `json:"bytes"`              // in them
	Missing  []uint32 `json:"missing,omitempty"`  // UIDs that had no file when the copy was made
	Files    []File   `json:"metadata,omitempty"` // Path is below the snapshot
}

// Tail is the last line. A manifest without it is not complete.
type Tail struct {
	End       bool      `json:"end"`
	Ended     time.Time `json:"ended"`
	Mailboxes int       `json:"mailboxes"`
	Messages  int       `json:"messages"`
	Bytes     int64     `json:"bytes"` // of messages
	SHA1      string    `json:"sha1"`  // of all lines before, in hex
}

// writer writes a manifest.
type writer struct {
	file disk.File
	buf  *bufio.Writer
	sum  hash.Hash
	tail Tail
}

func createManifest(fsys disk.FS, dir string, h *Head) (*writer, error) {
	f, err := fsys.OpenFile(filepath.Join(dir, ManifestName), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	w := &writer{file: f, sum: sha1.New()}
	w.buf = bufio.NewWriter(io.MultiWriter(f, w.sum))
	return w, w.line(h)
}

// line writes one line. An error of the disk comes at the end.
func (w *writer) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.buf.Write(append(b, '\n'))
	return err
}

func (w *writer) mailbox(m *Mailbox) error {
	w.tail.Mailboxes++
	w.tail.Messages += m.Messages
	w.tail.Bytes += m.Bytes
	return w.line(m)
}

// finish writes the last line and closes the file.
func (w *writer) finish(now time.Time) error {
	err := w.buf.Flush()
	if err == nil {
		w.tail.End, w.tail.Ended, w.tail.SHA1 = true, now, hex.EncodeToString(w.sum.Sum(nil))
		var b []byte
		if b, err = json.Marshal(&w.tail); err == nil {
			_, err = w.file.Write(append(b, '\n'))
		}
	}
	if err == nil {
		err = w.file.Sync()
	}
	return errors.Join(err, w.close())
}

func (w *writer) close() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}

// reading is what ReadManifest gives; each function may be nil.
type reading struct {
	file    func(*File) error
	mailbox func(*Mailbox) error
}

// maxLine is the longest line of a manifest: 100,000 missing messages fit.
const maxLine = 4 << 20

// damaged is the error of a manifest that cannot be used.
func damaged(path string, line int, format string, args ...any) error {
	return errs.New(errs.BadFormat, "snapshot.Manifest", path, fmt.Errorf("line %d: %w", line, fmt.Errorf(format, args...)))
}

// ReadManifest reads the manifest of the snapshot in dir, and calls fn with
// each File and Mailbox. What is not complete, or was changed, is an error of
// kind errs.BadFormat.
func ReadManifest(fsys disk.FS, dir string, file func(*File) error, mailbox func(*Mailbox) error) (*Head, *Tail, error) {
	path := filepath.Join(dir, ManifestName)
	f, err := fsys.Open(path)
	if err != nil {
		return nil, nil, disk.Error("snapshot.Manifest", path, err)
	}
	defer f.Close()
	h, t, err := parseManifest(f, path, reading{file, mailbox})
	return h, t, err
}

// parseManifest reads a manifest from in; path is for messages.
func parseManifest(in io.Reader, path string, fn reading) (*Head, *Tail, error) {
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, maxLine)
	sum := sha1.New()
	var head *Head
	n := 0
	for scan.Scan() {
		n++
		line := scan.Bytes()
		var v struct {
			Format  *int    `json:"format"`
			Path    *string `json:"path"`
			Mailbox *string `json:"mailbox"`
			End     bool    `json:"end"`
		}
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, nil, damaged(path, n, "%w", err)
		}
		if (head == nil) != (v.Format != nil) {
			return nil, nil, damaged(path, n, "the first line, and no other, must say the format")
		}
		var err error
		switch {
		case v.Format != nil:
			head, err = parseHead(line)
		case v.End:
			var t Tail
			if err = json.Unmarshal(line, &t); err == nil && t.SHA1 != hex.EncodeToString(sum.Sum(nil)) {
				err = errors.New("the manifest was changed: wrong SHA-1")
			}
			if err != nil {
				return nil, nil, damaged(path, n, "%w", err)
			}
			return head, &t, nil
		case v.Path != nil:
			var f File
			if err = json.Unmarshal(line, &f); err == nil && !filepath.IsLocal(f.Path) {
				err = fmt.Errorf("%q leads out of the snapshot", f.Path)
			}
			err = then(err, fn.file, &f)
		case v.Mailbox != nil:
			var m Mailbox
			if err = json.Unmarshal(line, &m); err == nil {
				err = m.check()
			}
			err = then(err, fn.mailbox, &m)
		}
		if err != nil {
			return nil, nil, damaged(path, n, "%w", err)
		}
		sum.Write(line)
		sum.Write([]byte{'\n'})
	}
	if err := scan.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return nil, nil, disk.Error("snapshot.Manifest", path, err)
	}
	return nil, nil, damaged(path, n, "the last line is missing: the snapshot is not complete")
}

func parseHead(line []byte) (*Head, error) {
	h := new(Head)
	if err := json.Unmarshal(line, h); err != nil {
		return nil, err
	}
	if h.Format < 1 || h.Format > format {
		return nil, fmt.Errorf("format %d is not known to this version", h.Format)
	}
	for _, p := range append(h.Partitions, h.Archives...) {
		if p == "" || !filepath.IsLocal(p) || filepath.Base(p) != p {
			return nil, fmt.Errorf("%q is no partition", p)
		}
	}
	return h, nil
}

// check refuses paths that lead out of the snapshot.
func (m *Mailbox) check() error {
	paths := []string{m.Dir}
	if m.Archive != "" {
		paths = append(paths, m.Archive)
	}
	for i := range m.Files {
		paths = append(paths, m.Files[i].Path)
	}
	for _, p := range paths {
		if !filepath.IsLocal(p) {
			return fmt.Errorf("%q leads out of the snapshot", p)
		}
	}
	return nil
}

func then[T any](err error, fn func(*T) error, v *T) error {
	if err != nil || fn == nil {
		return err
	}
	return fn(v)
}

// fileMode and dirMode are for what a snapshot is made of: mail is for
// nobody else.
const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)
