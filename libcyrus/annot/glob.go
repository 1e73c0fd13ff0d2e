package annot

import "strings"

// isGlob reports whether a name has wildcards.
func isGlob(s string) bool { return strings.ContainsAny(s, "*%") }

// glob reports whether s fits a pattern: "*" stands for any octets, "%" for
// any but sep.
func glob(pattern, s string, sep byte) bool {
	at := make([]bool, len(s)+1) // where in s the pattern so far may end
	at[0] = true
	for i := range len(pattern) {
		c := pattern[i]
		if c == '*' || c == '%' {
			for j := range len(s) {
				at[j+1] = at[j+1] || at[j] && (c == '*' || s[j] != sep)
			}
			continue
		}
		for j := len(s); j > 0; j-- {
			at[j] = at[j-1] && s[j-1] == c
		}
		at[0] = false
	}
	return at[len(s)]
}
