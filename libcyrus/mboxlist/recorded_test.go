package mboxlist_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
	"gocyrus/test/data"
)

// TestRecordedLists does what was done to a real server in eight
// configurations, and compares every answer to LIST with the real one.
func TestRecordedLists(t *testing.T) {
	for i := 1; i <= 8; i++ {
		name := fmt.Sprintf("list/list-%d.json", i)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rec struct {
				Config struct {
					Altnamespace, Unixhierarchysep bool
					Virtdomains                    string
				}
				Setup [][]string
				List  []struct {
					User, Pattern string
					Answer        [][2]string
				}
			}
			if err := json.Unmarshal(data.Read(t, name), &rec); err != nil {
				t.Fatal(err)
			}
			conf := strings.NewReplacer("altnamespace: no\n", "", "unixhierarchysep: yes\n", "").Replace(base)
			conf += fmt.Sprintf("altnamespace: %v\nunixhierarchysep: %v\nvirtdomains: %s\ndefaultdomain: reference.example.org\n",
				rec.Config.Altnamespace, rec.Config.Unixhierarchysep, rec.Config.Virtdomains)
			s := openText(t, newDisk(t), conf)
			defer s.Close()
			for _, step := range rec.Setup {
				setup(t, s, step)
			}
			for _, l := range rec.List {
				who := user(l.User)
				if l.User == "cyrus" {
					who = admin
				}
				if got := list(t, s, who, l.Pattern); !slices.Equal(got, l.Answer) {
					t.Errorf("%s LIST %q:\ngot  %q\nwant %q", l.User, l.Pattern, got, l.Answer)
				}
			}
		})
	}
}

// setup does one recorded step of the admin.
func setup(t *testing.T, s *site.Site, step []string) {
	t.Helper()
	ns := s.Namespace("cyrus", true)
	answer := step[len(step)-1]
	n, err := ns.Internal(step[1])
	if err == nil && step[0] == "create" {
		_, err = s.List.Create(ctx, admin, n, mboxlist.CreateOptions{})
	} else if err == nil {
		err = s.List.SetACL(ctx, admin, n, s.Names.UserID(step[2]), step[3])
	}
	if got := reply(err); got != answer {
		t.Errorf("%q: %s (%v)", step, got, err)
	}
}

// reply words an error as the real server does.
func reply(err error) string {
	if err == nil {
		return "OK Completed"
	}
	return "NO " + errs.KindOf(err).String()
}

// list is an answer to LIST: attributes and names.
func list(t *testing.T, s *site.Site, who mboxlist.Actor, pattern string) (got [][2]string) {
	t.Helper()
	ns := s.Namespace(who.User, who.Admin)
	o := mboxlist.ListOptions{Patterns: []mboxname.Matcher{ns.NewMatcher(pattern)}}
	err := s.List.Each(ctx, who, ns, o, func(l mboxlist.Listed) error {
		var flags []string
		if l.NoInferiors {
			flags = append(flags, `\Noinferiors`)
		}
		if l.Entry == nil {
			flags = append(flags, `\Noselect`)
		}
		if l.HasChildren {
			flags = append(flags, `\HasChildren`)
		} else {
			flags = append(flags, `\HasNoChildren`)
		}
		if l.Name.Owner() == who.User {
			uses, err := s.List.SpecialUses(ctx, l.Entry)
			if err != nil {
				return err
			}
			flags = append(flags, uses...)
		}
		got = append(got, [2]string{strings.Join(flags, " "), l.External})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
