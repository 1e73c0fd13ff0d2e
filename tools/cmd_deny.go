package main

import (
	"bufio"
	"context"
	"fmt"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/proc"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/userdeny"
)

const cyrDenyUse = `Usage: cyr_deny [-C <altconfig>] [ -s services ] [ -m message ] user
       cyr_deny [-C <altconfig>] -a user
       cyr_deny [-C <altconfig>] -l
`

// cyrDeny forbids users the use of services, and ends their sessions.
//
// Source: Cyrus imap/cyr_deny.c, which ends the processes of the user.
func cyrDeny(p *program) int { return p.end(p.cyrDeny(context.Background())) }

func (p *program) cyrDeny(ctx context.Context) error {
	opts, operands, err := p.options("C:alm:s:", cyrDenyUse, exUsage)
	if err != nil {
		return err
	}
	conf, mode := "", byte(0)
	entry := userdeny.Entry{Services: "*", Message: "Access to this service has been blocked"}
	given := false
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'm':
			entry.Message, given = o.Arg, true
		case 's':
			entry.Services, given = o.Arg, true
		default:
			if mode != 0 {
				return p.misused(cyrDenyUse, exUsage)
			}
			mode = o.Letter
		}
	}
	want := 1
	if mode == 'l' {
		want = 0
	}
	if len(operands) != want || mode != 0 && given {
		return p.misused(cyrDenyUse, exUsage)
	}
	s, err := p.openSite(conf)
	if err != nil {
		return err
	}
	defer s.Close()
	switch mode {
	case 'l':
		return p.listDenied(ctx, s)
	case 'a':
		err = s.UserDeny.Remove(ctx, operands[0])
	default:
		if err = s.UserDeny.Set(ctx, operands[0], entry); err == nil {
			p.endSessions(s.Config, operands[0])
		}
	}
	if err != nil {
		verb := "deny"
		if mode == 'a' {
			verb = "allow"
		}
		return &exit{exFailure, fmt.Errorf("cyr_deny: failed to %s access for %s: %w", verb, operands[0], err)}
	}
	return nil
}

func (p *program) listDenied(ctx context.Context, s *site.Site) error {
	w := bufio.NewWriter(p.out)
	defer w.Flush()
	line := func(user, services, message string) { fmt.Fprintf(w, "%-30s %-20s %s\n", user, services, message) }
	line("Username", "Service(s)", "Message")
	return s.UserDeny.Each(ctx, func(user string, e userdeny.Entry) error {
		line(user, e.Services, e.Message)
		return nil
	})
}

// endSessions ends the sessions of a user. What cannot be reached has ended
// already.
func (p *program) endSessions(c *config.Config, user string) {
	if err := proc.End(config.Configdirectory.In(c), proc.Dir(c), proc.Which{User: user}); err != nil {
		p.log.Info("sessions cannot be ended", "user", user, "error", err)
	}
}
