// Davindex writes the index of Sieve scripts that Cyrus keeps in each user's
// dav.db. It is a program of its own because of SQLite, which "cyrus
// handback" needs here only.
//
// Usage: davindex < requests
//
// Each line of standard input is one user: a request in JSON. Nothing is
// printed if all is well.
//
// DIAGNOSTICS: the exit status is 65 for a request that cannot be read, which
// ends the program, 75 if a database cannot be written; standard error names
// them. The other users are done; it may be run again.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// request is what one user's dav.db is to say of his scripts.
type request struct {
	Database string   `json:"database"` // path; is made if it is not there
	Mailbox  string   `json:"mailbox"`  // unique id of #sieve
	Scripts  []script `json:"scripts"`
}

// script is one row of the index.
type script struct {
	UID           uint32 `json:"uid"`
	ID            string `json:"id"`
	Name          string `json:"name"`
	Content       string `json:"content"` // SHA-1 of the text, in hex
	Active        bool   `json:"active"`
	Created       int64  `json:"created"` // seconds since 1970
	Updated       int64  `json:"updated"`
	Modseq        uint64 `json:"modseq"`
	CreatedModseq uint64 `json:"createdmodseq"`
}

func main() {
	status, err := run(os.Stdin)
	if err != nil {
		fmt.Fprintf(os.Stderr, "davindex: %v\n", err)
	}
	os.Exit(status)
}

// run carries out all requests.
func run(in io.Reader) (status int, failed error) {
	dec := json.NewDecoder(bufio.NewReader(in))
	dec.DisallowUnknownFields()
	for {
		var r request
		err := dec.Decode(&r)
		if errors.Is(err, io.EOF) {
			return status, failed
		}
		if err == nil && (r.Database == "" || r.Mailbox == "") {
			err = errors.New("a request names no database or no mailbox")
		}
		if err != nil {
			return 65, errors.Join(failed, err)
		}
		if err := r.write(); err != nil {
			status, failed = 75, errors.Join(failed, fmt.Errorf("%s: %w", r.Database, err))
		}
	}
}
