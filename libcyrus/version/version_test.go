package version

import "testing"

func TestForms(t *testing.T) {
	defer func(v string) { Version = v }(Version)
	Version = "1.2.3"
	if got, want := Cyrus(), "3.6.1-gocyrus-1.2.3"; got != want {
		t.Errorf("Cyrus() = %q, want %q", got, want)
	}
	if got, want := Line(), "cyrus-imapd 3.6.1-gocyrus-1.2.3"; got != want {
		t.Errorf("Line() = %q, want %q", got, want)
	}
}
