//go:build reference

package restore

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// TestDecodeSpool lets the independent decoder check every file of sites that
// were restored from the samples.
func TestDecodeSpool(t *testing.T) {
	for name, flags := range map[string][]string{data.ByID: nil, data.Legacy: {"--fulldirhash"}} {
		t.Run(name, func(t *testing.T) {
			s := sample(t, name)
			_, from := taken(t, s)
			to := emptyLike(t, s)
			run(t, Options{Site: to, From: from}, func(r *Run) error { return r.All(t.Context()) })
			root := filepath.Dir(filepath.Dir(to.Config.Path()))
			out, err := exec.Command("../../test/bin/decode-spool", append([]string{"verify", root}, flags...)...).CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "RESULT OK\n") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
