package main

import (
	"context"
	"errors"
	"os"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
)

// dying is a file system whose user dies when it first syncs a file: what has
// been written until then is there.
type dying struct{ disk.FS }

// death is what the death throws.
type death struct{}

func (d dying) OpenFile(name string, flag int, perm os.FileMode) (disk.File, error) {
	f, err := d.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return dyingFile{f}, nil
}

type dyingFile struct{ disk.File }

func (dyingFile) Sync() error     { panic(death{}) }
func (dyingFile) Datasync() error { panic(death{}) }

// damage begins to store a record and dies, to see what recovery makes of
// it. The record is Cyrus's.
func (d *dbtool) damage(ctx context.Context) (err error) {
	if d.kind == "pebble" {
		return fatal(exUnavailable, "action damage is not supported in cyrusdbd")
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case death{}:
			err = fatal(exSoftware, "died while storing a record, as it was asked to")
		default:
			panic(p)
		}
	}()
	db, err := d.openOn(dying{disk.OS()})
	if err != nil {
		return err
	}
	defer db.Close()
	tx := cyrusdb.Tx{}
	tx.Put([]byte("INVALID"), []byte("CRASHME"))
	return errors.Join(db.Commit(ctx, tx), errors.New("there was nothing to die of"))
}
