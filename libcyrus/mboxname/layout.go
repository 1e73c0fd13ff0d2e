package mboxname

import (
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/errs"
)

// Layout says where files lie. Its methods are pure: nothing is looked up.
type Layout struct {
	ConfigDir         string            // configdirectory
	Partitions        map[string]string // partition-NAME
	MetaPartitions    map[string]string // metapartition-NAME
	ArchivePartitions map[string]string // archivepartition-NAME
	MetaDirs          map[string]string // metadir-KIND-NAME, by "KIND-NAME"
	MetaFiles         map[MetaFile]bool // metapartition_files
	HashSpool         bool              // hashimapspool
	FullHash          bool              // fulldirhash
	LockDir           string            // mboxname_lockpath; "" is ConfigDir/lock
	QuotaDir          string            // quota_db_path; "" is ConfigDir/quota, and domains beside it
	SieveDir          string            // sievedir
	DeletedPrefix     string            // deletedprefix
}

// MetaFile is a file of a mailbox other than a message.
type MetaFile string

// The files of a mailbox, by their names in metapartition_files.
const (
	Header       MetaFile = "header"
	Index        MetaFile = "index"
	Cache        MetaFile = "cache"
	Expunge      MetaFile = "expunge"
	Squat        MetaFile = "squat"
	Annotations  MetaFile = "annotations"
	DAV          MetaFile = "dav"
	ArchiveCache MetaFile = "archivecache"
)

// metaFiles has each file's name on disk and the key of its metadir option.
var metaFiles = map[MetaFile]struct{ file, dirKey string }{
	Header:       {"cyrus.header", "header"},
	Index:        {"cyrus.index", "index"},
	Cache:        {"cyrus.cache", "cache"},
	Expunge:      {"cyrus.expunge", ""},
	Squat:        {"cyrus.squat", "squat"},
	Annotations:  {"cyrus.annotations", "index"},
	DAV:          {"cyrus.dav", "dav"},
	ArchiveCache: {"cyrus.cache", "archivecache"},
}

// FileName is the name of the file in its directory.
func (m MetaFile) FileName() string { return metaFiles[m].file }

// spot is the path of a mailbox below a root: by unique id, or, with
// legacy, by name.
func (l *Layout) spot(root string, n Name, uniqueID string, legacy bool) (string, error) {
	if legacy {
		return l.byName(root, n), nil
	}
	if !ValidID(uniqueID) {
		return "", errs.New(errs.BadFormat, "mboxname.Layout", string(n), errBadID)
	}
	return byID(root, uniqueID), nil
}

// byID is the directory of a unique id below root.
func byID(root, id string) string {
	return root + "/uuid/" + id[:1] + "/" + id[1:2] + "/" + id
}

// ValidID reports whether id can be a directory's name: two bytes at
// least, letters, digits, '-' and '_'.
func ValidID(id string) bool {
	if len(id) < 2 || len(id) > 128 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// byName is the legacy directory of n below root.
//
// Source: mboxname_hash in Cyrus imap/mboxname.c.
func (l *Layout) byName(root string, n Name) string {
	p := n.Parts(l.DeletedPrefix)
	var b strings.Builder
	b.WriteString(root)
	if p.Domain != "" {
		b.WriteString("/domain/")
		if l.HashSpool {
			b.WriteString(DirHash(p.Domain, l.FullHash) + "/")
		}
		b.WriteString(p.Domain)
	}
	c := strings.Split(string(n.Local()), ".")
	if l.HashSpool && c[0] != "" {
		of := c[0]
		if len(c) > 1 {
			of = c[1]
		}
		b.WriteString("/" + DirHash(strings.ReplaceAll(of, "^", "."), l.FullHash))
	}
	for _, s := range c {
		b.WriteString("/" + s)
	}
	return b.String()
}

// Root is the data root of a partition.
func (l *Layout) Root(partition string) (string, error) {
	if root := l.Partitions[partition]; root != "" {
		return root, nil
	}
	return "", errs.New(errs.BadPartition, "mboxname.Layout", partition, nil)
}

// MailboxDir is the directory of the messages of a mailbox. legacy is the
// flag l of its type. The error is of kind errs.BadPartition if the
// partition is not configured, errs.BadFormat if the id cannot be a path.
func (l *Layout) MailboxDir(partition string, n Name, uniqueID string, legacy bool) (string, error) {
	root, err := l.Root(partition)
	if err != nil {
		return "", err
	}
	return l.spot(root, n, uniqueID, legacy)
}

// ArchiveDir is the directory of the archived messages of a mailbox; the
// same as MailboxDir without an archive partition.
func (l *Layout) ArchiveDir(partition string, n Name, uniqueID string, legacy bool) (string, error) {
	if root := l.ArchivePartitions[partition]; root != "" {
		return l.spot(root, n, uniqueID, legacy)
	}
	return l.MailboxDir(partition, n, uniqueID, legacy)
}

// MetaDir is the directory in which a file of a mailbox lies.
//
// Source: mboxname_metapath in Cyrus imap/mboxname.c.
func (l *Layout) MetaDir(m MetaFile, partition string, n Name, uniqueID string, legacy bool) (string, error) {
	root := ""
	if k := metaFiles[m].dirKey; k != "" {
		root = l.MetaDirs[k+"-"+partition]
	}
	if root == "" && l.MetaFiles[m] {
		root = l.MetaPartitions[partition]
	}
	if root == "" && m == ArchiveCache {
		root = l.ArchivePartitions[partition]
	}
	if root == "" {
		return l.MailboxDir(partition, n, uniqueID, legacy)
	}
	return l.spot(root, n, uniqueID, legacy)
}

// MetaPath is the path of a file of a mailbox.
func (l *Layout) MetaPath(m MetaFile, partition string, n Name, uniqueID string, legacy bool) (string, error) {
	dir, err := l.MetaDir(m, partition, n, uniqueID, legacy)
	return dir + "/" + m.FileName(), err
}

// Dirs is every directory that a mailbox has, the one of its messages
// first, without repetitions.
func (l *Layout) Dirs(partition string, n Name, uniqueID string, legacy bool) ([]string, error) {
	first, err := l.MailboxDir(partition, n, uniqueID, legacy)
	if err != nil {
		return nil, err
	}
	dirs := []string{first}
	add := func(d string) {
		for _, have := range dirs {
			if have == d {
				return
			}
		}
		dirs = append(dirs, d)
	}
	if d, err := l.ArchiveDir(partition, n, uniqueID, legacy); err == nil {
		add(d)
	}
	for _, m := range []MetaFile{Header, Index, Cache, Expunge, Squat, Annotations, DAV, ArchiveCache} {
		if d, err := l.MetaDir(m, partition, n, uniqueID, legacy); err == nil {
			add(d)
		}
	}
	return dirs, nil
}

// StageDir is where messages are written before they are linked into a
// mailbox of the partition.
func (l *Layout) StageDir(partition string) (string, error) {
	root, err := l.Root(partition)
	return root + "/stage.", err
}

// LockPath is the file of a name lock. A lock's name is UserLock's, a
// mailbox's unique id (or its internal name if it has legacy
// directories), or a special one such as "$QUOTACHANGE".
func (l *Layout) LockPath(lockName string) string {
	root := l.LockDir
	if root == "" {
		root = l.ConfigDir + "/lock"
	}
	return l.byName(root, Name(lockName)) + ".lock"
}

// UserLock is the name of a user's namespace lock; with "" that of all
// shared mailboxes.
func UserLock(userID string) string {
	return "*U*" + strings.ReplaceAll(userID, ".", "^")
}

// NamespaceLock is the name of the namespace lock that covers n, which
// also for a deleted mailbox is its user's.
func (l *Layout) NamespaceLock(n Name) string { return UserLock(n.OwnerOf(l.DeletedPrefix)) }

// MailboxLock is the name of the lock of one mailbox.
func MailboxLock(n Name, uniqueID string, legacy bool) string {
	if legacy {
		return string(n)
	}
	return uniqueID
}

// QuotaPath is the file of a quota root; for "dom!", a whole domain, it is
// the file "root".
//
// Source: hash_quota in Cyrus lib/cyrusdb_quotalegacy.c.
func (l *Layout) QuotaPath(root Name) string {
	return quotaPath(l.QuotaRootDir(), root, l.FullHash)
}

// QuotaRootDir is the directory of the quota roots of the default domain.
func (l *Layout) QuotaRootDir() string {
	if l.QuotaDir != "" {
		return l.QuotaDir
	}
	return l.ConfigDir + "/quota/"
}

func quotaPath(dir string, root Name, full bool) string {
	d, r := root.split()
	base := filepath.Dir(filepath.Clean(dir))
	if d != "" || strings.HasSuffix(string(root), "!") {
		dir = base + "/domain/" + DirHash(d, full) + "/" + d + "/quota"
		if r == "" {
			return dir + "/root"
		}
	}
	of := r
	if _, after, ok := strings.Cut(r, "."); ok {
		of = after
	}
	return filepath.Clean(dir) + "/" + DirHash(of, full) + "/" + r
}
