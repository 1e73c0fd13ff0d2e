package main

import (
	"context"
	"os"
	"sync"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/site"
)

// stampEvery is how often it is looked whether the mailbox list, annotations
// or subscriptions have changed, while some session wants to know. A look
// takes a microsecond.
const stampEvery = 10 * time.Millisecond

// maxStats is how many files of subscriptions are looked at in one round; with
// more sessions each has its turn less often.
const maxStats = 100

// stamp is another one after a change.
type stamp struct {
	number   uint64 // of cyrusdbd's generation page
	size, at int64  // of a file
	inode    uint64
}

// stamps looks for changes of what inotify does not tell of, for all sessions
// of a process that have asked for it by NOTIFY.
type stamps struct {
	site *site.Site

	mu   sync.Mutex
	all  []*notifier
	next int // whose subscriptions are looked at next
	stop chan struct{}

	list, annotations stamp
	moving            int // rounds for which the list has been changing
}

// For how many rounds a list that goes on changing is waited for: a rename of
// many mailboxes is one change to a client. Of our own operations it is known
// that they go on.
const (
	maxMoving = 5
	maxBusy   = 100
)

// add begins to tell n of changes.
func (t *stamps) add(n *notifier) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all = append(t.all, n); len(t.all) == 1 {
		t.list, t.annotations = t.look(dbd.Mailboxes), t.look(dbd.Annotations)
		t.stop = make(chan struct{})
		go t.run(t.stop)
	}
}

// remove ends that.
func (t *stamps) remove(n *notifier) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, m := range t.all {
		if m == n {
			t.all = append(t.all[:i:i], t.all[i+1:]...)
			if len(t.all) == 0 {
				close(t.stop)
			}
			return
		}
	}
}

func (t *stamps) run(stop chan struct{}) {
	tick := time.NewTicker(stampEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			t.round()
		}
	}
}

// round looks once.
func (t *stamps) round() {
	t.mu.Lock()
	defer t.mu.Unlock()
	list, annotations := t.look(dbd.Mailboxes), t.look(dbd.Annotations)
	settled := false
	if moves := list != t.list; moves || t.moving > 0 {
		t.moving++
		busy := t.moving < maxBusy && t.site.List.Busy()
		settled = !busy && (!moves || t.moving >= maxMoving)
		if settled {
			t.moving = 0
		}
	}
	for _, n := range t.all {
		if settled {
			n.poke(changedList)
		}
		if annotations != t.annotations {
			n.poke(changedAnnotations)
		}
	}
	t.list, t.annotations = list, annotations
	for range min(len(t.all), maxStats) {
		n := t.all[t.next%len(t.all)]
		t.next++
		if n.subscriptions == "" {
			continue
		}
		if now := ofFile(n.subscriptions); now != n.lastSubs {
			n.lastSubs = now
			n.poke(changedSubscriptions)
		}
	}
}

// look is the stamp of a database of the site.
func (t *stamps) look(name dbd.Name) stamp {
	if t.site.Server != nil {
		n, _ := t.site.Server.DB(name).Changes()
		return stamp{number: n}
	}
	option, file := config.MboxlistDbPath, "/mailboxes.db"
	if name == dbd.Annotations {
		option, file = config.AnnotationDbPath, "/annotations.db"
	}
	path := option.In(t.site.Config)
	if path == "" {
		path = config.Configdirectory.In(t.site.Config) + file
	}
	return ofFile(path)
}

// ofFile is the stamp of a file.
func ofFile(path string) stamp {
	fi, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	s := stamp{size: fi.Size(), at: fi.ModTime().UnixNano()}
	s.inode = inodeOf(fi)
	return s
}

// subscriptionsOf is the file of a user's subscriptions.
func (s *session) subscriptionsOf() string {
	path, err := s.site.Subs.Path(context.WithoutCancel(s.ctx), s.who.User)
	if err != nil {
		return ""
	}
	return path
}
