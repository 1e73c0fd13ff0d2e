package sieve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gocyrus/libcyrus/message"
)

// blocks reads a file of blocks, each behind a line "--- NAME REST".
func blocks(t testing.TB, name string) [][2]string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out [][2]string
	for _, block := range strings.Split("\n"+string(b), "\n--- ")[1:] {
		head, text, _ := strings.Cut(block, "\n")
		if text = strings.TrimSuffix(text, "\n"); text != "" {
			text += "\n"
		}
		out = append(out, [2]string{head, text})
	}
	return out
}

// site is a Host and a Performer like the site on which outcomes.txt was
// recorded: a user with INBOX, INBOX/a, INBOX/b and INBOX/Junk.
type site struct {
	NoHost
	boxes []string
	filed map[string][]Action
	out   strings.Builder
	from  string
	sent  []string
}

func newSite() *site {
	return &site{boxes: []string{"INBOX", "INBOX/Junk", "INBOX/a", "INBOX/b"}, filed: map[string][]Action{}}
}

func (s *site) real(name string) string {
	if len(name) >= 5 && strings.EqualFold(name[:5], "inbox") {
		return "INBOX" + strings.TrimSuffix(name[5:], "/")
	}
	return name
}

func (s *site) MailboxExists(name string) bool { return slices.Contains(s.boxes, s.real(name)) }

func (s *site) SpecialUseExists(mailbox *string, uses []string) bool {
	for _, u := range uses {
		switch {
		case mailbox == nil && (strings.EqualFold(u, `\Junk`) || strings.EqualFold(u, `\Inbox`)):
		case mailbox != nil && s.real(*mailbox) == "INBOX/Junk" && strings.EqualFold(u, `\Junk`):
		case mailbox != nil && s.real(*mailbox) == "INBOX" && strings.EqualFold(u, `\Inbox`):
		default:
			return false
		}
	}
	return true
}

func (s *site) Metadata(mailbox *string, entry string) (string, bool) {
	if mailbox != nil && *mailbox == "INBOX/a" && entry == "/private/comment" {
		return "x", true
	}
	return "", false
}

func (s *site) Environment(item string) (string, bool) {
	v, ok := map[string]string{"location": "MDA", "name": "Cyrus LMTP", "phase": "during", "host": "reference.example.org",
		"domain": "example.org", "version": "3.6.1", "remote-ip": "127.0.0.1"}[item]
	return v, ok
}

func (s *site) Resolve(a Action) (string, error) {
	if a.Kind == Keep {
		return "INBOX", nil
	}
	if u := a.Mailbox.SpecialUse; u != nil && *u == `\Junk` {
		return "INBOX/Junk", nil
	}
	return s.real(a.Mailbox.Name), nil
}

func (s *site) Do(a Action) error {
	switch a.Kind {
	case Keep, FileInto:
		to, _ := s.Resolve(a)
		if !slices.Contains(s.boxes, to) {
			if !a.Mailbox.Create {
				return errors.New("Mailbox does not exist")
			}
			s.boxes = append(s.boxes, to)
		}
		if len(s.filed[to]) == 0 { // duplicate suppression
			s.filed[to] = append(s.filed[to], a)
		}
	case Redirect:
		s.mail("redirect", a.Address)
	case Reject, Ereject:
		if a.Kind == Reject && strings.ContainsFunc(a.Reason, func(r rune) bool { return r > 127 }) {
			if s.from != "" {
				s.mail("reject", s.from)
			}
			break
		}
		lines := strings.Split(strings.TrimSpace(a.Reason), "\n")
		for i, l := range lines {
			fmt.Fprintf(&s.out, "550%c5.7.1 %s\n", map[bool]byte{true: ' ', false: '-'}[i == len(lines)-1], strings.ReplaceAll(l, "ä", "=C3=A4"))
		}
	}
	return nil
}

// mail says that a mail was sent once.
func (s *site) mail(what, to string, fields ...string) {
	if slices.Contains(s.sent, what+to) {
		return
	}
	s.sent = append(s.sent, what+to)
	fmt.Fprintf(&s.out, "%s <%s>\n", what, to)
	for _, f := range fields {
		fmt.Fprintf(&s.out, "  %s\n", f)
	}
}

func (s *site) Respond(r Response) (bool, error) {
	from := r.From
	if !strings.Contains(from, "<") {
		from = "<" + from + ">"
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(r.Text, "Content-Type: text/html\n\n"), "\n")
	subject := "Subject: " + message.EncodeHeader(r.Subject)
	s.mail("vacation", r.To, "From: "+from, subject, text)
	if r.Fcc != nil {
		return true, s.Do(Action{Kind: FileInto, Mailbox: *r.Fcc, Header: []byte(subject + "\r\n\r\n")})
	}
	return true, nil
}

func (s *site) Notify(Notification) error { return nil }
func (s *site) Track(Tracked)             {}
func (s *site) Failed(string)             {}

// outcome is what became of a message, in the form of outcomes.txt.
func (s *site) outcome(header []byte) string {
	out := s.out.String()
	slices.Sort(s.boxes)
	for _, box := range s.boxes {
		for _, a := range s.filed[box] {
			flags := slices.Clone(a.Mailbox.Flags)
			for i, f := range flags {
				if strings.HasPrefix(f, `\`) {
					flags[i] = f[:1] + strings.ToUpper(f[1:2]) + f[2:]
				}
			}
			slices.Sort(flags)
			out += fmt.Sprintf("in %s [%s]\n", box, strings.Join(flags, " "))
			h := a.Header
			if h == nil {
				h = header
			}
			for _, line := range strings.Split(string(h), "\r\n") {
				for _, want := range []string{"X-V", "X-W:", "X-X:", "X-Y:", "X-New", "X-Num", "X-Multi", "X-Enc2", "Subject:"} {
					if strings.HasPrefix(line, want) && !strings.HasPrefix(line, "Subject: Hello World") {
						out += "  " + line + "\n"
					}
				}
			}
		}
	}
	return out
}

// TestOutcomes compares with what a real lmtpd did with the scripts of
// runs.txt: TestSieveOutcomes of test/reference recorded outcomes.txt.
func TestOutcomes(t *testing.T) {
	messages := map[string]string{}
	for _, m := range blocks(t, "messages.txt") {
		messages[m[0]] = m[1]
	}
	want := map[string]string{}
	for _, o := range blocks(t, "outcomes.txt") {
		want[o[0]] = o[1]
	}
	for _, run := range blocks(t, "runs.txt") {
		head := strings.Fields(run[0])
		args := map[string]string{"from": "<sender@example.org>", "message": "plain"}
		for _, a := range head[1:] {
			k, v, _ := strings.Cut(a, "=")
			args[k] = v
		}
		s := newSite()
		text := "Return-Path: " + args["from"] + "\r\nReceived: x\r\n" + munge8bit(messages[args["message"]])
		runOn(t, s, run[1], text, strings.Trim(args["from"], "<>"), "sieve000"+args["detail"])
		header, _, _ := strings.Cut(text, "\r\n\r\n")
		if diff := cmp.Diff(canonOutcome(want[head[0]]), s.outcome([]byte(header))); diff != "" {
			t.Errorf("%s: (-Cyrus +ours)\n%s\n%s", run[0], run[1], diff)
		}
	}
}

// munge8bit is a message as lmtpd takes it in: lines end in CR LF, and octets
// of the header that are not US-ASCII become X.
func munge8bit(text string) string {
	header, body, _ := strings.Cut(text, "\n\n")
	b := []byte(header)
	for i := range b {
		if b[i] >= 0x80 {
			b[i] = 'X'
		}
	}
	return strings.ReplaceAll(string(b)+"\n\n"+body, "\n", "\r\n")
}

// runOn runs a script and performs what it wants; if that fails the message
// is delivered normally.
func runOn(t *testing.T, s *site, script, text, from, to string) {
	t.Helper()
	compiled, err := Parse([]byte(script), Options{})
	if err != nil {
		t.Fatalf("%s\n%v", script, err)
	}
	header, _, _ := strings.Cut(text, "\r\n\r\n")
	m := &Message{Header: []byte(header + "\r\n\r\n"), Size: int64(len(text)), From: from, To: to + "@internal", Content: strings.NewReader(text)}
	s.from = from
	res := compiled.Run(context.Background(), m, "main", Env{Host: s})
	if res.Perform(s) != nil {
		// lmtpd's normal delivery after an error
		if err := s.Do(Action{Kind: Keep, Mailbox: Mailbox{Flags: []string{"$SieveFailed"}}}); err != nil {
			t.Fatal(err)
		}
	}
}

// canonOutcome leaves out of a recorded outcome what is not the script's
// doing: of mails there stay the kind, the recipient, and of responses the
// text and some fields.
func canonOutcome(s string) string {
	var out strings.Builder
	to, kind := "", ""
	for _, line := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		field := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "smtp "):
			_, to, _ = strings.Cut(line, "RCPT TO:")
			to, _, _ = strings.Cut(to, " NOTIFY=")
			kind = ""
		case to != "" && strings.HasPrefix(field, "X-Sieve-Action: "):
			kind = strings.TrimPrefix(field, "X-Sieve-Action: ")
			fmt.Fprintf(&out, "%s %s\n", kind, to)
		case to != "" && strings.HasPrefix(line, "  "):
			known := strings.HasPrefix(field, "From:") || strings.HasPrefix(field, "Subject:") || strings.HasPrefix(field, "gone") || strings.HasPrefix(field, "<b>")
			if kind == "vacation" && known {
				out.WriteString(line + "\n")
			}
		case line != "":
			to = ""
			out.WriteString(strings.TrimPrefix(line, "lmtp ") + "\n")
		}
	}
	return out.String()
}

func TestLimits(t *testing.T) {
	compile := func(text string) *Script {
		s, err := Parse([]byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	m := &Message{Header: []byte("Subject: x\r\n\r\n"), From: "a@b", To: "c@d"}
	t.Run("text", func(t *testing.T) {
		s := compile("require \"variables\"; set \"a\" \"0123456789\";\n" + strings.Repeat("set \"a\" \"${a}${a}\";\n", 40))
		if r := s.Run(context.Background(), m, "", Env{}); !errors.Is(r.Err, errTextTooLong) {
			t.Errorf("%v", r.Err)
		}
	})
	t.Run("actions", func(t *testing.T) {
		text := "require \"fileinto\";\n"
		for i := range 300 {
			text += fmt.Sprintf("fileinto \"%d\";\n", i)
		}
		s := compile(text)
		if r := s.Run(context.Background(), m, "", Env{}); !errors.Is(r.Err, errActions) || len(r.Actions) > 0 {
			t.Errorf("%v", r.Err)
		}
	})
	t.Run("time", func(t *testing.T) {
		s := compile("keep; if header \"subject\" \"x\" {discard;}")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if r := s.Run(ctx, m, "", Env{}); !errors.Is(r.Err, context.Canceled) {
			t.Errorf("%v", r.Err)
		}
		if r := s.Run(context.Background(), m, "", Env{Limits: Limits{Time: time.Nanosecond}}); !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("%v", r.Err)
		}
	})
	t.Run("redirects", func(t *testing.T) {
		s := compile(strings.Repeat("redirect \"a@b\";\n", 51))
		if r := s.Run(context.Background(), m, "", Env{}); !errors.Is(r.Err, errRedirects) || len(r.Actions) > 0 {
			t.Errorf("%v", r.Err)
		}
	})
	for name, tail := range map[string]string{"regex": ":regex \"" + strings.Repeat("(a?)", 8000) + "b\"", "matches": ":matches \"*" + strings.Repeat("a", 16000) + "b\"",
		"keys": ":contains [" + strings.Repeat("\"aab\",", 8000) + "\"aab\"]"} {
		// Each would take minutes.
		t.Run(name, func(t *testing.T) {
			long := &Message{Header: []byte("Subject: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"), From: "a@b", To: "c@d"}
			s := compile("require \"regex\"; if header :comparator \"i;octet\" " + strings.Replace(tail, " ", " \"subject\" ", 1) + " { discard; } keep;")
			r := s.Run(context.Background(), long, "", Env{Limits: Limits{Time: 100 * time.Millisecond}})
			if !errors.Is(r.Err, context.DeadlineExceeded) || len(r.Actions) > 0 {
				t.Errorf("%v, %d actions", r.Err, len(r.Actions))
			}
		})
	}
	t.Run("includes", func(t *testing.T) {
		h := includer{scripts: map[string]*Script{}}
		for i := range 30 { // each includes the next twice
			h.scripts[fmt.Sprint(i)] = compile(fmt.Sprintf("require \"include\"; include \"%d\"; include \"%d\";", i+1, i+1))
		}
		h.scripts["30"] = compile("keep;")
		if r := h.scripts["0"].Run(context.Background(), m, "0", Env{Host: h}); !errors.Is(r.Err, errIncludes) {
			t.Errorf("%v", r.Err)
		}
	})
}

// includer is a Host with scripts to include.
type includer struct {
	NoHost
	scripts map[string]*Script
}

func (h includer) Include(name string, _ bool) (*Script, string, error) {
	if s := h.scripts[name]; s != nil {
		return s, name, nil
	}
	return nil, "", ErrNoScript
}

func TestInclude(t *testing.T) {
	const req = "require [\"include\",\"fileinto\",\"imap4flags\",\"variables\"];\n"
	for _, c := range []struct{ name, main, a, b, want string }{
		{"once", `include "a"; include :once "a";`, `addflag "x"; fileinto "A";`, ``, "A [x]"},
		{"flags go on", `addflag "y"; include "a"; fileinto "B";`, `addflag "x";`, ``, "B [x y]"},
		{"return", `include "a"; fileinto "B";`, `return; fileinto "A";`, ``, "B []"},
		{"stop", `include "a"; fileinto "B";`, `stop;`, ``, "keep []"},
		{"return of the main script", `return; fileinto "B";`, ``, ``, "keep []"},
		{"nested", `include "a";`, `include "b"; fileinto "A";`, `set "v" "w"; fileinto "B";`, "B [] A []"},
		{"recursive", `fileinto "B"; include "a";`, `include "main";`, ``, "Recursive Include"},
		{"missing", `fileinto "B"; include "c";`, ``, ``, "Include can not load script"},
		{"optional", `fileinto "B"; include :optional "c";`, ``, ``, "B []"},
		{"variable name", `set "n" "a"; include "${n}";`, `fileinto "A";`, ``, "A []"},
	} {
		h := includer{scripts: map[string]*Script{}}
		for name, text := range map[string]string{"main": c.main, "a": c.a, "b": c.b} {
			s, err := Parse([]byte(req+text), Options{})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			h.scripts[name] = s
		}
		r := h.scripts["main"].Run(context.Background(), &Message{Header: []byte("\r\n")}, "main", Env{Host: h})
		var got []string
		for _, a := range r.Actions {
			flags := slices.Sorted(slices.Values(a.Mailbox.Flags))
			got = append(got, a.Mailbox.Name, fmt.Sprint(flags))
		}
		if r.ImplicitKeep() {
			got = append(got, "keep", fmt.Sprint(r.Flags))
		}
		if r.Err != nil {
			got = []string{r.Err.Error()}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

func TestNotify(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{`notify "mailto:a@b";`, "mailto normal Sender <s@x>: Hi ä [a@b]"},
		{`notify :importance "1" :message "m $env-from$ $TEXT[3]$ $x" "mailto:a@b";`, "mailto high m f@g bod $x [a@b]"},
		{`notify :options ["o"] :message "m" "MAILTO:a@b?subject=c";`, "mailto normal m [a@b?subject=c o]"},
		{`notify :message "m" "xmpp:a@b";`, "xmpp:a@b normal m"},
		{`notify :id "a"; notify :id "b" :low; denotify :is "a";`, "default low Sender <s@x>: Hi ä"},
		{`notify :low; notify :high; denotify :high;`, "default low Sender <s@x>: Hi ä"},
		{`notify; denotify;`, ""},
		{`set "v" "w"; notify :message "${v}" :method "mailto" :options ["x"];`, "mailto normal w [x]"},
	} {
		s, err := Parse([]byte("require [\"enotify\",\"notify\",\"variables\"];\n"+c.script), Options{})
		if err != nil {
			t.Fatal(err)
		}
		const text = "From: Sender <s@x>\r\nSubject: =?utf-8?q?Hi_=C3=A4?=\r\n\r\nbody\r\n"
		header, _, _ := strings.Cut(text, "\r\n\r\n")
		m := &Message{Header: []byte(header), Size: int64(len(text)), From: "f@g", Content: strings.NewReader(text)}
		var got []string
		for _, n := range s.Run(context.Background(), m, "", Env{}).Notes {
			got = append(got, n.Method, n.Priority, n.Message)
			if len(n.Options) > 0 {
				got = append(got, fmt.Sprint(n.Options))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.script, strings.Join(got, " "), c.want)
		}
	}
}

// FuzzParse: any text is parsed or has faults, and what is parsed runs.
func FuzzParse(f *testing.F) {
	for _, s := range testScripts(f) {
		f.Add(s.text)
	}
	for _, s := range blocks(f, "runs.txt") {
		f.Add([]byte(s[1]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text, Options{AddressBooks: true})
		if err != nil {
			if errs, ok := err.(Errors); !ok || len(errs) == 0 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		fuzzRun(s)
		again, err := Parse([]byte(s.Text()), Options{AddressBooks: true})
		if err != nil || !bytes.Equal(again.Code(), s.Code()) {
			t.Fatalf("%q\n%q\n%v", text, s.Text(), err)
		}
	})
}

// FuzzDecode: any byte code is run or refused.
func FuzzDecode(f *testing.F) {
	for _, s := range testScripts(f) {
		if c, err := Parse(s.text, Options{}); err == nil {
			f.Add(c.Code())
		}
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		s, err := Decode(code)
		if err != nil {
			return
		}
		_ = s.Text()
		fuzzRun(s)
	})
}

// FuzzRun: any message goes through a script with all kinds of tests.
func FuzzRun(f *testing.F) {
	for _, m := range blocks(f, "messages.txt") {
		for i := range 8 {
			f.Add(uint(i*13), []byte(strings.ReplaceAll(m[1], "\n", "\r\n")), "a@b", "c+d@e")
		}
	}
	var scripts []*Script
	for _, s := range blocks(f, "runs.txt") {
		c, err := Parse([]byte(s[1]), Options{})
		if err != nil {
			f.Fatal(err)
		}
		scripts = append(scripts, c)
	}
	f.Fuzz(func(t *testing.T, which uint, text []byte, from, to string) {
		header, _, _ := bytes.Cut(text, []byte("\r\n\r\n"))
		m := &Message{Header: header, Size: int64(len(text)), From: from, To: to, Content: bytes.NewReader(text)}
		s := scripts[which%uint(len(scripts))]
		_ = s.Run(context.Background(), m, "", Env{}).Perform(newSite())
	})
}

func fuzzRun(s *Script) {
	const text = "From: a@b\r\nTo: c@d\r\nSubject: x\r\nDate: Sun, 17 May 2020 12:20:30 +0200\r\n\r\nbody\r\n"
	header, _, _ := strings.Cut(text, "\r\n\r\n")
	m := &Message{Header: []byte(header), Size: int64(len(text)), From: "a@b", To: "c@d", Content: strings.NewReader(text)}
	_ = s.Run(context.Background(), m, "", Env{Trace: func(string) {}}).Perform(newSite())
}
