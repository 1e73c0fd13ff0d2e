package site

import (
	"strings"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
)

// definitions reads annotation_definitions. As in Cyrus what cannot be read
// is logged, and the rest counts.
func (s *Site) definitions() *annot.Definitions {
	d := &annot.Definitions{AllowUndefined: config.AnnotationAllowUndefined.In(s.Config)}
	if config.Imapsieve.In(s.Config) {
		if _, err := d.Parse(strings.NewReader(imapsieveDefinitions), s.Rights); err != nil {
			s.Log.Error("annotation definitions cannot be read", "error", err) // a text in memory does not fail
		}
	}
	path := config.AnnotationDefinitions.In(s.Config)
	if path == "" {
		return d
	}
	f, err := s.FS.Open(path)
	if err != nil {
		s.Log.Error(path+": could not open annotation definition file", "error", err)
		return d
	}
	defer f.Close()
	wrong, err := d.Parse(f, s.Rights)
	for _, w := range wrong {
		s.Log.Error(path + ":" + w.Error())
	}
	if err != nil {
		s.Log.Error(path+": annotation definitions cannot be read", "error", err)
	}
	return d
}

// imapsieveDefinitions is the annotations that name scripts for IMAP events
// (RFC 6785 section 2.1).
const imapsieveDefinitions = `/imapsieve/script,mailbox,string,backend,value.shared,w
/imapsieve/script,server,string,backend,value.shared,w
`
