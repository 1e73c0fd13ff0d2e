package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// commands is what a client with a mailbox does, as often as it stands here.
var commands = []func(*session) error{
	(*session).append, (*session).append, (*session).append,
	(*session).store, (*session).store, (*session).store, (*session).store, (*session).store,
	(*session).fetchFlags, (*session).fetchFlags,
	(*session).search, (*session).search,
	(*session).expunge, (*session).uidExpunge,
	(*session).copy, (*session).move,
	(*session).status, (*session).noop, (*session).idle,
	(*session).reselect, (*session).switchTo,
}

// most is how many messages a mailbox should have.
const most = 40

// step runs a random command.
func (s *session) step() error {
	if err := commands[s.rand.IntN(len(commands))](s); err != nil {
		return err
	}
	if s.box == nil {
		return s.open(s.boxes[s.rand.IntN(2)])
	}
	return s.learn()
}

// some is some of the messages that the client knows: sequence numbers and UIDs.
func (s *session) some() (seqs, ids []uint32) {
	if len(s.msgs) == 0 {
		return nil, nil
	}
	for range 1 + s.rand.IntN(4) {
		i := s.rand.IntN(len(s.msgs))
		if m := s.msgs[i]; m.uid != 0 && !slices.Contains(ids, m.uid) {
			seqs, ids = append(seqs, uint32(i+1)), append(ids, m.uid)
		}
	}
	return seqs, ids
}

// someFlags is one to three flags.
func (s *session) someFlags() (flags []string) {
	for range 1 + s.rand.IntN(3) {
		f := universe[s.rand.IntN(len(universe))]
		if !slices.Contains(flags, f) && (f != `\Deleted` || s.rand.IntN(3) == 0) {
			flags = append(flags, f)
		}
	}
	return flags
}

func (s *session) append() error {
	b := s.boxes[s.rand.IntN(2)]
	if len(s.msgs) > most {
		return s.expunge()
	}
	var text strings.Builder
	var all []born
	for range 1 + s.rand.IntN(2)*s.rand.IntN(3) {
		s.tokens++
		n := born{token: fmt.Sprintf("%s-%d", s.name, s.tokens), known: true}
		flags := s.someFlags()
		n.flags = sorted(flags)
		body := "Subject: " + n.token + "\r\n\r\nText\r\n"
		fmt.Fprintf(&text, " (%s) {%d+}\r\n%s", strings.Join(flags, " "), len(body), body)
		all = append(all, n)
	}
	reply, err := s.do("APPEND " + b.name + text.String())
	if err != nil {
		return err
	}
	made, err := uids(lastWord(code(reply, "APPENDUID "+firstWord(code(reply, "APPENDUID")))))
	if err != nil || len(made) != len(all) {
		return fmt.Errorf("%s: APPEND of %d messages is answered %q", s.name, len(all), reply)
	}
	for i, uid := range made {
		if err := b.makes(uid, all[i]); err != nil {
			return err
		}
	}
	return nil
}

func firstWord(s string) string { w, _, _ := strings.Cut(s, " "); return w }

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

func (s *session) store() error {
	seqs, ids := s.some()
	if len(ids) == 0 {
		return nil
	}
	flags := s.someFlags()
	sign := []string{"+", "-", ""}[min(s.rand.IntN(5)/2, 2)]
	item := sign + "FLAGS"
	silent, sure := s.rand.IntN(4) == 0, true
	if silent {
		item += ".SILENT"
	}
	modifier := ""
	if s.level > plain && s.rand.IntN(4) == 0 {
		highest := uint64(1)
		for _, m := range s.msgs {
			highest = max(highest, m.modseq)
		}
		modifier, sure = fmt.Sprintf("(UNCHANGEDSINCE %d) ", highest), false
	}
	on, off := op{kind: adds, uids: ids, flags: flags}, op{kind: removes, uids: ids, flags: flags}
	if sign == "" {
		off.flags = slices.DeleteFunc(slices.Clone(universe), func(f string) bool { return slices.Contains(flags, f) })
	}
	command, do := "STORE "+set(seqs), s.quietly
	if s.rand.IntN(2) == 0 {
		command, do = "UID STORE "+set(ids), s.do
	}
	reply, err := do(fmt.Sprintf("%s %s%s (%s)", command, modifier, item, strings.Join(flags, " ")))
	if err != nil {
		return err
	}
	on.sure = sure && strings.HasPrefix(reply, "OK") && !strings.Contains(reply, "MODIFIED")
	off.sure = on.sure
	if sign != "-" {
		s.box.did(on)
	}
	if sign != "+" {
		s.box.did(off)
	}
	if silent || sign == "" {
		for i := range s.msgs {
			if slices.Contains(ids, s.msgs[i].uid) {
				s.msgs[i].known = false
			}
		}
	}
	return nil
}

func (s *session) fetchFlags() error {
	seqs, ids := s.some()
	if len(ids) == 0 {
		return nil
	}
	items := strings.TrimSuffix(s.items(), ")") + " BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
	if s.rand.IntN(2) == 0 {
		_, err := s.do("UID FETCH " + set(ids) + " " + items)
		return err
	}
	_, err := s.quietly("FETCH " + set(seqs) + " " + items)
	return err
}

func (s *session) search() error {
	keys := []string{"ALL", "SEEN", "UNSEEN DELETED", "KEYWORD k0", "NOT FLAGGED", "SUBJECT " + s.name}
	key := keys[s.rand.IntN(len(keys))]
	if s.rand.IntN(2) == 0 {
		_, err := s.do("UID SEARCH " + key)
		return err
	}
	_, err := s.quietly("SEARCH " + key)
	for _, n := range s.found {
		if n < 1 || int(n) > len(s.msgs) {
			return fmt.Errorf("%s: SEARCH %s finds message %d of %d", s.name, key, n, len(s.msgs))
		}
	}
	return err
}

// removed runs a command that removes messages.
func (s *session) removed(command string, o op) error {
	b := s.box
	b.did(o)
	reply, err := s.do(command)
	if modseq := code(reply, "HIGHESTMODSEQ"); modseq != "" {
		s.modseq = modseq
	}
	return err
}

func (s *session) expunge() error { return s.removed("EXPUNGE", op{kind: expunge}) }

func (s *session) uidExpunge() error {
	_, ids := s.some()
	if len(ids) == 0 {
		return nil
	}
	return s.removed("UID EXPUNGE "+set(ids), op{kind: expunge, uids: ids})
}

// copied notes the messages that a COPYUID names.
func (s *session) copied(to *box, text string) error {
	words := strings.Fields(code(text, "COPYUID"))
	if len(words) != 3 {
		return nil
	}
	from, err := uids(words[1])
	if err != nil {
		return err
	}
	made, err := uids(words[2])
	if err != nil || len(made) != len(from) {
		return fmt.Errorf("%s: %q", s.name, text)
	}
	for i, uid := range made {
		if err := to.makes(uid, born{token: s.box.tokenOf(from[i])}); err != nil {
			return err
		}
	}
	return nil
}

// other is the mailbox that is not selected.
func (s *session) other() *box {
	if s.box == s.boxes[0] {
		return s.boxes[1]
	}
	return s.boxes[0]
}

func (s *session) copy() error {
	seqs, ids := s.some()
	if len(ids) == 0 {
		return nil
	}
	to := s.other()
	if s.rand.IntN(4) == 0 {
		to = s.box
	}
	command := "COPY " + set(seqs)
	if s.rand.IntN(2) == 0 {
		command = "UID COPY " + set(ids)
	}
	reply, err := s.do(command + " " + to.name)
	if err != nil {
		return err
	}
	return s.copied(to, reply)
}

func (s *session) move() error {
	seqs, ids := s.some()
	if len(ids) == 0 {
		return nil
	}
	s.box.did(op{kind: take, uids: ids})
	command := "MOVE " + set(seqs)
	if s.rand.IntN(2) == 0 {
		command = "UID MOVE " + set(ids)
	}
	reply, err := s.do(command + " " + s.other().name)
	if err != nil {
		return err
	}
	if modseq := code(reply, "HIGHESTMODSEQ"); modseq != "" {
		s.modseq = modseq
	}
	text := s.copyUID
	if text == "" {
		text = reply
	}
	return s.copied(s.other(), text)
}

func (s *session) status() error {
	_, err := s.do("STATUS " + s.boxes[s.rand.IntN(2)].name + " (MESSAGES UIDNEXT UNSEEN)")
	return err
}

func (s *session) noop() error {
	_, err := s.do([]string{"NOOP", "CHECK"}[s.rand.IntN(2)])
	return err
}

func (s *session) idle() error {
	tag, err := s.send("IDLE")
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(s.rand.IntN(20)) * time.Millisecond)
	if err := s.raw("DONE\r\n"); err != nil {
		return err
	}
	text, err := s.replies(tag, s.untagged)
	_, err = s.judge("IDLE", text, err)
	return err
}

// reselect leaves the mailbox and comes back, perhaps by QRESYNC.
func (s *session) reselect() error {
	b := s.box
	if err := s.leave([]string{"CLOSE", "UNSELECT", "UNSELECT"}[s.rand.IntN(3)]); err != nil {
		return err
	}
	return s.open(b)
}

// switchTo selects the other mailbox.
func (s *session) switchTo() error {
	to := s.other()
	if err := s.leave("UNSELECT"); err != nil {
		return err
	}
	return s.open(to)
}

// settled looks, at a quiet point, whether the client knows what is there.
func (s *session) settled(now map[uint32]state) error {
	if _, err := s.do("NOOP"); err != nil {
		return err
	}
	if err := s.learn(); err != nil {
		return err
	}
	order := make([]uint32, 0, len(now))
	for uid := range now {
		order = append(order, uid)
	}
	slices.Sort(order)
	fail := func(format string, a ...any) error {
		return fmt.Errorf("%s: %s: %s; the dialog before:\n%s", s.name, s.box.name, fmt.Sprintf(format, a...), strings.Join(s.log, "\n"))
	}
	if len(order) != len(s.msgs) {
		return fail("the client knows of %d messages, there are %d", len(s.msgs), len(order))
	}
	for i, m := range s.msgs {
		if m.uid != order[i] || m.flags != now[m.uid].flags || !m.known {
			return fail("message %d is UID %d with %q, the client knows UID %d with %q (%v)", i+1, order[i], now[order[i]].flags, m.uid, m.flags, m.known)
		}
		if m.modseq > now[m.uid].modseq {
			return fail("UID %d was told to have modseq %d, it has %d", m.uid, m.modseq, now[m.uid].modseq)
		}
	}
	if _, err := s.quietly("SEARCH SEEN NOT DELETED"); err != nil {
		return err
	}
	var want []uint32
	for i, uid := range order {
		if f := now[uid].flags; has(f, `\Seen`) && !has(f, `\Deleted`) {
			want = append(want, uint32(i+1))
		}
	}
	if !slices.Equal(s.found, want) {
		return fail("SEARCH SEEN NOT DELETED finds %v, want %v", s.found, want)
	}
	return nil
}

var statusItems = []string{"MESSAGES", "UIDNEXT", "HIGHESTMODSEQ", "UNSEEN"}

// parseStatus parses "STATUS name (…)" with statusItems.
func parseStatus(line string) (v [4]uint64, err error) {
	words := strings.Fields(strings.Trim(line[strings.IndexByte(line, '(')+1:], "()"))
	for i, name := range statusItems {
		at := slices.Index(words, name)
		if at < 0 || at+1 == len(words) {
			return v, fmt.Errorf("no %s in %q", name, line)
		}
		if v[i], err = strconv.ParseUint(words[at+1], 10, 64); err != nil {
			return v, err
		}
	}
	return v, nil
}
