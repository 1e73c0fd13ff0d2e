//go:build reference

package reference

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"gocyrus/test/corpus"
)

// recordLMTP writes test/corpus/testdata.
var recordLMTP = flag.Bool("record-lmtp", false, "write what a real lmtpd does with the corpus of test/corpus")

// TestLMTPCorpus delivers the corpus to a real Cyrus and to ours: both give
// the same answers and store the same octets, flags and dates.
func TestLMTPCorpus(t *testing.T) {
	cases := 0
	recorded := len(corpus.Groups())
	for i, g := range append(corpus.Groups(), corpus.More()...) {
		t.Run(g.Name, func(t *testing.T) {
			sink := corpus.NewSink(t)
			s := g.NewSite(t, sink.Addr)
			secrets(t, s, append([]string{"cyrus"}, g.Accounts()...)...)
			asCyrus(t, s)
			var want corpus.Outcome
			cyrusServes(t, s, func() { want = g.Run(t, s, sink) })
			cases += len(want.Lines)
			name := "../corpus/testdata/" + g.Name + ".txt"
			all := strings.Join(want.Lines, "\n") + "\n"
			if i >= recorded {
				t.Log("not recorded")
			} else if *recordLMTP {
				if err := os.WriteFile(name, []byte(all), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if recorded, err := os.ReadFile(name); err != nil || string(recorded) != all {
				t.Errorf("%s is not what Cyrus does: record it again (%v)", name, err)
			}
			ours := g.NewSite(t, sink.Addr)
			ours.Run()
			got := g.Run(t, ours, sink)
			ours.Stop(20 * time.Second)
			if diff := got.Differences(want.Lines, want.Texts); diff != "" {
				t.Error(diff)
			}
		})
	}
	if cases < 500 && !t.Failed() && flag.Lookup("test.run").Value.String() == "" {
		t.Errorf("only %d lines: this shows little", cases)
	}
	t.Logf("%d lines compared", cases)
}
