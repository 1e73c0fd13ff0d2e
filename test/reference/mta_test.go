//go:build reference

package reference

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// An mta is a mail transport that is running on the loopback interface and
// hands its mail to a site of ours.
type mta struct {
	smtp  string                   // address
	queue func() (mails, errs int) // how many wait; how many were given back to their senders
	log   func() string
}

// mtaMails is how many mails each transport gets; MTA_MAILS of the
// environment is the number for Postfix, others get a tenth.
func mtaMails(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("MTA_MAILS"))
	if os.Getenv("MTA_MAILS") == "" {
		return 500
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mtaUsers is the users who get mail; each has the folder "list".
const mtaUsers = 20

// mtaSite is a running site for the transports.
func mtaSite(t *testing.T) *server.Site {
	t.Helper()
	var users []string
	for i := range mtaUsers {
		users = append(users, fmt.Sprintf("mta%d", i))
	}
	s := server.Start(t, server.Options{Users: append([]string{"cyrus"}, users...), Bare: true})
	s.MakeUsers(users...)
	for _, u := range users {
		c := s.Login(u)
		c.Must("CREATE INBOX/list")
		c.Must("SETACL INBOX/list anyone p")
		c.Close()
	}
	// The transports run as other users.
	for _, dir := range []string{s.Dir, filepath.Join(s.Dir, "run")} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// a letter is one mail and where it has to arrive.
type letter struct {
	id    string
	to    []string // addresses
	boxes []string // "user mailbox"
	text  string
}

// letters makes mails as people send them.
func letters(n int) []letter {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	words := strings.Fields("the quick brown fox writes a letter to all of his friends and asks them about their plans for winter; nobody answers, since it is not yet cold")
	text := func(size int) string {
		var b strings.Builder
		for b.Len() < size {
			for range 12 {
				b.WriteString(words[r.IntN(len(words))] + " ")
			}
			b.WriteString("\r\n")
		}
		return b.String()
	}
	all := make([]letter, n)
	for i := range all {
		l := letter{id: fmt.Sprintf("<%d.%x@sender.example.org>", i, r.Uint64())}
		seen := map[string]bool{}
		for range 1 + r.IntN(3)*r.IntN(2) {
			user := fmt.Sprintf("mta%d", r.IntN(mtaUsers))
			to, box := user+"@example.com", user+" INBOX"
			if r.IntN(4) == 0 {
				to, box = user+"+list@example.com", user+" INBOX/list"
			}
			if !seen[box] {
				seen[box] = true
				l.to, l.boxes = append(l.to, to), append(l.boxes, box)
			}
		}
		head := fmt.Sprintf("From: Sender %d <sender%d@example.org>\r\nTo: %s\r\nSubject: Letter %d\r\nMessage-ID: %s\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n",
			i%50, i%50, strings.Join(l.to, ", "), i, l.id)
		switch r.IntN(4) {
		case 0:
			l.text = head + "Content-Type: multipart/alternative; boundary=\"=_b\"\r\n\r\n--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text(800) +
				"--=_b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>" + text(2000) + "</p>\r\n--=_b--\r\n"
		case 1:
			l.text = head + "Content-Type: multipart/mixed; boundary=\"=_m\"\r\n\r\n--=_m\r\nContent-Type: text/plain\r\n\r\n" + text(300) +
				"--=_m\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==\r\n", 10+r.IntN(300)) + "--=_m--\r\n"
		default:
			l.text = head + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + text(200+r.IntN(4000)) + ".a line with a dot\r\n"
		}
		all[i] = l
	}
	return all
}

// submit sends mails by SMTP, all over one connection.
func submit(addr string, mails <-chan letter) error {
	c, err := net.DialTimeout("tcp", addr, 20*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(line, want string) error {
		if _, err := fmt.Fprint(c, line); err != nil {
			return err
		}
		for {
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			reply, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if !strings.HasPrefix(reply, want) {
				return fmt.Errorf("%.60s: %s", line, reply)
			}
			if reply[3] != '-' {
				return nil
			}
		}
	}
	if err := say("", "2"); err != nil {
		return err
	}
	if err := say("EHLO sender.example.org\r\n", "2"); err != nil {
		return err
	}
	for l := range mails {
		steps := []string{"MAIL FROM:<sender@example.org>"}
		for _, to := range l.to {
			steps = append(steps, "RCPT TO:<"+to+">")
		}
		for _, step := range steps {
			if err := say(step+"\r\n", "2"); err != nil {
				return err
			}
		}
		if err := say("DATA\r\n", "3"); err != nil {
			return err
		}
		if err := say(strings.ReplaceAll(l.text, "\r\n.", "\r\n..")+".\r\n", "2"); err != nil {
			return err
		}
	}
	return say("QUIT\r\n", "2")
}

// through sends n mails through a transport while lmtpd is killed at random
// moments, and looks that each has arrived once where it belongs.
func (m *mta) through(t *testing.T, s *server.Site, n int) {
	t.Helper()
	all := letters(n)
	mails := make(chan letter)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			if err := submit(m.smtp, mails); err != nil {
				t.Error(err)
				for range mails { // so that nobody waits
				}
			}
		})
	}
	stop, kills := make(chan struct{}), make(chan int)
	go killAtRandom(s, stop, kills)
	began := time.Now()
	for _, l := range all {
		mails <- l
	}
	close(mails)
	senders.Wait()
	t.Logf("%d mails taken by the transport after %v", n, time.Since(began).Round(time.Second))
	m.drained(t, time.Duration(n)*100*time.Millisecond+3*time.Minute)
	close(stop)
	t.Logf("delivered after %v; workers were killed %d times", time.Since(began).Round(time.Second), <-kills)
	if _, errs := m.queue(); errs > 0 {
		t.Errorf("%d mails were given back to their senders\n%s", errs, tail(m.log()))
	}
	arrived(t, s, all)
}

// killAtRandom kills a worker of lmtpd again and again, until stop is closed;
// then it says how often.
func killAtRandom(s *server.Site, stop <-chan struct{}, kills chan<- int) {
	count := 0
	for {
		select {
		case <-stop:
			kills <- count
			return
		case <-time.After(time.Duration(50+rand.IntN(400)) * time.Millisecond):
		}
		if pids := s.Processes("lmtpd"); len(pids) > 0 {
			if p, err := os.FindProcess(pids[rand.IntN(len(pids))]); err == nil && p.Kill() == nil {
				count++
			}
		}
	}
}

// drained waits until no mail is left in the transport's queue.
func (m *mta) drained(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); ; time.Sleep(300 * time.Millisecond) {
		left, _ := m.queue()
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %v still %d mails in the queue\n%s", d, left, tail(m.log()))
		}
	}
}

// arrived compares what each mailbox has with what was sent.
func arrived(t *testing.T, s *server.Site, all []letter) {
	t.Helper()
	want := map[string]int{}
	for _, l := range all {
		for _, b := range l.boxes {
			want[b+" "+l.id]++
		}
	}
	got := map[string]int{}
	for i := range mtaUsers {
		user := fmt.Sprintf("mta%d", i)
		c := s.Login(user)
		for _, box := range []string{"INBOX", "INBOX/list"} {
			c.Must("EXAMINE " + box)
			untagged, _, err := c.Do("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range untagged {
				if id, ok := strings.CutPrefix(line, "Message-ID: "); ok {
					got[user+" "+box+" "+strings.TrimSpace(id)]++
				}
			}
		}
		c.Close()
	}
	lost, twice, strange := 0, 0, 0
	for k := range want {
		switch n := got[k]; {
		case n == 0:
			lost++
			t.Logf("lost: %s", k)
		case n > 1:
			twice++
			t.Logf("%d times: %s", n, k)
		}
	}
	for k := range got {
		if want[k] == 0 {
			strange++
			t.Logf("not for here: %s", k)
		}
	}
	t.Logf("%d deliveries", len(want))
	if lost+twice+strange > 0 {
		t.Errorf("%d deliveries: %d lost, %d more than once, %d in a wrong mailbox", len(want), lost, twice, strange)
	}
}

// TestPostfix has a real Postfix deliver over our unix socket. It needs the
// programs of Debian's package postfix in their places (where another
// transport is installed: dpkg -x, usr/lib/postfix and usr/sbin/post*) and the
// users postfix and postdrop.
func TestPostfix(t *testing.T) {
	s := mtaSite(t)
	m := startPostfix(t, s, "lmtp:unix:"+s.Sock)
	m.through(t, s, mtaMails(t))
}

// TestPostfixDeliver has Postfix start deliver for each mail.
func TestPostfixDeliver(t *testing.T) {
	s := mtaSite(t)
	m := startPostfix(t, s, "cyrus:")
	m.through(t, s, mtaMails(t)/10)
}

// TestExim has a real Exim deliver over our unix socket.
func TestExim(t *testing.T) {
	s := mtaSite(t)
	m := startExim(t, s, "driver = lmtp\n  socket = "+s.Sock+"\n  batch_max = 20")
	m.through(t, s, mtaMails(t)/10)
}

// TestEximChunks has it deliver over TCP, where it sends its mails by BDAT (RFC
// 3030).
func TestEximChunks(t *testing.T) {
	s := mtaSite(t)
	host, port, _ := net.SplitHostPort(s.LMTP)
	m := startExim(t, s, "driver = smtp\n  protocol = lmtp\n  hosts = "+host+"\n  hosts_override\n  allow_localhost\n  port = "+port+"\n  max_rcpt = 20\n  hosts_try_fastopen = ")
	m.through(t, s, mtaMails(t)/10)
	if n := strings.Count(m.log(), " K C=\"250"); n == 0 {
		t.Errorf("no mail went by BDAT\n%s", tail(m.log()))
	}
}

// freePort is an address on which nobody listens.
func freePort(t *testing.T) (addr, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return l.Addr().String(), port
}

// startPostfix starts a Postfix of its own in a temporary folder.
func startPostfix(t *testing.T, s *server.Site, transport string) *mta {
	t.Helper()
	dir, err := os.MkdirTemp("", "postfix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	addr, port := freePort(t)
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write("etc/main.cf", postfixMain(dir, transport))
	write("etc/master.cf", postfixMaster(port, s))
	setup := "cd " + dir + ` && mkdir -p queue/pid data && chown postfix data &&
for d in active bounce corrupt defer deferred flush hold incoming private saved trace; do mkdir queue/$d; chown postfix queue/$d; chmod 700 queue/$d; done &&
for d in maildrop public; do mkdir queue/$d; chown postfix:postdrop queue/$d; done && chmod 730 queue/maildrop && chmod 710 queue/public`
	if out, err := exec.Command("sh", "-c", setup).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command("/usr/lib/postfix/sbin/master", "-c", filepath.Join(dir, "etc"), "-d")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	log := func() string { b, _ := os.ReadFile(filepath.Join(dir, "log")); return string(b) }
	m := &mta{smtp: addr, log: log}
	m.queue = func() (mails, errs int) {
		for _, q := range []string{"maildrop", "incoming", "active", "deferred"} {
			mails += files(filepath.Join(dir, "queue", q))
		}
		return mails, strings.Count(log(), "status=bounced")
	}
	m.up(t)
	return m
}

// up waits until the transport answers.
func (m *mta) up(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", m.smtp)
		if err == nil {
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			line, _ := bufio.NewReader(c).ReadString('\n')
			c.Close()
			if strings.HasPrefix(line, "220") {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the transport does not answer: %v\n%s", err, tail(m.log()))
		}
	}
}

// files counts the files below a folder.
func files(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return nil
	})
	return n
}

func postfixMain(dir, transport string) string {
	return fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = %[1]s/etc
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.org
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_maps = static:all
virtual_transport = %[2]s
recipient_delimiter = +
cyrus_destination_recipient_limit = 1
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 5s
transport_retry_time = 2s
lmtp_destination_concurrency_failed_cohort_limit = 1000
cyrus_destination_concurrency_failed_cohort_limit = 1000
lmtp_connection_cache_on_demand = yes
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
disable_dns_lookups = yes
in_flow_delay = 0
`, dir, transport)
}

func postfixMaster(port string, s *server.Site) string {
	deliver, _ := filepath.Abs("../../bin/deliver")
	return fmt.Sprintf(`127.0.0.1:%s inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
cyrus unix - n n - 10 pipe
  flags=hu user=cyrus argv=%s -C %s -r ${sender} -m ${extension} ${user}
`, port, deliver, s.Conf())
}

// startExim starts an Exim of its own in a temporary folder; transport is the
// lines that say how it delivers.
func startExim(t *testing.T, s *server.Site, transport string) *mta {
	t.Helper()
	dir, err := os.MkdirTemp("", "exim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	addr, port := freePort(t)
	conf := fmt.Sprintf(`spool_directory = %[1]s/spool
log_file_path = %[1]s/log-%%s
pid_file_path = %[1]s/pid
primary_hostname = mail.example.org
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[2]s
domainlist local = example.com
acl_smtp_rcpt = all
acl_smtp_data = all
host_lookup =
rfc1413_query_timeout = 0s
never_users =
exim_user = Debian-exim
exim_group = Debian-exim
deliver_drop_privilege = true
trusted_users = root
queue_run_max = 10
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
begin acl
all:
  accept
begin routers
site:
  driver = accept
  domains = +local
  local_part_suffix = +*
  local_part_suffix_optional
  transport = cyrus
begin transports
cyrus:
  %[3]s
  rcpt_include_affixes
  user = Debian-exim
begin retry
* * F,1d,2s
`, dir, port, transport)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", "chmod 755 "+dir+" && mkdir "+dir+"/spool && chown -R Debian-exim "+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chown(filepath.Join(dir, "conf"), 0, 0); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("exim4", "-C", filepath.Join(dir, "conf"), "-bdf", "-q2s")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	log := func() string { b, _ := os.ReadFile(filepath.Join(dir, "log-main")); return string(b) }
	m := &mta{smtp: addr, log: log}
	m.queue = func() (mails, errs int) {
		return files(filepath.Join(dir, "spool/input")), strings.Count(log(), " ** ")
	}
	m.up(t)
	return m
}
