package worker

import (
	"crypto/tls"
	"strings"
)

// opensslNames is what OpenSSL, and so imapd.conf and Cyrus's log, calls
// the ciphers of TLS 1.2 and older. Those of TLS 1.3 have one name only.
var opensslNames = map[uint16]string{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       "ECDHE-ECDSA-AES128-GCM-SHA256",
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       "ECDHE-ECDSA-AES256-GCM-SHA384",
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA:          "ECDHE-ECDSA-AES128-SHA",
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:          "ECDHE-ECDSA-AES256-SHA",
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         "ECDHE-RSA-AES128-GCM-SHA256",
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         "ECDHE-RSA-AES256-GCM-SHA384",
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   "ECDHE-RSA-CHACHA20-POLY1305",
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:            "ECDHE-RSA-AES128-SHA",
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:            "ECDHE-RSA-AES256-SHA",
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256:               "AES128-GCM-SHA256",
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384:               "AES256-GCM-SHA384",
	tls.TLS_RSA_WITH_AES_128_CBC_SHA:                  "AES128-SHA",
	tls.TLS_RSA_WITH_AES_256_CBC_SHA:                  "AES256-SHA",
}

// cipherSuites returns the ciphers of an OpenSSL cipher list, or nil, which
// is the runtime's own choice of good ones, if the list does more than
// name them one by one (DEFAULT, HIGH:!aNULL, …) or names none that there
// is.
func cipherSuites(list string) (ids []uint16) {
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return strings.ContainsRune(": ,;", r) }) {
		if strings.ContainsAny(name[:1], "!-@") {
			continue // takes something away that is not there
		}
		if !strings.ContainsRune(name, '-') {
			return nil // a class of ciphers
		}
		for id, known := range opensslNames {
			if known == name {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// cipherName is OpenSSL's name of a cipher.
func cipherName(id uint16) string {
	if name, ok := opensslNames[id]; ok {
		return name
	}
	return tls.CipherSuiteName(id)
}

// cipherBits is the length of a cipher's key.
func cipherBits(id uint16) int {
	name := tls.CipherSuiteName(id)
	if strings.Contains(name, "256_GCM") || strings.Contains(name, "256_CBC") || strings.Contains(name, "CHACHA20") {
		return 256
	}
	return 128
}
