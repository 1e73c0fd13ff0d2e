package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/lock"
)

const dbtoolUse = `Usage: %s [-C altconfig] <db file> <db backend> <action> [<key>] [<value>]
Usable Backends: flat, skiplist, quotalegacy, twoskip, pebble

Actions:
* show [<prefix>]
* get <key>
* set <key> <value>
* delete <key>
* dump - internal format dump
* consistent - check consistency
* repack - repack/checkpoint the DB (if supported)
* damage - start a commit then die during
* batch - read from stdin and execute commands
You may omit key or key/value and specify one per line on stdin
keys are terminated by tab or newline, values are terminated by newline
`

const relativePath = `
Sorry, you cannot use this tool with relative path names.
This is because some database backends do not
always do what you would expect with them.

Please use absolute pathnames instead.

`

// backends is what databases may be said to be.
var backends = []string{"flat", "skiplist", "quotalegacy", "twoskip", "pebble"}

// maxRecordTyped is the longest line that is read from standard input.
const maxRecordTyped = 64000

// dbtool is one run of cyr_dbtool.
type dbtool struct {
	*program
	conf     *config.Config
	db       cyrusdb.DB
	kind     string   // of what is there: the operand, or "pebble" behind a marker
	operands []string // path, backend, action, key, value
	create   bool
	together bool // -T
	convert  bool // -c
	unsorted bool // -M
}

// cyrDbtool shows and changes databases. Where a site's marker lies it works
// on what the marker stands for.
//
// Source: Cyrus imap/cyr_dbtool.c.
func cyrDbtool(p *program) int { return p.end((&dbtool{program: p}).run(context.Background())) }

func (d *dbtool) run(ctx context.Context) error {
	use := fmt.Sprintf(dbtoolUse, d.called)
	opts, operands, err := d.options("C:MTcnt", use, exMinusOne)
	if err != nil {
		return err
	}
	conf := ""
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'n':
			d.create = true
		case 'T':
			d.together = true
		case 'c':
			d.convert = true
		case 'M':
			d.unsorted = true
		}
	}
	if len(operands) < 3 {
		return d.misused(use, exMinusOne)
	}
	if operands[0][0] != '/' {
		fmt.Fprint(d.out, relativePath)
		return &exit{exOSErr, nil}
	}
	d.operands = operands
	if action := operands[2]; d.unsorted && !slices.Contains([]string{"show", "dump", "repack", "damage"}, action) {
		return fatal(exUsage, "-M: in a database with the order of old mailbox lists nothing can be looked up here")
	}
	if d.conf, err = d.configure(conf); err != nil {
		return err
	}
	if err := d.find(ctx); err != nil {
		return err
	}
	if operands[2] == "damage" {
		return d.damage(ctx)
	}
	if d.db, err = d.openOn(disk.OS()); err != nil {
		return err
	}
	defer d.db.Close()
	return d.act(ctx, operands[2])
}

// find says what is there, and with -c makes it what the operand says.
// Skiplist is not written; it stays what it is.
func (d *dbtool) find(ctx context.Context) error {
	fsys, path := disk.OS(), d.operands[0]
	d.kind = d.operands[1]
	if marker, err := cyrusdb.IsMarker(fsys, path); err == nil && marker {
		d.kind = "pebble"
		return nil
	}
	is, err := cyrusdb.Detect(fsys, path)
	if err != nil || is == "" || is == d.kind || !slices.Contains([]string{"twoskip", "flat"}, d.kind) || !d.convert {
		return nil // whether it is there is seen when it is opened
	}
	d.notice("cyrusdb: converting %s from %s to %s", path, is, d.kind)
	old, err := cyrusdb.Open(fsys, lock.NewTable(fsys, d.log), is, path, 0)
	if err != nil {
		return err
	}
	defer old.Close()
	return cyrusdb.WriteFile(ctx, fsys, d.kind, path, func(fn cyrusdb.ScanFunc) error { return old.Scan(ctx, nil, fn) })
}

// openOn opens the database that the operands name.
func (d *dbtool) openOn(fsys disk.FS) (cyrusdb.DB, error) {
	return d.openFile(fsys, d.conf, d.operands[1], d.operands[0], d.create)
}

// openDB opens a database that somebody has named.
func (p *program) openDB(c *config.Config, backend, path string, create bool) (cyrusdb.DB, error) {
	return p.openFile(disk.OS(), c, backend, path, create)
}

func (p *program) openFile(fsys disk.FS, c *config.Config, backend, path string, create bool) (cyrusdb.DB, error) {
	if !slices.Contains(backends, backend) {
		return nil, fatal(exConfig, "cyrusdb backend %s not supported", backend)
	}
	flags := cyrusdb.Flags(0)
	if create {
		flags = cyrusdb.Create
	}
	db, err := cyrusdb.OpenBehind(c, fsys, lock.NewTable(fsys, p.log), p.log, backend, path, flags)
	if e, ok := errors.AsType[*config.Error](err); ok {
		return nil, &exit{exConfig, e}
	}
	if err != nil {
		p.log.Error(fmt.Sprintf("DBERROR: opening %s: %v", path, err))
		return nil, fatal(exTempFail, "can't open database")
	}
	return db, nil
}

func (d *dbtool) act(ctx context.Context, action string) error {
	switch action {
	case "get", "set", "delete":
		return d.each(ctx, action)
	case "batch":
		return (&dbBatch{tool: d, out: bufio.NewWriter(d.out)}).run(ctx)
	case "show":
		return d.show(ctx)
	case "consistent":
		if err := d.consistent(ctx); err != nil {
			d.log.Error(err.Error())
			fmt.Fprintln(d.out, "No, not consistent")
		} else {
			fmt.Fprintln(d.out, "Yes, consistent")
		}
	case "consistency":
		if err := d.consistent(ctx); err != nil {
			d.log.Error(err.Error())
			fmt.Fprintf(d.out, "Consistency Error for %s\n", d.operands[0])
		}
	case "repack":
		if r, ok := d.db.(interface{ Repack(context.Context) error }); ok {
			if err := r.Repack(ctx); err != nil {
				d.log.Error(err.Error())
				fmt.Fprintln(d.out, "Failed to repack")
			}
		}
	case "dump":
		return d.dump(ctx)
	default:
		fmt.Fprintf(d.out, "Unknown action %s\n", action)
	}
	return nil
}

// dump prints how the records lie in the file, with the operand 3 also their
// values.
func (d *dbtool) dump(ctx context.Context) error {
	if d.kind != "twoskip" && d.kind != "skiplist" {
		return nil // nothing to print, as in Cyrus
	}
	detail := 0
	if len(d.operands) > 3 {
		detail, _ = strconv.Atoi(d.operands[3]) // what is no number is 0
	}
	w := bufio.NewWriter(d.out)
	defer w.Flush()
	if err := cyrusdb.Dump(ctx, disk.OS(), lock.NewTable(disk.OS(), d.log), d.operands[0], w, detail > 2); err != nil {
		d.log.Error(err.Error())
	}
	return nil
}

// consistent checks a database: as its format can, else by reading it all.
func (d *dbtool) consistent(ctx context.Context) error {
	if c, ok := d.db.(interface{ Consistent(context.Context) error }); ok {
		return c.Consistent(ctx)
	}
	return d.db.Scan(ctx, nil, func(_, _ []byte) (bool, error) { return true, nil })
}

// show prints the records whose keys begin with the operand, or all.
func (d *dbtool) show(ctx context.Context) error {
	w := bufio.NewWriter(d.out)
	defer w.Flush()
	prefix := []byte{}
	if len(d.operands) > 3 {
		prefix = []byte(d.operands[3])
	}
	return d.db.ScanPrefix(ctx, prefix, func(k, v []byte) (bool, error) {
		_, err := w.Write(slices.Concat(k, []byte{'\t'}, v, []byte{'\n'}))
		return err == nil, err
	})
}

// each does an action with the operands, or with the lines of standard input.
// With -T all changes are one transaction.
func (d *dbtool) each(ctx context.Context, action string) error {
	var tx cyrusdb.Tx
	do := func(key, value []byte) error {
		switch action {
		case "get":
			v, err := d.db.Get(ctx, key)
			if err != nil && !errors.Is(err, cyrusdb.ErrNotFound) {
				return err
			}
			_, err = d.out.Write(append(v, '\n'))
			return err
		case "set":
			tx.Put(key, value)
		case "delete":
			tx.Delete(key)
		}
		if d.together {
			return nil
		}
		defer func() { tx = cyrusdb.Tx{} }()
		return d.db.Commit(ctx, tx)
	}
	rest := d.operands[3:]
	switch {
	case len(rest) == 1 && action == "set":
		return d.misused(fmt.Sprintf(dbtoolUse, d.called), exMinusOne)
	case len(rest) == 1:
		rest = append(rest, "")
		fallthrough
	case len(rest) > 1:
		if err := do([]byte(rest[0]), []byte(rest[1])); err != nil {
			return err
		}
	default:
		if err := d.lines(do); err != nil {
			return err
		}
	}
	if len(tx.Set) > 0 {
		return d.db.Commit(ctx, tx)
	}
	return nil
}

// lines calls fn for each line of standard input, "key TAB value", up to one
// without a key.
func (d *dbtool) lines(fn func(key, value []byte) error) error {
	in := bufio.NewScanner(d.in)
	in.Buffer(nil, maxRecordTyped)
	in.Split(splitLines)
	for in.Scan() {
		key, value, _ := bytes.Cut(in.Bytes(), []byte{'\t'})
		if len(key) == 0 {
			return nil
		}
		if err := fn(clone(key), clone(value)); err != nil {
			return err
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return fatal(exDataErr, "stack overflow")
	}
	return in.Err()
}

// splitLines cuts at LF and leaves CR in the text.
func splitLines(data []byte, end bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if end && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// dbBatch is the action "batch": commands with IMAP's strings, one a line.
//
//	SHOW [prefix], GET key, SET key value, DELETE key, BEGIN, COMMIT, ABORT
type dbBatch struct {
	tool *dbtool
	out  *bufio.Writer
	tx   *cyrusdb.Tx // from BEGIN to COMMIT or ABORT, else nil
}

// The errors of batch, in Cyrus's words.
var (
	errBatchSyntax  = errors.New("Syntax error in parameters")
	errBatchCommand = errors.New("Mailbox does not exist")
	errBatchBegun   = errors.New("Mailbox is locked")
	errBatchNone    = errors.New("Item does not exist")
)

func (b *dbBatch) run(ctx context.Context) error {
	defer b.out.Flush()
	r := imapwire.NewReader(b.tool.in, imapwire.Limits{})
	for line := 1; ; line++ {
		if _, ok := r.Peek(); !ok {
			return nil
		}
		word := r.Word()
		key, value, err := batchArguments(r)
		if err == nil && word != "" {
			err = b.do(ctx, word, key, value)
		}
		if err != nil {
			b.out.Flush()
			fmt.Fprintf(b.tool.err, "FAILED: line %d at cmd %s with error %v\n", line, word, err)
			return nil
		}
	}
}

// batchArguments reads up to two strings and the end of the line.
func batchArguments(r *imapwire.Reader) (key, value string, err error) {
	for _, s := range []*string{&key, &value} {
		if r.Accept(' ') {
			if *s, err = r.AString(); err != nil {
				return "", "", errBatchSyntax
			}
		}
	}
	if !r.EOL() {
		return "", "", errBatchSyntax
	}
	return key, value, nil
}

func (b *dbBatch) do(ctx context.Context, word, key, value string) error {
	switch word {
	case "BEGIN":
		if b.tx != nil {
			return errBatchBegun
		}
		b.tx = &cyrusdb.Tx{}
	case "SHOW":
		return b.show(ctx, key)
	case "GET":
		v, ok, err := b.get(ctx, key)
		if ok {
			b.print([]byte(key), v)
		}
		return err
	case "SET", "DELETE":
		kv := cyrusdb.KV{Key: []byte(key)}
		if word == "SET" {
			kv.Value = append([]byte{}, value...)
		}
		return b.change(ctx, kv)
	case "COMMIT", "ABORT":
		if b.tx == nil {
			return errBatchNone
		}
		tx := *b.tx
		b.tx = nil
		if word == "COMMIT" {
			return b.tool.db.Commit(ctx, tx)
		}
	default:
		return errBatchCommand
	}
	return nil
}

func (b *dbBatch) change(ctx context.Context, kv cyrusdb.KV) error {
	if len(kv.Key) == 0 {
		return errBatchSyntax
	}
	if b.tx == nil {
		return b.tool.db.Commit(ctx, cyrusdb.Tx{Set: []cyrusdb.KV{kv}})
	}
	b.tx.Set = append(b.tx.Set, kv)
	return nil
}

// pending is what the transaction does to a key.
func (b *dbBatch) pending(key []byte) (kv cyrusdb.KV, ok bool) {
	if b.tx == nil {
		return kv, false
	}
	for _, kv := range slices.Backward(b.tx.Set) {
		if bytes.Equal(kv.Key, key) {
			return kv, true
		}
	}
	return kv, false
}

func (b *dbBatch) get(ctx context.Context, key string) ([]byte, bool, error) {
	if kv, ok := b.pending([]byte(key)); ok {
		return kv.Value, kv.Value != nil, nil
	}
	v, err := b.tool.db.Get(ctx, []byte(key))
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return nil, false, nil
	}
	return v, err == nil, err
}

// show prints the records with a prefix, as the transaction leaves them.
func (b *dbBatch) show(ctx context.Context, prefix string) error {
	all := map[string][]byte{}
	err := b.tool.db.ScanPrefix(ctx, []byte(prefix), func(k, v []byte) (bool, error) {
		if b.tx == nil {
			b.print(k, v)
		} else {
			all[string(k)] = clone(v)
		}
		return true, nil
	})
	if err != nil || b.tx == nil {
		return err
	}
	for _, kv := range b.tx.Set {
		switch {
		case !strings.HasPrefix(string(kv.Key), prefix):
		case kv.Value == nil:
			delete(all, string(kv.Key))
		default:
			all[string(kv.Key)] = kv.Value
		}
	}
	for _, k := range sortedKeys(all) {
		b.print([]byte(k), all[k])
	}
	return nil
}

func (b *dbBatch) print(key, value []byte) {
	line := imapwire.AppendAString(nil, string(key))
	line = imapwire.AppendAString(append(line, ' '), string(value))
	if _, err := b.out.Write(append(line, '\n')); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		b.tool.log.Error(err.Error()) // Flush tells it again
	}
}
