package message

import "gocyrus/libcyrus/config"

// OptionsFrom returns the options that imapd.conf has. There 0 stands for no
// limit.
func OptionsFrom(c *config.Config) Options {
	limit := func(n int) int {
		if n <= 0 {
			return -1
		}
		return n
	}
	return Options{
		MaxHeaderLines: limit(config.Maxheaderlines.In(c)),
		BoundaryLimit:  limit(config.BoundaryLimit.In(c)),
		RFC2046Strict:  config.Rfc2046Strict.In(c),
		RFC2047UTF8:    config.Rfc2047Utf8.In(c),
	}
}

// FoldingFrom returns the folding that imapd.conf has.
func FoldingFrom(c *config.Config) Folding {
	return Folding{
		Whitespace:     map[string]Whitespace{"skip": SkipWhitespace, "keep": KeepWhitespace}[config.SearchWhitespace.In(c)],
		KeepDiacritics: !config.SearchSkipdiacrit.In(c),
		SkipHTML:       config.SearchSkiphtml.In(c),
		UTF8:           config.Rfc2047Utf8.In(c),
	}
}
