package mboxlist

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// bare is a list that can only write operations down.
func bare(fsys disk.FS, dir string) *List {
	return New(Options{FS: fsys, Locks: lock.NewTable(fsys, nil), Layout: &mboxname.Layout{ConfigDir: dir}, Log: slog.New(slog.DiscardHandler)})
}

// TestJournalOfOthers writes operations down while others look for interrupted
// ones: nobody touches those that are being done.
func TestJournalOfOthers(t *testing.T) {
	dir := t.TempDir()
	op := &operation{Version: formatVersion + 1, Steps: []step{{Do: stepFiles, Name: "user.x"}}} // whoever reads it moves it away
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		other := bare(disk.OS(), dir)
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					other.Resume(context.Background())
				}
			}
		})
	}
	l := bare(disk.OS(), dir)
	for range 40 {
		e, err := l.writeDown(context.Background(), op)
		if err != nil {
			t.Error(err)
			break
		}
		if _, err := l.o.FS.Stat(e.path); err != nil {
			t.Error(err)
		}
		e.done()
	}
	close(stop)
	all.Wait()
	left, err := l.o.FS.ReadDir(l.journalDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestUnreadableOperation: a file that nobody understands is set aside once; one
// that a power cut has left without all of its contents is removed.
func TestUnreadableOperation(t *testing.T) {
	m := disk.NewMem()
	if err := m.MkdirAll("/c/unfinished", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile("/c/unfinished/1", []byte(`{"Version":1,"Steps":[{"Do":"nothing","Name":"user.x"}]}`)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"2.NEW": "", "3": "", "4": `{"Version":1,"Ste`, "5": "\x00\x00\x00\x00"} { // never begun
		if err := m.WriteFile("/c/unfinished/"+name, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	l := bare(m, "/c")
	l.Resume(context.Background())
	l.Resume(context.Background())
	left, err := m.ReadDir("/c/unfinished")
	if err != nil || len(left) != 1 || left[0].Name() != "1.bad" {
		t.Errorf("%v, %v", names(left), err)
	}
}

func names(all []fs.DirEntry) string {
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintln(&b, e.Name())
	}
	return b.String()
}

func FuzzParseOperation(f *testing.F) {
	f.Add([]byte(`{"Version":1,"Session":"s","Steps":[{"Do":"move","Name":"user.a","ID":"ab","To":"user.b","Type":"el"}]}`))
	f.Add([]byte(`{"Version":1,"Steps":[{"Do":"make","Name":"user.a","ID":"../x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		op, err := parseOperation(data)
		if err != nil {
			return
		}
		for _, s := range op.Steps {
			if s.ID != "" && !mboxname.ValidID(s.ID) {
				t.Errorf("id %q", s.ID)
			}
		}
		again, err := json.Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		if op2, err := parseOperation(again); err != nil || !reflect.DeepEqual(op, op2) {
			t.Errorf("%+v became %+v, %v", op, op2, err)
		}
	})
}
