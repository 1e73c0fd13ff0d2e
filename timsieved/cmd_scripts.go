package main

import (
	"errors"
	"fmt"

	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
)

const noName = "Did not specify script name"

// checkScript is CHECKSCRIPT (RFC 5804 section 2.12).
func (s *session) checkScript() error {
	text, err := s.oneText("CHECKSCRIPT", "Did not specify legal script data length")
	if err != nil {
		return err
	}
	if _, err := sieve.Parse([]byte(text), s.rules); err != nil {
		return err
	}
	return s.ok()
}

// putScript is PUTSCRIPT (RFC 5804 section 2.6).
func (s *session) putScript() error {
	name, err := s.firstText("PUTSCRIPT", noName)
	if err != nil {
		return err
	}
	text, err := s.r.text("Did not specify legal script data length")
	if err == nil {
		err = s.r.eol()
	}
	if err == nil {
		err = s.scripts.Put(s.ctx, name, []byte(text))
	}
	if err != nil {
		return err
	}
	return s.ok()
}

// firstText reads a blank, a string and another blank.
func (s *session) firstText(command, wrong string) (string, error) {
	return s.oneBefore(command, wrong, "Expected SPACE")
}

// oneBefore is firstText with other words for the second blank.
func (s *session) oneBefore(command, wrong, noSpace string) (string, error) {
	if err := s.r.space("SPACE must occur after " + command); err != nil {
		return "", err
	}
	text, err := s.r.text(wrong)
	if err == nil {
		err = s.r.space(noSpace)
	}
	return text, err
}

// getScript is GETSCRIPT (RFC 5804 section 2.9).
func (s *session) getScript() error {
	name, err := s.oneText("GETSCRIPT", noName)
	if err != nil {
		return err
	}
	x, err := s.scripts.Get(s.ctx, name)
	if err != nil {
		return err
	}
	s.w.Line(literal(string(x.Text)))
	return s.ok()
}

// listScripts is LISTSCRIPTS (RFC 5804 section 2.7).
func (s *session) listScripts() error {
	if err := s.r.eol(); err != nil {
		return err
	}
	all, err := s.scripts.List(s.ctx)
	if err != nil {
		return err
	}
	for i := range all {
		line := quote(all[i].Name)
		if all[i].Active {
			line += " ACTIVE"
		}
		s.w.Line(line)
	}
	return s.ok()
}

// setActive is SETACTIVE (RFC 5804 section 2.8).
func (s *session) setActive() error {
	name, err := s.oneText("SETACTIVE", noName)
	if err == nil {
		err = s.scripts.Activate(s.ctx, name)
	}
	if err != nil {
		return err
	}
	return s.ok()
}

// deleteScript is DELETESCRIPT (RFC 5804 section 2.10).
func (s *session) deleteScript() error {
	name, err := s.oneText("DELETESCRIPT", noName)
	if err == nil {
		err = s.scripts.Delete(s.ctx, name)
	}
	if err != nil {
		return err
	}
	return s.ok()
}

// renameScript is RENAMESCRIPT (RFC 5804 section 2.11.1).
func (s *session) renameScript() error {
	from, err := s.firstText("RENAMESCRIPT", "Did not specify old script name")
	if err != nil {
		return err
	}
	to, err := s.r.text("Did not specify new script name")
	if err == nil {
		err = s.r.eol()
	}
	switch {
	case err != nil:
		return err
	case !scripts.ValidName(from):
		return refusal{"", "Invalid old script name"}
	case !scripts.ValidName(to):
		return refusal{"", "Invalid new script name"}
	}
	err = s.scripts.Rename(s.ctx, from, to)
	switch {
	case errors.Is(err, scripts.ErrNotFound):
		return refusal{"NONEXISTENT", fmt.Sprintf("Script %s does not exist", from)}
	case errors.Is(err, scripts.ErrExists):
		return refusal{"ALREADYEXISTS", fmt.Sprintf("Script %s already exists.", to)}
	case err != nil:
		return err
	}
	return s.ok()
}

// haveSpace is HAVESPACE (RFC 5804 section 2.5).
func (s *session) haveSpace() error {
	name, err := s.oneBefore("HAVESPACE", noName, "Expected SPACE after SCRIPTNAME")
	if err != nil {
		return err
	}
	size, err := s.r.number("Expected Number")
	if err == nil {
		err = s.r.eol()
	}
	switch {
	case err != nil:
		return err
	case !scripts.ValidName(name):
		return scripts.ErrName
	case int64(size) > int64(s.maxScript):
		return refusal{"QUOTA/MAXSIZE", fmt.Sprintf("Script size is too large. Max script size is %d bytes", s.maxScript)}
	}
	if err := s.scripts.HaveSpace(s.ctx, name); err != nil {
		return err
	}
	return s.ok()
}
