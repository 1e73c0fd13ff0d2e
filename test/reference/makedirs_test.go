//go:build reference

package reference

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gocyrus/test/server"
)

// TestMakedirs has Debian's makedirs and ours make the directories of the same
// configurations, over what is there already: names, modes and owners are the
// same.
func TestMakedirs(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(cyrusBin, "makedirs"))
	if err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string]string{
		"plain":  "",
		"hashed": "hashimapspool: yes\npartition-second: DIR/spool2/deep\n",
	} {
		for _, args := range [][]string{nil, {"--cleansquat"}} {
			t.Run(fmt.Sprint(name, args), func(t *testing.T) {
				var trees [2][]string
				var said [2]string
				for i := range trees {
					dir := t.TempDir()
					text := strings.ReplaceAll("configdirectory: DIR/conf\npartition-default: DIR/spool\nsievedir: DIR/sieve\ndefaultpartition: default\n"+lines, "DIR", dir)
					put := func(path, text string) {
						path = filepath.Join(dir, path)
						if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
							t.Fatal(err)
						}
						if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
							t.Fatal(err)
						}
					}
					put("imapd.conf", text)
					put("conf/user/a/alice.sub", "")
					put("spool/user/alice/cyrus.squat", "")
					put("sieve/a/alice/main.bc", "")
					cmd := exec.Command(filepath.Join(server.Bin(t), "makedirs"), append(slices.Clone(args), "-C", filepath.Join(dir, "imapd.conf"))...)
					if i == 0 {
						conf := "CONF=" + filepath.Join(dir, "imapd.conf")
						put("makedirs", strings.Replace(strings.Replace(string(script), "CONF=/etc/imapd.conf", conf, 1), "CYRUSOPTFILESYS=1", "CYRUSOPTFILESYS=0", 1))
						cmd = exec.Command("sh", append([]string{"-e", filepath.Join(dir, "makedirs")}, args...)...)
					}
					out, err := cmd.CombinedOutput()
					if err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
					said[i] = strings.ReplaceAll(string(out), dir, "DIR")
					for _, top := range []string{"conf", "spool", "spool2", "sieve"} {
						trees[i] = append(trees[i], treeOf(t, dir, top)...)
					}
				}
				if said[0] != said[1] {
					t.Errorf("real %s\nours %s", said[0], said[1])
				}
				for _, l := range trees[0] {
					if !slices.Contains(trees[1], l) {
						t.Errorf("real only: %s", l)
					}
				}
				for _, l := range trees[1] {
					if !slices.Contains(trees[0], l) {
						t.Errorf("ours only: %s", l)
					}
				}
				if len(trees[0]) < 100 {
					t.Errorf("%d names", len(trees[0]))
				}
			})
		}
	}
}

// treeOf is names, modes and owners below a directory.
func treeOf(t *testing.T, dir, top string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, top), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			st := fi.Sys().(*syscall.Stat_t)
			all = append(all, fmt.Sprintf("%s %v %d %d", strings.TrimPrefix(path, dir), fi.Mode(), st.Uid, st.Gid))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}
