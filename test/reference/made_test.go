//go:build reference

package reference

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// variants is the configurations of spools that a real Cyrus makes. A %[1]s
// is the site's folder.
var variants = []variant{
	{name: "debian", sep: "/", types: standard, config: []string{
		"unixhierarchysep: yes", "altnamespace: no", "hashimapspool: yes", "delete_mode: delayed", "expunge_mode: delayed",
		"archive_enabled: yes", "archivepartition-default: %[1]s/archive", "archivepartition-second: %[1]s/archive2", "archive_maxsize: 16", "archive_after: 10d",
	}},
	{name: "flat", sep: ".", immediate: true, verify: []string{"--flat"}, types: []string{
		"mboxlist_db: flat", "annotation_db: skiplist", "duplicate_db: skiplist", "userdeny_db: flat",
	}, config: []string{
		"unixhierarchysep: no", "altnamespace: no", "hashimapspool: no", "mailbox_legacy_dirs: yes", "delete_mode: immediate", "expunge_mode: semidelayed",
		"metapartition-default: %[1]s/meta", "metapartition-second: %[1]s/meta2", "metapartition_files: header index cache annotations", "statuscache: yes",
		"archive_enabled: yes", "archivepartition-default: %[1]s/archive", "archivepartition-second: %[1]s/archive2", "archive_maxsize: 16",
		"metadir-archivecache-default: %[1]s/archivemeta", "metadir-archivecache-second: %[1]s/archivemeta2",
		"seenstate_db: flat", "subscription_db: skiplist",
	}},
	{name: "domains", sep: "/", alt: true, conversations: true, domain: "other.test", verify: []string{"--fulldirhash"}, types: []string{
		"mboxlist_db: skiplist", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: skiplist",
	}, config: []string{
		"unixhierarchysep: yes", "altnamespace: yes", "virtdomains: userid", "defaultdomain: reference.example.org", "hashimapspool: yes", "fulldirhash: yes",
		"mailbox_legacy_dirs: yes", "delete_mode: delayed", "expunge_mode: delayed", "conversations: yes", "reverseacls: yes",
		"seenstate_db: skiplist", "subscription_db: twoskip",
	}},
	{name: "dots", sep: ".", alt: true, dots: true, conversations: true, types: standard, config: []string{
		"unixhierarchysep: no", "altnamespace: yes", "hashimapspool: yes", "delete_mode: delayed", "expunge_mode: immediate", "conversations: yes",
		"conversations_db: twoskip", "statuscache: yes", "conversations_counted_flags: \\Draft \\Flagged $label1",
	}},
	{name: "mixed", sep: "/", relocated: "bob", types: []string{
		"mboxlist_db: twoskip", "annotation_db: skiplist", "duplicate_db: skiplist", "userdeny_db: twoskip",
	}, config: []string{
		"unixhierarchysep: yes", "altnamespace: no", "hashimapspool: yes", "mailbox_legacy_dirs: yes", "delete_mode: delayed", "expunge_mode: delayed",
		"metapartition-default: %[1]s/meta", "metapartition-second: %[1]s/meta2", "metapartition_files: index annotations",
		"subscription_db: twoskip", "seenstate_db: flat", "mailbox_initial_flags: $Label1 $Forwarded",
	}},
}

// standard is the types that Cyrus takes if nothing is said.
var standard = []string{"mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat"}

// A variant is a way to configure a site.
type variant struct {
	name          string
	config        []string // lines of imapd.conf
	types         []string // lines that are there in shared mode only
	sep           string   // between the parts of a mailbox name
	alt           bool     // altnamespace
	dots          bool     // in a name of a user also if sep is one
	immediate     bool     // mailboxes are deleted for good at once
	conversations bool     // are kept
	relocated     string   // the user who gets directories by unique id
	domain        string   // of some users, "" without virtual domains
	verify        []string // flags for decode-spool
}

// made is a site of a variant, and what its users are called now.
type made struct {
	*server.Site
	*variant
	t     *testing.T
	users []string
	hides []bool // by row of madeDiffers
	hid   bool   // a LIST without the INBOX was seen
	real  bool   // the real one works
	took  time.Duration
}

// own is the name of a folder of the user who asks; "" is INBOX.
func (m *made) own(folder string) string {
	switch name := strings.ReplaceAll(folder, "/", m.sep); {
	case name == "":
		return "INBOX"
	case m.alt:
		return name
	default:
		return "INBOX" + m.sep + name
	}
}

// admin is what an admin calls a user's folder; "" is the INBOX.
func (m *made) admin(user, folder string) string {
	local, domain, _ := strings.Cut(user, "@")
	if m.sep == "." {
		local = strings.ReplaceAll(local, ".", "^")
	}
	name := "user/" + local
	if folder != "" {
		name += "/" + folder
	}
	if domain != "" {
		domain = "@" + domain
	}
	return strings.ReplaceAll(name, "/", m.sep) + domain
}

// others is what a user calls a folder of another one.
func (m *made) others(user, folder string) string {
	if m.alt {
		return `"Other Users` + m.sep + strings.ReplaceAll(user+"/"+folder, "/", m.sep) + `"`
	}
	return `"` + m.admin(user, folder) + `"`
}

// team is what users call the shared mailbox with messages.
func (m *made) team() string {
	if m.alt {
		return "Shared" + m.sep + "shared" + m.sep + "team"
	}
	return "shared" + m.sep + "team"
}

// configured writes imapd.conf for a mode.
func (m *made) configured(shared bool) {
	m.t.Helper()
	conf, err := os.ReadFile(m.Conf())
	if err != nil {
		m.t.Fatal(err)
	}
	types := strings.Join(m.types, "\n") + "\n"
	text := strings.ReplaceAll(string(conf), types, "")
	if shared {
		text += types
	}
	if err := os.WriteFile(m.Conf(), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// TestMadeByCyrus has a real Cyrus make spools with everything on, in all
// variants. Ours serves them in shared mode, then in own mode, with the same
// answers; works on them; and hands them back: the real tools find nothing,
// and the real server gives the answers of ours.
func TestMadeByCyrus(t *testing.T) {
	var sites []*made
	t.Run("variant", func(t *testing.T) {
		for i := range variants {
			v := &variants[i]
			t.Run(v.name, func(t *testing.T) {
				m := newMade(t, v)
				sites = append(sites, m)
				t.Parallel()
				m.goRound()
			})
		}
	})
	hides, ran := make([]bool, len(madeDiffers)), 0
	for _, m := range sites {
		for i, hid := range m.hides {
			hides[i] = hides[i] || hid
		}
		if m.took != 0 {
			t.Logf("%s: %v", m.name, m.took.Round(time.Second))
			ran++
		}
	}
	for i, row := range madeDiffers {
		if ran == len(variants) && !hides[i] {
			t.Errorf("the row %q hides nothing: take it out", row.pattern)
		}
	}
}

// goRound has the real one make the spool, and both work on it in turn.
func (m *made) goRound() {
	m.t.Helper()
	start := time.Now()
	var real, ours any
	m.configured(true)
	cyrusServes(m.t, m.Site, func() {
		m.build()
		real = m.answers()
	})
	m.Run()
	m.same("in shared mode", real, m.answers())
	m.work("shared")
	ours = m.answers()
	stop(m.t, m.Site)
	m.sound("after shared mode")
	cyrusServes(m.t, m.Site, func() {
		real = m.answers()
		m.same("the real one after shared mode", real, ours)
		m.unchanging()
	})
	m.configured(false)
	m.Run()
	m.same("in own mode", real, m.answers())
	m.work("own")
	ours = m.answers()
	stop(m.t, m.Site)
	m.Tool("", "cyrus", "handback")
	m.sound("after own mode")
	cyrusServes(m.t, m.Site, func() {
		m.same("the real one after own mode", m.answers(), ours)
		m.unchanging()
		m.real = true
		m.work("real")
		real = m.answers()
	})
	m.Run()
	m.same("in own mode once more", real, m.answers())
	stop(m.t, m.Site)
	m.Tool("", "cyrus", "handback")
	m.sound("handed back once more")
	if m.dots && !m.hid {
		m.t.Error("the real LIST has the INBOX of a user with a dot: take hiddenInbox out")
	}
	m.took = time.Since(start)
}

// newMade is a site of a variant that nothing serves yet.
func newMade(t *testing.T, v *variant) *made {
	t.Helper()
	m := &made{variant: v, t: t, hides: make([]bool, len(madeDiffers)), users: []string{"alice", "bob", "carol", "first.last"}}
	if v.sep == "." && !v.dots { // the real LIST leaves out the INBOX of a user with a dot in his name
		m.users[3] = "firstlast"
	}
	accounts := append(slices.Clone(m.users), "cyrus", "denied", "shared", "own", "real", "shared.user", "own.user", "real.user")
	m.Site = server.New(t, server.Options{Users: accounts, Config: []string{
		"sievedir: %[1]s/sieve", "partition-second: %[1]s/spool2", "allowusermoves: yes", "allowdeleted: yes", "sharedprefix: Shared", "specialuse_extra: \\XExtra",
		"annotation_allow_undefined: yes", "duplicatesuppression: yes", "servername: reference.example.org",
	}})
	secrets(t, m.Site, accounts...)
	if v.domain != "" {
		for _, u := range []string{"erin", "frank", "shared", "own", "real"} {
			cmd := exec.Command("saslpasswd2", "-p", "-c", "-f", filepath.Join(m.Dir, "conf/sasldb2"), "-u", v.domain, u)
			cmd.Stdin = strings.NewReader("pass")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("saslpasswd2: %v\n%s", err, out)
			}
			if u == "erin" || u == "frank" {
				m.users = append(m.users, u+"@"+v.domain)
			}
		}
	}
	for _, d := range []string{"spool2", "archive", "archive2", "meta", "meta2", "archivemeta", "archivemeta2"} {
		if err := os.Mkdir(filepath.Join(m.Dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf, err := os.ReadFile(m.Conf())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(conf)), "\n")
	for _, line := range v.config {
		name, _, _ := strings.Cut(line, ":")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		lines = append(lines, line)
	}
	text := strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "%[1]s", m.Dir)
	if err := os.WriteFile(m.Conf(), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	asCyrus(t, m.Site)
	return m
}

// answers is all that the users and the admin are told, and what else shows
// that nothing is lost.
func (m *made) answers() any {
	m.t.Helper()
	who := []string{"cyrus:pass"}
	for _, u := range m.users {
		m.look(u)
		who = append(who, u+":pass")
	}
	m.look("cyrus")
	got := filepath.Join(m.t.TempDir(), "got.json")
	cmd := exec.Command("../bin/collect-answers", port(m.IMAP), got, strings.Join(who, ","))
	cmd.Env = append(os.Environ(), "WITHOUT=MAILBOXID") // the real server may answer random octets
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("collect-answers: %v\n%s", err, out)
	}
	all := read(m.t, got).(map[string]any)
	more := map[string]any{}
	ask := func(c *server.IMAP, command string) {
		m.t.Helper()
		untagged, tagged, err := c.Do(command)
		if err != nil {
			m.t.Fatalf("%q: %v", command, err)
		}
		var lines []any
		for _, l := range append(untagged, tagged) {
			lines = append(lines, strings.TrimSpace(l))
		}
		more[fmt.Sprint(len(more), " ", command)] = lines
	}
	a := m.Login("cyrus")
	for _, root := range m.roots() {
		ask(a, "GETQUOTA "+root)
	}
	for _, user := range m.users { // also of those whose INBOX the real LIST hides
		c := m.Login(user)
		ask(c, "STATUS INBOX (MESSAGES RECENT UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE)")
		ask(c, "EXAMINE INBOX")
		ask(c, "GETQUOTAROOT INBOX")
		ask(c, "GETACL INBOX")
		ask(c, "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
		c.Close()
	}
	ask(a, `LIST (SPECIAL-USE) "" *`)
	ask(a, `LIST "" (INBOX* Shared* DELETED*) RETURN (STATUS (MESSAGES SIZE))`)
	a.Close()
	c := m.Login("alice")
	c.Must("SELECT " + m.own("Keys"))
	ask(c, "STORE 1 +FLAGS (one-too-many)")
	ask(c, "UID SEARCH KEYWORD kw99")
	c.Close()
	denied := m.DialIMAP()
	_, tagged, err := denied.Do("LOGIN denied pass")
	if err != nil || strings.HasPrefix(tagged, "OK") {
		m.t.Errorf("a denied user: %s %v", tagged, err)
	}
	denied.Close()
	all["more"] = more
	return all
}

// look selects all that a user sees, which takes \Recent away.
func (m *made) look(user string) {
	m.t.Helper()
	c := m.Login(user)
	defer c.Close()
	names := []string{"INBOX"} // the real LIST may hide it
	for _, line := range c.Must(`LIST "" "*"`) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), `"`+m.sep+`" `); ok && !strings.Contains(line, `\Noselect`) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		_, _, _ = c.Do("SELECT " + name)
		_, _, _ = c.Do("UNSELECT")
	}
}

// madeDiffers is what answers hold that differs by nature, or on purpose: the
// pattern is replaced in both. "" takes a whole line away. A row that hides
// no difference in any variant fails the test. comparison leaves out the room
// on the disk and the times of writes.
var madeDiffers = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`^\* STATUS DELETED.*$`), ""}, // LIST of the real one shows it to who may not read the mailbox
	{regexp.MustCompile(`\d+\.\d+ sec`), "sec"},
	{regexp.MustCompile(`^(\* QUOTA(?:ROOT .*)?) (?:NIL|@other\.test)`), "$1 NIL"}, // the root of a domain
}

// masked is answers after all rows of madeDiffers but one.
func masked(v any, but int) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, w := range v {
			out[k] = masked(w, but)
		}
		return out
	case []any:
		out := []any{}
		for _, w := range v {
			if w = masked(w, but); w != "" {
				out = append(out, w)
			}
		}
		return out
	case string:
		for i, row := range madeDiffers {
			if i != but {
				v = row.pattern.ReplaceAllString(v, row.with)
			}
		}
		return v
	}
	return v
}

// same compares two answers.
func (m *made) same(what string, real, ours any) {
	m.t.Helper()
	if reflect.DeepEqual(real, ours) {
		m.t.Errorf("%s: not even the room on the disk differs: this shows nothing", what)
	}
	m.hiddenInbox(real, ours)
	c := &comparison{t: m.t}
	c.compare(what, masked(real, -1), masked(ours, -1))
	if c.differences > 0 {
		m.t.Errorf("%s: %d differences", what, c.differences)
		return
	}
	for i := range madeDiffers {
		one := &comparison{t: m.t, quiet: true}
		if one.compare("", masked(real, i), masked(ours, i)); one.differences > 0 {
			m.hides[i] = true
		}
	}
}

// hiddenInbox takes from answers the INBOX of users with a dot in their name
// where dots are between the parts of names: LIST of the real one leaves it
// out, and what is asked of all that LIST tells goes with it.
func (m *made) hiddenInbox(answers ...any) {
	m.t.Helper()
	if !m.dots {
		return
	}
	var has []bool
	for _, a := range answers {
		u := a.(map[string]any)["users"].(map[string]any)[m.users[3]].(map[string]any)
		boxes := u["mailboxes"].(map[string]any)
		_, ok := boxes["INBOX"]
		has = append(has, ok)
		delete(boxes, "INBOX")
		for _, list := range []string{"list", "list_return", "list_percent"} {
			u[list] = slices.DeleteFunc(u[list].([]any), func(l any) bool { return strings.HasSuffix(l.(string), ` "." INBOX`) })
		}
	}
	m.hid = m.hid || has[0] != has[1]
}

// unchanging checks on the real server what answers cannot show: Sieve
// scripts, and that mail that came before is known.
func (m *made) unchanging() {
	m.t.Helper()
	if got, want := listScripts(m.t, m.Site.Sieve, "alice", "pass"), []string{`"main" ACTIVE`, `"other"`}; !slices.Equal(got, want) {
		m.t.Errorf("Sieve scripts: %q", got)
	}
	c := m.Login("alice")
	defer c.Close()
	count := func() string { return strings.Join(c.Must("STATUS INBOX (MESSAGES)"), "") }
	before := count()
	m.deliver("alice", fmt.Sprintf(mail, "once", "made-once"))
	if after := count(); before != after {
		m.t.Errorf("delivered twice: %s, %s", before, after)
	}
}

func (m *made) deliver(user, text string) {
	m.t.Helper()
	if got := lmtpTo(m.t, m.Site, "<a@example.org>", user, text); !strings.HasPrefix(got, "250") {
		m.t.Errorf("LMTP to %s: %s", user, got)
	}
}

var fault = regexp.MustCompile(`(?m) uid |rror|^.* (?:was |should be|-->).*$`)

// sound has the real tools look at everything, in a copy: even with -n they
// change quota roots and counters.
func (m *made) sound(when string) {
	m.t.Helper()
	c := m.copied()
	counted := []string{"quota", "-f", "-n"}
	if m.domain != "" { // the real one takes the roots of domains away, even with -n
		for _, u := range m.users[:4] {
			counted = append(counted, m.admin(u, ""))
		}
	}
	for _, args := range [][]string{{"reconstruct", "-n", "-r", "*"}, counted} {
		if out, status := tool(m.t, c, args[0], args[1:]...); status != 0 || fault.MatchString(out) || len(out) < 20 {
			m.t.Errorf("%s: %v: status %d\n%s", when, args, status, tail(out))
		}
	}
	cmd := exec.Command("../bin/decode-spool", append([]string{"verify", m.Dir}, m.verify...)...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "RESULT OK") {
		m.t.Errorf("%s: decode-spool verify: %v\n%s", when, err, tail(string(out)))
	}
	m.consistent(when, c)
	for _, user := range m.users {
		if out, status := tool(m.t, c, "mbexamine", m.admin(user, "")); status != 0 || !strings.Contains(out, "Last UID") || strings.Contains(out, "rror") {
			m.t.Errorf("%s: mbexamine: status %d\n%s", when, status, tail(out))
		}
		if !m.conversations {
			continue
		}
		if out, status := tool(m.t, c, "ctl_conversationsdb", "-A", "-v", user); status != 0 || !strings.Contains(out, user+" is OK") {
			m.t.Errorf("%s: ctl_conversationsdb -A: status %d\n%s", when, status, tail(out))
		}
	}
}

// copied is the site in another place, for the real tools only.
func (m *made) copied() *server.Site {
	m.t.Helper()
	top, err := os.MkdirTemp("", "made") // where the user cyrus may come
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { os.RemoveAll(top) })
	if err := os.Chmod(top, 0o755); err != nil {
		m.t.Fatal(err)
	}
	dir := filepath.Join(top, "site")
	if out, err := exec.Command("cp", "-a", m.Dir, dir).CombinedOutput(); err != nil {
		m.t.Fatalf("cp: %v %s", err, out)
	}
	conf, err := os.ReadFile(m.Conf())
	if err != nil {
		m.t.Fatal(err)
	}
	c := &server.Site{Dir: dir}
	if err := os.WriteFile(c.Conf(), []byte(strings.ReplaceAll(string(conf), m.Dir, dir)), 0o644); err != nil {
		m.t.Fatal(err)
	}
	return c
}

// consistent checks all databases of a copy.
func (m *made) consistent(when string, c *server.Site) {
	m.t.Helper()
	databases := 0
	err := filepath.WalkDir(c.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.Contains(path, "db.backup") {
			return err
		}
		head, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		kind := databaseHead.FindSubmatch(head)
		if kind == nil {
			return nil
		}
		databases++
		if out, status := tool(m.t, c, "cyr_dbtool", path, string(kind[1]), "consistent"); status != 0 || !strings.Contains(out, "Yes") {
			m.t.Errorf("%s: cyr_dbtool %s consistent: status %d\n%s", when, path, status, out)
		}
		return nil
	})
	if err != nil || databases < 6 {
		m.t.Errorf("%s: %d databases, %v", when, databases, err)
	}
}

var databaseHead = regexp.MustCompile(`^\xa1?.{3,6}(twoskip|skiplist) file`)
