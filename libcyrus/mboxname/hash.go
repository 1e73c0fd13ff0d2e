package mboxname

// DirHash is the name of the directory, one letter, in which s is put when
// directories are hashed; full is imapd.conf's fulldirhash.
//
// Source: dir_hash_c in Cyrus lib/util.c.
func DirHash(s string, full bool) string {
	if full {
		return fullHash(s)
	}
	if s == "" {
		return "q"
	}
	c := s[0]
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	if c < 'a' || c > 'z' {
		c = 'q'
	}
	return string(rune(c))
}

// fullHash mixes the bytes of s up to its first dot into 'A' to 'W'.
func fullHash(s string) string {
	var n uint32
	for i := 0; i < len(s) && s[i] != '.'; i++ {
		n = n<<3 ^ n>>5 ^ uint32(s[i])
	}
	return string(rune('A' + n%23))
}
