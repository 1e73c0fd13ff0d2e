package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
)

// boxesOfUser is how many mailboxes a user has whose site is taken over.
const boxesOfUser = 10

// takeOver measures how long ctl_cyrusdb -r takes for a mailbox list of Cyrus
// 3.4 with n mailboxes; with ids each has its unique id in the list, so that
// no mailbox needs to be looked at, and without each has it in its
// cyrus.header, and 4 in 1000 nowhere.
func takeOver(bin string, n int, ids bool) error {
	dir, err := os.MkdirTemp("", "takeover")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	conf := filepath.Join(dir, "imapd.conf")
	text := fmt.Sprintf("configdirectory: %s/conf\npartition-default: %[1]s/spool\nhashimapspool: yes\ncyrus_user: root\ncyrus_group: root\n", dir)
	if err := os.MkdirAll(filepath.Join(dir, "conf"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	if err := oldSite(dir, n, ids); err != nil {
		return err
	}
	program, err := filepath.Abs(filepath.Join(bin, "cyrus"))
	if err != nil {
		return err
	}
	commands := [][]string{{"ctl_cyrusdb", "-C", conf, "-r"}}
	if !ids { // --check looks at all mailboxes
		commands = append([][]string{{"takeover", "-C", conf, "--check"}}, commands...)
	}
	for _, args := range commands {
		c := exec.Command(program, args...)
		c.Stderr = os.Stderr
		began := time.Now()
		if out, err := c.Output(); err != nil {
			return fmt.Errorf("%v: %w\n%s", args, err, out)
		}
		took := time.Since(began)
		busy := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		fmt.Printf("cyrus %s: %d mailboxes, ids in the list: %v: %.1f s (%.1f s of processor time), %.0f mailboxes/s\n",
			args[0], n, ids, took.Seconds(), busy.Seconds(), float64(n)/took.Seconds())
	}
	return nil
}

// oldSite writes the list, and without ids the heads of all mailboxes.
func oldSite(dir string, n int, ids bool) error {
	records := make([]cyrusdb.KV, n)
	for i := range records {
		user := fmt.Sprintf("%c%06d", 'a'+i/boxesOfUser%26, i/boxesOfUser)
		name, path := "user."+user, filepath.Join("user", user)
		if box := i % boxesOfUser; box > 0 {
			name, path = fmt.Sprintf("%s.folder%02d", name, box), filepath.Join(path, fmt.Sprintf("folder%02d", box))
		}
		id := mailbox.NewUniqueID()
		value := fmt.Sprintf("%%(A %%(%s lrswipkxtecdan) P default V %d F 1 M %d)", user, 1700000000+i, 1700000000+i)
		if ids {
			value = fmt.Sprintf("%%(A %%(%s lrswipkxtecdan) I %s P default V %d F 1 M %d)", user, id, 1700000000+i, 1700000000+i)
		} else if i%250 == 0 {
			id = ""
		}
		records[i] = cyrusdb.KV{Key: []byte(name), Value: []byte(value)}
		if ids {
			continue
		}
		if err := oldBox(filepath.Join(dir, "spool", user[:1], path), user, id); err != nil {
			return err
		}
	}
	slices.SortFunc(records, func(a, b cyrusdb.KV) int { return bytes.Compare(a.Key, b.Key) })
	return cyrusdb.WriteFile(context.Background(), disk.OS(), "twoskip", filepath.Join(dir, "conf", "mailboxes.db"), func(fn cyrusdb.ScanFunc) error {
		for _, r := range records {
			if _, err := fn(r.Key, r.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// oldBox writes cyrus.header and an empty cyrus.index of version 10.
func oldBox(dir, user, id string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	header := "\xa1\x02\x8b\x0dCyrus mailbox header\n\"The best thing about this system was that it had lots of goals.\"\n\t--Jim Morris on Andrew\n" +
		"\t" + id + "\n\n" + user + "\tlrswipkxtecdan\t\n"
	if err := os.WriteFile(filepath.Join(dir, "cyrus.header"), []byte(header), 0o600); err != nil {
		return err
	}
	index := make([]byte, 96)
	index[11], index[15], index[19] = 10, 96, 88
	return os.WriteFile(filepath.Join(dir, "cyrus.index"), index, 0o600)
}
