package quota

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"gocyrus/libcyrus/dlist"
	"gocyrus/libcyrus/mboxname"
)

// errValue means that a quota root's value cannot be read.
var errValue = errors.New("value of quota root is damaged")

// decode reads the value of a root.
//
//	%(S (<used> [<limit>]) M (…) AS (…) NF (…) [SCAN %(…)] [MODSEQ n])
//	<used> <limit> [<scan>] [M <used> <limit> …]       before Cyrus 2.5
//
// Source: quota_parseval in Cyrus imap/quota_db.c.
func decode(name mboxname.Name, value []byte) (*Root, error) {
	r := &Root{Name: name, Limit: NoLimits()}
	if len(value) == 0 || value[0] != '%' {
		return r, r.decodeOld(string(value))
	}
	d, err := dlist.Parse(value)
	if err != nil {
		return nil, err
	}
	for res := range names {
		item := d.Get(names[res].disk)
		if item.Len() > 0 {
			r.Used[res] = number(&item.Items[0], 0)
		}
		if item.Len() > 1 {
			r.Limit[res] = number(&item.Items[1], Unlimited)
		}
	}
	if s := d.Get("SCAN"); s != nil {
		r.scan = &scan{Mailbox: s.Text("MBOX")}
		for res := range names {
			r.scan.Used[res] = number(s.Get(names[res].disk), 0)
		}
	}
	r.Modseq = d.Num("MODSEQ")
	return r, nil
}

// number is a scalar's value; none is what stands for anything else, and
// for less than -1.
func number(n *dlist.Node, none int64) int64 {
	v, ok := n.Int()
	if !ok || v < Unlimited {
		return none
	}
	return v
}

// decodeOld reads the form of numbers between white space. The first
// resource is storage, each other has its name in front.
func (r *Root) decodeOld(value string) error {
	f := strings.Fields(value)
	for res := 0; ; {
		if len(f) < 2 {
			return errValue
		}
		used, err1 := strconv.ParseInt(f[0], 10, 64)
		limit, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 != nil || err2 != nil || used < 0 {
			return errValue
		}
		r.Used[res], r.Limit[res] = used, max(limit, Unlimited)
		f = f[2:]
		if len(f) > 0 {
			// what an interrupted "quota -f" of those days has left
			if _, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				f = f[1:]
			}
		}
		if len(f) == 0 {
			return nil
		}
		if res = byDiskName(f[0]); res < 0 {
			return errValue
		}
		f = f[1:]
	}
}

// byDiskName is the number of the resource with a name on disk, or -1.
func byDiskName(s string) int {
	for i := range names {
		if strings.EqualFold(names[i].disk, s) {
			return i
		}
	}
	return -1
}

// ByName is the resource with this IMAP name, in any case.
func ByName(name string) (Resource, bool) {
	for i := range names {
		if strings.EqualFold(names[i].imap, name) {
			return Resource(i), true
		}
	}
	return 0, false
}

// encode writes what decode reads, byte for byte as Cyrus does.
//
// Source: quota_write in Cyrus imap/quota_db.c.
func (r *Root) encode() []byte {
	d := dlist.NewKVList()
	for res := range names {
		item := dlist.NewList(dlist.Int("", r.Used[res]))
		if r.Limit[res] >= 0 {
			item.Add(dlist.Int("", r.Limit[res]))
		}
		d.Add(dlist.Sub(names[res].disk, item))
	}
	if r.scan != nil {
		s := dlist.NewKVList(dlist.Text("MBOX", r.scan.Mailbox))
		for res := range names {
			s.Add(dlist.Int(names[res].disk, r.scan.Used[res]))
		}
		d.Add(dlist.Sub("SCAN", s))
	}
	d.Add(dlist.Uint("MODSEQ", r.Modseq))
	return bytes.TrimRight(d.Encode(), "\n")
}
