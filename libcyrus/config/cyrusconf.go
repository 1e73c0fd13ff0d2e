package config

// CyrusConf is what a cyrus.conf says: what master starts. Each section
// has its entries in the order of the file.
type CyrusConf struct {
	Start, Services, Events, Daemon []Entry
}

// Entry is one line of a section of cyrus.conf.
type Entry struct {
	Name string // "imap"; ASCII letters and digits
	File string // where the entry stands
	Line int    // first is 1
	args []KeyValue
}

// LoadCyrusConf reads the file at path, or at DefaultCyrusConf if path is
// "". A path that ends in .toml is read as TOML. The error is an *Error.
func LoadCyrusConf(path string) (*CyrusConf, []Warning, error) { panic("later") }

// Get returns the value of a key, and whether the entry has it.
func (e *Entry) Get(key string) (string, bool) { panic("later") }

// String returns the value of a key, or def if the entry does not have it.
func (e *Entry) String(key, def string) string { panic("later") }

// Int returns the number at key, or def if the entry does not have it. The
// error is an *Error that names file and line.
func (e *Entry) Int(key string, def int) (int, error) { panic("later") }

// Switch returns the switch at key, or def if the entry does not have it or
// its value is no switch.
func (e *Entry) Switch(key string, def bool) bool { panic("later") }
