package transcript

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// write makes the file; a name that ends in a slash is a folder.
func (f File) write(path string) error {
	if !strings.HasSuffix(f.Name, "/") {
		return os.WriteFile(path, []byte(f.Text), 0o644)
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777) // whatever the umask says
}

// A File is what "# file:" asks for: something that an option names.
type File struct {
	Name string // below the folder $FILES
	Text string
}

// parseFile parses what follows "# file: ": a name and the text in Go's quoting.
func parseFile(s string) (f File, err error) {
	name, quoted, _ := strings.Cut(s, " ")
	if f.Text, err = strconv.Unquote(quoted); err != nil || !filepath.IsLocal(name) {
		return f, fmt.Errorf("file: want NAME \"text\"")
	}
	f.Name = name
	return f, nil
}

// Place writes the files of t into dir, which anybody may write to afterwards
// (the recorded server is another user), and puts dir where the
// configuration says $FILES. It is called once, before the server starts.
func (t *Transcript) Place(dir string) error {
	if err := os.Chmod(dir, 0o777); err != nil {
		return err
	}
	for _, f := range t.Files {
		if err := f.write(filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	for i, line := range t.Config {
		t.Config[i] = strings.ReplaceAll(line, "$FILES", dir)
	}
	return nil
}
