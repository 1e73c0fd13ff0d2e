package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
)

const cvtCyrusdbUse = `Usage: %s [-C altconfig] <old db> <old db backend> <new db> <new db backend>
Usable Backends:  : flat, skiplist, quotalegacy, twoskip, pebble
`

// cvtCyrusdb copies a database into one of another kind. Skiplist becomes
// twoskip, which Cyrus opens as well. Pebble is what a site's marker stands for.
//
// Source: Cyrus imap/cvt_cyrusdb.c, which ends with status 0 also if it failed.
func cvtCyrusdb(p *program) int { return p.end(p.cvtCyrusdb(context.Background())) }

func (p *program) cvtCyrusdb(ctx context.Context) error {
	use := fmt.Sprintf(cvtCyrusdbUse, p.called)
	opts, operands, err := p.options("C:", use, exMinusOne)
	if err != nil {
		return err
	}
	conf := ""
	for _, o := range opts {
		conf = o.Arg
	}
	if len(operands) != 4 {
		return p.misused(use, exMinusOne)
	}
	from, fromKind, to, toKind := operands[0], operands[1], operands[2], operands[3]
	if from == "" || to == "" || from[0] != '/' || to[0] != '/' {
		fmt.Fprint(p.out, relativePath)
		return &exit{exOSErr, nil}
	}
	if filepath.Clean(from) == filepath.Clean(to) {
		return fatal(exTempFail, "no conversion required")
	}
	c, err := p.configure(conf)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Converting from %s (%s) to %s (%s)\n", from, fromKind, to, toKind)
	if err := p.convert(ctx, c, operands); err != nil {
		if e, ok := errors.AsType[*exit](err); ok && e.status == exConfig {
			return err
		}
		p.log.Error(fmt.Sprintf("DBERROR: converting %s: %v", from, err))
		fmt.Fprint(p.out, "\nDBERROR: Conversion failed. Check syslog for details.\n")
		return &exit{exTempFail, nil}
	}
	return nil
}

// convert copies all records; what is in the new database already stays.
func (p *program) convert(ctx context.Context, c *config.Config, operands []string) error {
	old, err := p.openDB(c, operands[1], operands[0], false)
	if err != nil {
		return err
	}
	defer old.Close()
	next, err := p.openDB(c, operands[3], operands[2], true)
	if err != nil {
		return err
	}
	defer next.Close()
	return copyRecords(ctx, old, next)
}

// copyBatch is how many records are copied in one transaction.
const copyBatch = 1000

// copyRecords copies all records.
func copyRecords(ctx context.Context, from, to cyrusdb.DB) error {
	var tx cyrusdb.Tx
	flush := func() error {
		defer func() { tx = cyrusdb.Tx{} }()
		return to.Commit(ctx, tx)
	}
	err := from.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		tx.Put(clone(k), clone(v))
		if len(tx.Set) < copyBatch {
			return true, nil
		}
		return true, flush()
	})
	if err == nil && len(tx.Set) > 0 {
		err = flush()
	}
	return err
}
