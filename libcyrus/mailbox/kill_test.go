package mailbox

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// killedEnv, set to a directory, makes the test program the victim of
// TestKilled: it changes a mailbox there and says what lasts.
const killedEnv = "GOCYRUS_TEST_VICTIM"

func TestMain(m *testing.M) {
	if root := os.Getenv(killedEnv); root != "" {
		victim(root)
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // recoveries of databases
	os.Exit(m.Run())
}

// victim appends, flags, expunges and cleans up until it is killed. A line
// says what has been done: "+uid number", "*uid" (flagged), "-uid"; "?uid" that it will be expunged.
func victim(root string) {
	s, err := New(Options{FS: disk.OS(), Layout: testLayout(root), Locks: lock.NewTable(disk.OS(), nil)})
	if err != nil {
		panic(err)
	}
	for g := range 4 {
		go func() {
			for i := 0; ; i++ {
				if err := suffer(s, os.Getpid()%10000*1000+g*200+i, i); err != nil {
					fmt.Println("!", err)
					return
				}
			}
		}()
	}
	select {}
}

// suffer does one round of changes.
func suffer(s *Store, n, i int) error {
	st, err := s.Stage("default")
	if err != nil {
		return err
	}
	defer st.Remove()
	if _, err := st.Write([]byte(text(n))); err != nil {
		return err
	}
	a, err := s.Append(ctx, inbox, []AppendMessage{{Staged: st}}, AppendOptions{})
	if err != nil {
		return err
	}
	fmt.Printf("+%d %d\n", a[0].UID, n)
	change := func(f func(m *Mailbox, r *Record) error) error {
		m, err := s.Open(ctx, inbox, Write)
		if err != nil {
			return err
		}
		defer m.Close()
		r, ok, err := m.FindUID(a[0].UID, 0)
		if err != nil || !ok {
			return fmt.Errorf("uid %d: %v, %w", a[0].UID, ok, err)
		}
		if err := f(m, &r); err != nil {
			return err
		}
		return m.Commit(ctx)
	}
	switch i % 3 {
	case 0:
		err = change(func(m *Mailbox, r *Record) error { r.Flags |= Flagged; return m.Rewrite(r) })
		if err == nil {
			fmt.Printf("*%d\n", a[0].UID)
		}
	case 1:
		fmt.Printf("?%d\n", a[0].UID)
		err = change(func(m *Mailbox, r *Record) error { return m.Expunge(r, "") })
		if err == nil {
			fmt.Printf("-%d\n", a[0].UID)
		}
	case 2:
		_, _, err = s.Cleanup(context.Background(), inbox, CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)})
	}
	return err
}

// TestKilled kills a process again and again while it changes a mailbox.
func TestKilled(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir())
	e.create(inbox)
	root := strings.TrimSuffix(e.l.ConfigDir, "/conf")
	number := map[uint32]int{}
	state := map[uint32]byte{}
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedEnv+"="+root)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(60+37*round)*time.Millisecond, func() { cmd.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var what byte
			var uid uint32
			var n int
			switch k, _ := fmt.Sscanf(lines.Text(), "%c%d %d", &what, &uid, &n); {
			case k == 3:
				number[uid] = n
			case k == 2:
				state[uid] = what
			default:
				t.Errorf("victim: %s", lines.Text())
			}
		}
		cmd.Wait()
		e = e.reopen(e.fs, func(*Options) {})
		m := e.open(inbox, Write)
		m.Close()
		look(t, e, round, number, state)
	}
	if len(number) < 20 {
		t.Errorf("only %d messages were appended", len(number))
	}
}

// look compares the mailbox with what was said to last.
func look(t *testing.T, e *env, round int, number map[uint32]int, state map[uint32]byte) {
	t.Helper()
	var buf CacheBuffer
	defer buf.Free()
	m := e.open(inbox, Read) // an interrupted repack is finished
	m.Each(1, func(r *Record) bool {
		m.Cache(r, &buf)
		return true
	})
	m.Close()
	r := e.report(inbox)
	for _, p := range r.Problems {
		if !strings.HasPrefix(p, "CRC of cyrus.header") {
			t.Errorf("round %d: %s", round, p)
		}
	}
	live := map[uint32]bool{}
	for _, m := range r.Live() {
		live[m.UID] = true
		n, acked := number[m.UID]
		if acked && string(m.Content) != text(n) || state[m.UID] == '-' || state[m.UID] == '*' && Flags(m.Flags)&Flagged == 0 {
			t.Errorf("round %d: uid %d, number %d (%c), has flags %x", round, m.UID, n, state[m.UID], m.Flags)
		}
	}
	for uid := range number {
		// One whose expunge was not acknowledged may be gone or not.
		if s := state[uid]; !live[uid] && s != '-' && s != '?' {
			t.Errorf("round %d: uid %d is lost", round, uid)
		}
	}
}
