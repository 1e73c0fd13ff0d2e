//go:build reference

package reference

import (
	"encoding/base64"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/sieve"
	"gocyrus/test/corpus"
	"gocyrus/test/server"
)

var (
	randomSeed   = flag.Uint64("deliveries.seed", 1, "of the tests of random deliveries and dialogs about them")
	randomRounds = flag.Int("deliveries.rounds", 150, "how many cases each of them makes")
)

// included are scripts that all users have beside the one that is tested;
// those with "global" in their names are global.
var included = map[string]string{
	"inc1":    `require ["imap4flags", "include"]; addflag "inc1"; if header :contains "subject" "hello" { return; } addflag "inc1-end";`,
	"inc2":    `require ["imap4flags", "include", "variables", "fileinto"]; set "v" "by inc2"; addflag "inc2"; if exists "X-Num" { fileinto "INBOX/b"; stop; }`,
	"inc3":    `require ["imap4flags", "include"]; include :personal "inc1"; include :global :optional "none"; addflag "inc3";`,
	"global1": `require ["imap4flags", "include"]; addflag "global1"; include :personal "inc1";`,
}

// A mailCase is one delivery to a new user.
type mailCase struct {
	script, mail string
	from, detail string // reverse path, what follows the user's name
}

// TestRandomSieve makes scripts and mails by chance. The real sievec and ours
// have to make the same byte code of each script, or find the same faults; and
// the real lmtpd and ours have to do the same with each mail.
func TestRandomSieve(t *testing.T) {
	pair := newPair(t)
	pair.run(func() {
		bad := 0
		for i := range *randomRounds {
			seed := *randomSeed<<32 + uint64(i)
			c := chosenCase(seed, i)
			if c.script == "" || !pair.compile(t, c.script, seed) {
				continue
			}
			if diff := pair.differ(c); diff != "" {
				c, diff = pair.shrunk(c, diff)
				t.Errorf("case %d of -deliveries.seed=%d\nfrom %s detail %q\n%s\n--- mail\n%q\n--- (-Cyrus +ours)\n%s", i, *randomSeed, c.from, c.detail, c.script, c.mail, diff)
				if bad++; bad >= 15 {
					t.Fatal("no more")
				}
			}
		}
	})
	t.Logf("%d deliveries, %d scripts refused", pair.n, pair.refused)
}

// chosenCase is the case of a seed.
func chosenCase(seed uint64, n int) mailCase {
	g := &chance{rand.New(rand.NewPCG(seed, 11))}
	sc := &scripting{chance: g, n: n}
	c := mailCase{script: sc.script(), mail: g.delivered(n), from: g.of("<sender@example.org>", "<sender@example.org>", "<sender@example.org>", "<alice@example.org>", "<>", "<\"q q\"@example.org>", "<local>", "<me@example.com>", "<owner-list@example.org>", "<x-request@example.org>", "<MAILER-DAEMON@example.org>")}
	if g.percent(20) {
		c.detail = g.of("+a", "+A", "+none", "+", "+a+b", "+Junk", "+list", "+INBOX", "+a/b")
	}
	if g.percent(15) {
		c.script = sc.damaged(c.script)
	}
	return c
}

// damaged is a script with a token lost, doubled, or out of place.
func (g *scripting) damaged(script string) string {
	all := tokensOf(script)
	for range 1 + g.IntN(2) {
		i := g.IntN(len(all))
		switch g.IntN(5) {
		case 0:
			all = slices.Delete(all, i, i+1)
		case 1:
			all = slices.Insert(all, i, all[g.IntN(len(all))])
		case 2:
			all[i] = g.of(" ;", " {", " }", " \"x\"", " 10", " :foo", " :is", " foo", " [", " ]", ",", "\xff", "\"\xc3(\"", " 99999999999", " \"unended", " /* x */", " # c\n", " text:\n.\n", " 1K", " not", " @", "\x00", " :count \"xx\"", " :comparator \"i;x\"", " ä")
		case 3:
			j := g.IntN(len(all))
			all[i], all[j] = all[j], all[i]
		case 4:
			all[i] = strings.ToUpper(all[i])
		}
		if len(all) == 0 {
			return ""
		}
	}
	return strings.Join(all, "")
}

var sieveToken = regexp.MustCompile(`(?s)\s*(?:text:[^\n]*\n(?:.*?\n)??\.\r?\n|"(?:[^"\\]|\\.)*"|[:\w]+|.)`)

func tokensOf(script string) []string { return sieveToken.FindAllString(script, -1) }

// A pair is a real Cyrus and ours, each with a site of its own, that get the
// same.
type pair struct {
	t       *testing.T
	real    *sieveSide
	ours    *sieveSide
	dir     string // of sievec
	n       int    // deliveries so far
	refused int    // scripts that do not compile
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, dir: t.TempDir()}
	p.real, p.ours = newSieveSide(t, true), newSieveSide(t, false)
	if err := os.WriteFile(filepath.Join(p.dir, "imapd.conf"), []byte("configdirectory: "+p.dir+"\nsieve_vacation_min_response: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// run calls fn while both serve.
func (p *pair) run(fn func()) {
	cyrusServes(p.t, p.real.Site, func() {
		p.ours.Run()
		for _, s := range []*sieveSide{p.real, p.ours} {
			s.admin = s.Login("cyrus")
			s.global(p.t)
		}
		fn()
		for _, s := range []*sieveSide{p.real, p.ours} {
			s.admin.Close()
			s.hangUp()
		}
		p.ours.Stop(20 * time.Second)
	})
}

// compile reports whether a script has no faults, and complains if the real
// sievec and ours do not agree about that.
func (p *pair) compile(t *testing.T, script string, seed uint64) bool {
	want, got := p.verdicts(script)
	if want == got {
		if !strings.HasPrefix(want, "ok ") {
			p.refused++
			return false
		}
		return true
	}
	all := shorten(tokensOf(script), 4000, func(tokens []string) bool {
		want, got := p.verdicts(strings.Join(tokens, ""))
		return want != got
	})
	script = strings.Join(all, "")
	want, got = p.verdicts(script)
	t.Errorf("case of seed %d\n%q\nCyrus: %q\nours:  %q", seed, script, want, got)
	return false
}

// pcre is a fault in a regular expression; its place is PCRE's own.
var pcre = regexp.MustCompile(`(regular expression|PCRE error).*|at offset \d+`)

func (p *pair) verdicts(script string) (want, got string) {
	want, got = sievec(p.t, p.dir, script), ""
	o := sieve.Options{VacationMin: time.Second}
	if s, err := sieve.Parse([]byte(script), o); err != nil {
		got = err.Error()
	} else {
		got = fmt.Sprintf("ok %x", s.Code())
	}
	return pcre.ReplaceAllString(want, "$1"), pcre.ReplaceAllString(got, "$1")
}

// differ delivers a case to both and returns where the outcomes part; "" if
// they do not, or the real one has ended.
func (p *pair) differ(c mailCase) string {
	p.n++
	user := fmt.Sprintf("r%d", p.n)
	var out [2][]string
	for i, s := range []*sieveSide{p.real, p.ours} {
		out[i] = s.deliver(p.t, user, c)
	}
	notes := p.real.notified(user, 0)
	out[0] = append(out[0], notes...)
	out[1] = append(out[1], p.ours.notified(user, len(notes))...)
	if strings.HasPrefix(out[0][0], "<") && !strings.HasPrefix(out[1][0], "<") {
		p.t.Logf("the real lmtpd ended: %s\n%s\n%q", out[0][0], c.script, c.mail)
		return ""
	}
	if strings.HasPrefix(out[0][0], "554 5.6.0 ") && strings.HasPrefix(out[1][0], "554 5.6.0 ") {
		out[0][0] = out[1][0] // of several faults either names one
	}
	want := corpus.Outcome{Lines: out[0], Texts: p.real.texts}
	got := corpus.Outcome{Lines: out[1], Texts: p.ours.texts}
	return got.Differences(want.Lines, want.Texts)
}

// shrunk is a smaller case that differs as well.
func (p *pair) shrunk(c mailCase, diff string) (mailCase, string) {
	try := func(d mailCase) bool {
		if want, got := p.verdicts(d.script); want != got || !strings.HasPrefix(want, "ok ") {
			return false
		}
		if now := p.differ(d); now != "" {
			c, diff = d, now
			return true
		}
		return false
	}
	for _, d := range []mailCase{{c.script, c.mail, "<sender@example.org>", c.detail}, {c.script, c.mail, c.from, ""}} {
		try(d)
	}
	shorten(tokensOf(c.script), 120, func(tokens []string) bool {
		d := c
		d.script = strings.Join(tokens, "")
		return try(d)
	})
	shorten(strings.SplitAfter(c.mail, "\r\n"), 60, func(lines []string) bool {
		d := c
		d.mail = strings.Join(lines, "")
		return try(d)
	})
	return c, diff
}

// shorten takes out of all what is not needed for fails to hold, and calls it at
// most tries times.
func shorten(all []string, tries int, fails func([]string) bool) []string {
	for size := max(len(all)/2, 1); ; size /= 2 {
		for at := 0; at < len(all); {
			less := slices.Delete(slices.Clone(all), at, min(at+size, len(all)))
			if tries--; tries < 0 {
				return all
			}
			if len(less) > 0 && fails(less) {
				all = less
			} else {
				at += size
			}
		}
		if size <= 1 {
			return all
		}
	}
}

// authAs is the answer of PLAIN by which the admin works as a user.
func authAs(user string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + "\x00cyrus\x00pass"))
}

var uniqueID = regexp.MustCompile(`\{\d+\}\r\n(\S+)\)|uniqueid" "?([-\w]+)`)

// newSieveSide is a site that is not started yet.
func newSieveSide(t *testing.T, real bool) *sieveSide {
	t.Helper()
	s := &sieveSide{sink: corpus.NewSink(t), texts: map[string]string{}}
	services := []string{
		`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=1`,
		`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf -a" listen="%[3]s" prefork=1`,
	}
	s.Site = server.New(t, server.Options{Shared: true, Bare: true, Users: []string{"cyrus"}, Services: services, Config: []string{
		"smtp_backend: host", "smtp_host: " + s.sink.Addr + "/noauth", "sieve_vacation_min_response: 1s", "sievenotifier: log", "delete_mode: immediate", "duplicatesuppression: yes"}})
	secrets(t, s.Site, "cyrus")
	if real {
		asCyrus(t, s.Site)
	}
	s.notes = notesAt(t, filepath.Join(s.Dir, "run/notify"))
	for name, text := range included {
		c, err := sieve.Parse([]byte(text), sieve.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.codes = append(s.codes, sieveCode{name, c.Code()})
	}
	return s
}
