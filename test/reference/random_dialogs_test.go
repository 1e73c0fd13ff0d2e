//go:build reference

package reference

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

var (
	dialogSeed   = flag.Uint64("dialog.seed", 1, "the first seed of TestRandomDialogs")
	dialogRounds = flag.Int("dialog.rounds", 20, "how many dialogs TestRandomDialogs makes, each from a seed of its own")
	dialogSteps  = flag.Int("dialog.steps", 60, "how many commands a dialog has")
	dialogConfig = flag.String("dialog.config", "", "options of imapd.conf for all servers, parted by semicolons")
	dialogOnly   = flag.String("dialog.only", "", "commands of the grammar that are made, parted by commas; \"\": all")
	dialogCrash  = flag.Bool("dialog.crashes", false, "print where the real imapd ended")
)

// TestRandomDialogs has chance make dialogs of several clients in lockstep,
// which a real Cyrus, ours in shared mode and ours in own mode answer. After
// each dialog all that can be asked about the mailboxes is asked. A dialog in
// which they differ is printed with what it needs to show the difference.
func TestRandomDialogs(t *testing.T) {
	var config []string
	for line := range strings.SplitSeq(*dialogConfig, ";") {
		if line = strings.TrimSpace(line); line != "" {
			config = append(config, line)
		}
	}
	trio := &trio{t: t, config: config, mask: dialogMasker(), seen: map[string]int{}}
	for from := 0; from < *dialogRounds; from += perSite {
		trio.some(from, min(from+perSite, *dialogRounds))
	}
	t.Logf("%d dialogs, %d commands, %d answered OK; the real imapd ended %d times", trio.rounds, trio.commands, trio.okay, trio.crashes)
	if trio.okay < trio.rounds*10 {
		t.Error("too few commands were answered OK: this shows nothing")
	}
}

// perSite is how many dialogs are made on the same sites.
const perSite = 20

// some plays dialogs on new sites, until the real Cyrus does not let go of a
// mailbox: its imapd leaves some halfway when it crashes.
func (tr *trio) some(from, to int) {
	t := tr.t
	theirs := server.New(t, server.Options{Shared: true, Config: tr.config})
	secrets(t, theirs, "user1", "user2", "user3", "cyrus")
	asCyrus(t, theirs)
	tr.stuck = false
	tr.servers = []*side{
		{name: "Cyrus", site: theirs},
		{name: "shared", site: server.Start(t, server.Options{Shared: true, Bare: true, Config: tr.config})},
		{name: "own", site: server.Start(t, server.Options{Bare: true, Config: tr.config})},
	}
	cyrusServes(t, theirs, func() {
		defer tr.hangUp()
		for n := from; n < to && !tr.stuck; n++ {
			tr.round(*dialogSeed + uint64(n))
		}
	})
	for _, s := range tr.servers[1:] {
		if !s.site.Stop(20 * time.Second) {
			t.Errorf("%s: master did not stop", s.name)
		}
	}
}

// round makes one dialog and plays it.
func (tr *trio) round(seed uint64) {
	g := newDialogs(seed, *dialogConfig)
	steps := g.dialog(*dialogSteps, *dialogOnly)
	tr.rounds++
	for _, d := range tr.play(steps) {
		key := d.signature()
		if tr.seen[key]++; tr.seen[key] > 1 {
			continue
		}
		shrunk, last := tr.shrink(steps[:min(d.at+1, len(steps))], d)
		tr.t.Errorf("seed %d: %s\n%s%s", seed, key, scriptOf(shrunk), last)
	}
}

// shrink drops steps while the same difference stays.
func (tr *trio) shrink(steps []asked, d *difference) ([]asked, *difference) {
	end := time.Now().Add(30 * time.Second)
	for size := len(steps) / 2; size > 0; size /= 2 {
		for from := 0; from < len(steps) && time.Now().Before(end); {
			fewer := append(append([]asked{}, steps[:from]...), steps[min(from+size, len(steps)):]...)
			again := tr.play(fewer)
			i := slices.IndexFunc(again, func(a *difference) bool { return a.signature() == d.signature() })
			if i < 0 {
				from += size
				continue
			}
			d = again[i]
			steps = fewer[:min(d.at+1, len(fewer))]
		}
	}
	return steps, d
}

// scriptOf is steps as they stand in a recording.
func scriptOf(steps []asked) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "  C%d: %q\n", s.conn, s.text)
	}
	return b.String()
}

func newDialogs(seed uint64, config string) *dialogs {
	return &dialogs{chance: &chance{rand.New(rand.NewPCG(seed, 11))}, alt: strings.Contains(config, "altnamespace: yes"), dots: strings.Contains(config, "unixhierarchysep: no")}
}
