package main

import "gocyrus/libcyrus/imapwire"

// maxCancel bounds the tags of one CANCELUPDATE; no session has so many
// contexts.
const maxCancel = 100

// parseCancelUpdate reads the tags of searches (RFC 5267 section 4.3.5).
func parseCancelUpdate(r *imapwire.Reader) ([]string, error) {
	var tags []string
	for r.Space() {
		tag, err := r.String()
		if err != nil {
			return nil, orWrong(r, err, imapwire.SyntaxError("Invalid tag in "+r.Command))
		}
		if tags = append(tags, tag); len(tags) > maxCancel {
			return nil, imapwire.SyntaxError("[LIMIT] Too many tags in " + r.Command)
		}
	}
	if len(tags) == 0 {
		return nil, missing(r, errMissing)
	}
	return tags, nil
}

// cancelUpdate ends updates of search results.
func (s *session) cancelUpdate(tags []string) (string, error) {
	unknown := false
	for _, tag := range tags {
		unknown = !s.view.CancelUpdate(tag) || unknown
	}
	if unknown {
		return "", refusal("[NONEXISTENT] No search with this tag is updated")
	}
	return "No further updates", nil
}
