package model

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

var (
	rounds = flag.Int("rounds", 120, "how often each client does a command")
	seed   = flag.Uint64("seed", 0, "of the random choices; 0 takes the time")
	shared = flag.Bool("shared", false, "in shared mode")
)

// A game lasts gameRounds rounds with one set of clients; all are quiet each
// quietRounds.
const (
	gameRounds  = 60
	quietRounds = 6
)

// TestRounds lets two to six clients, in several processes, do random commands
// at the same time. What they are told must be explained by the model.
func TestRounds(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %d rounds", *seed, *rounds)
	s := server.Start(t, server.Options{Shared: *shared, Services: []string{
		`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=2 maxclients=2`,
	}})
	for done := 0; done < *rounds; done += gameRounds {
		r := rand.New(rand.NewPCG(*seed, uint64(done)))
		if err := play(s.IMAP, r, done, min(gameRounds, *rounds-done)); err != nil {
			t.Fatalf("seed %d, rounds from %d: %v", *seed, done, err)
		}
	}
}

// game is clients and the mailboxes that they share.
type game struct {
	boxes    [2]*box
	control  *session // looks at the mailboxes at quiet points
	sessions []*session
}

// play lets clients work for some rounds.
func play(addr string, r *rand.Rand, number, rounds int) error {
	g := &game{}
	defer g.end()
	for i := range g.boxes {
		g.boxes[i] = newBox(fmt.Sprintf("INBOX/g%d-%d", number, i))
	}
	var err error
	if g.control, err = g.join(addr, "control", plain, r); err != nil {
		return err
	}
	for _, b := range g.boxes {
		if _, err := g.control.do("CREATE " + b.name); err != nil {
			return err
		}
	}
	for i := range 2 + r.IntN(5) {
		s, err := g.join(addr, fmt.Sprintf("c%d", i), level(r.IntN(3)), rand.New(rand.NewPCG(r.Uint64(), 1)))
		if err != nil {
			return err
		}
		if err := s.open(g.boxes[r.IntN(2)]); err != nil {
			return err
		}
		g.sessions = append(g.sessions, s)
	}
	for n := range rounds {
		if err := g.round(); err != nil {
			return err
		}
		if n%quietRounds == quietRounds-1 || n == rounds-1 {
			if err := g.quiet(); err != nil {
				return err
			}
		}
	}
	for _, b := range g.boxes {
		if _, err := g.control.do("DELETE " + b.name); err != nil {
			return err
		}
	}
	return nil
}

// join logs a client in.
func (g *game) join(addr, name string, l level, r *rand.Rand) (*session, error) {
	w, err := dial(addr)
	if err != nil {
		return nil, err
	}
	s := &session{wire: w, name: name, level: l, rand: r, boxes: g.boxes, kept: map[*box]memory{}}
	for _, c := range []string{"LOGIN user1 pass", []string{"NOOP", "ENABLE CONDSTORE", "ENABLE QRESYNC"}[l]} {
		reply, err := s.do(c)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(reply, "OK") {
			return nil, fmt.Errorf("%s: %q is answered %q", name, c, reply)
		}
	}
	return s, nil
}

// end closes the connections.
func (g *game) end() {
	for _, s := range append(g.sessions, g.control) {
		if s != nil {
			s.conn.Close()
		}
	}
}

// round lets each client do a command, all at the same time.
func (g *game) round() error {
	var wait sync.WaitGroup
	failed := make([]error, len(g.sessions))
	for i, s := range g.sessions {
		wait.Go(func() { failed[i] = s.step() })
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// quiet compares the mailboxes with the model and what the clients know with
// the mailboxes.
func (g *game) quiet() error {
	for _, b := range g.boxes {
		now, err := g.look(b)
		if err != nil {
			return err
		}
		for _, s := range g.sessions {
			if s.box != b {
				continue
			}
			if err := s.settled(now); err != nil {
				return err
			}
		}
	}
	return nil
}

// look reads a mailbox and settles the model of it.
func (g *game) look(b *box) (map[uint32]state, error) {
	c := g.control
	now := map[uint32]state{}
	if err := c.ask("EXAMINE "+b.name, func(string) error { return nil }); err != nil {
		return nil, err
	}
	seq := 0
	err := c.ask("FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (SUBJECT)])", func(line string) error {
		f, ok := parseFetch(line)
		if !ok {
			return nil
		}
		if seq++; f.seq != seq || f.uid == 0 || f.modseq == 0 || f.token == "" || !f.has {
			return fmt.Errorf("message %d: %q", seq, line)
		}
		now[f.uid] = state{f.flags, f.modseq, f.token}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.do("UNSELECT"); err != nil {
		return nil, err
	}
	var v [4]uint64
	err = c.ask("STATUS "+b.name+" ("+strings.Join(statusItems, " ")+")", func(line string) (err error) {
		v, err = parseStatus(line)
		return err
	})
	if err != nil {
		return nil, err
	}
	unseen := 0
	for _, s := range now {
		if !has(s.flags, `\Seen`) {
			unseen++
		}
	}
	if int(v[0]) != len(now) || int(v[3]) != unseen {
		return nil, fmt.Errorf("%s: STATUS says %d messages, %d unseen; there are %d and %d", b.name, v[0], v[3], len(now), unseen)
	}
	return now, b.settle(now, uint32(v[1]), v[2])
}

// ask runs a command of the control, whose untagged replies go to fn.
func (s *session) ask(command string, fn func(line string) error) error {
	tag, err := s.send(command)
	if err != nil {
		return err
	}
	text, err := s.replies(tag, fn)
	_, err = s.judge(command, text, err)
	return err
}
