package mailbox

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
)

// TestStageCopyFaults delivers one message to two mailboxes on another
// partition than it was staged on, while each operation fails in turn: who is
// told that he has it has all of it.
func TestStageCopyFaults(t *testing.T) {
	body := text(1) + strings.Repeat("0123456789abcdef\r\n", 20000)
	far := [2]Ref{
		{Name: "user.alice", UniqueID: "cc0123456789012345678901", Partition: "second"},
		{Name: "user.bob", UniqueID: "dd0123456789012345678901", Partition: "second"},
	}
	for i := 0; ; i++ {
		mem := disk.NewMem()
		e := newEnv(t, mem, "/s")
		for _, r := range far {
			e.create(r)
		}
		e.s = newStore(t, disk.FailAt(mem, i), e.l, func(*Options) {})
		st, err := e.s.Stage("default")
		failed := err != nil
		if err == nil {
			_, _ = st.Write([]byte(body))
			for _, r := range far {
				msg := []AppendMessage{{Staged: st, InternalDate: time.Unix(1e9, 0)}}
				if _, err = e.s.Append(ctx, r, msg, AppendOptions{}); err != nil {
					failed = true
					continue
				}
				got, err := disk.ReadFile(mem, e.dir(r)+"/1.")
				if err != nil || string(got) != body {
					t.Errorf("fault %d: %s has %d of %d octets, %v", i, r.Name, len(got), len(body), err)
				}
			}
			st.Remove()
		}
		if files, _ := mem.ReadDir("/s/spool2/stage."); len(files) > 1 || len(files) == 1 && !failed {
			t.Errorf("fault %d: %d stage files are left", i, len(files))
		}
		if !failed {
			return
		}
		if err != nil && !errors.Is(err, disk.ErrInjected) {
			t.Logf("fault %d: %v", i, err)
		}
	}
}

// TestRest appends messages that rest, beside some that do not, also to another
// partition.
func TestRest(t *testing.T) {
	t.Parallel()
	e := memEnv(t)
	e.create(inbox)
	away := other
	away.Partition = "second"
	e.create(away)
	var msgs []AppendMessage
	for n := 1; n <= 5; n++ {
		st := e.stage(text(n) + strings.Repeat("0123456789abcde\n", (n-1)*stageMemory/40))
		defer st.Remove()
		if n > 2 {
			if err := st.Rest(); err != nil {
				t.Fatal(err)
			}
			if st.file != nil || st.msg != nil {
				t.Error("it does not rest")
			}
			if _, err := st.Write([]byte("x")); err == nil {
				t.Error("written while it rests")
			}
			st.err = nil
		}
		msgs = append(msgs, AppendMessage{Staged: st})
	}
	for _, r := range []Ref{inbox, away} {
		done, err := e.s.Append(ctx, r, msgs, AppendOptions{})
		if err != nil || len(done) != 5 {
			t.Fatalf("%+v, %v", done, err)
		}
		for i, m := range e.check(r).Live() {
			if size := len(text(i+1)) + i*stageMemory/40*16; len(m.Content) != size {
				t.Errorf("message %d has %d octets, not %d", i+1, len(m.Content), size)
			}
		}
	}
	b := make([]byte, 4)
	if n, err := msgs[4].Staged.ReadAt(b, 0); n != 4 || err != nil || string(b) != "From" {
		t.Errorf("%q, %v", b, err)
	}
	for i := range msgs {
		msgs[i].Staged.Remove()
	}
	if left, _ := e.fs.ReadDir("/s/spool/stage."); len(left) > 0 {
		t.Errorf("%d stage files are left", len(left))
	}
}
