package corpus

import "regexp"

// varies is what two servers, or two runs, write differently.
var varies = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\(Cyrus [^)]*\)`), "($$version)"},
	{regexp.MustCompile(`Cyrus 3\.6\.1[-+.\w]*/`), "$$version/"},
	{regexp.MustCompile(`Cyrus LMTP 3\.6\.1\S* `), "Cyrus LMTP $$$$version "},
	{regexp.MustCompile(` 250-CHUNKING 250-SMTPUTF8`), ""}, // Cyrus has neither
	{regexp.MustCompile(`-> 501 5\.5\.4 (?:undefined error!|authentication failure|bad protocol / cancel|no mechanism available|encryption needed to use mechanism|Error reading client response: error base64-decoding string)$`), "-> 501 5.5.4 $$$$why"},
	{regexp.MustCompile(`\w{3}, [ 0-9]\d \w{3} 202[6-9] \d\d:\d\d:\d\d [-+]\d{4}`), "$$$$date"},
	{regexp.MustCompile(`SESSIONID=<[^>]*>`), "SESSIONID=<$$id>"},
	{regexp.MustCompile(`(?m)^X-Cyrus-Session-Id: reference.*\r\n`), "X-Cyrus-Session-Id: $$id\r\n"},
	{regexp.MustCompile(`<cmu-[-\w]*@`), "<$$made@"},
	{regexp.MustCompile(`(--|boundary=")\d+/reference`), "${1}$$pid/reference"},
	{regexp.MustCompile(`Message size \(\d+\)`), "Message size ($$n)"},
	{regexp.MustCompile(` SIZE=\d+`), ""},
}

// Mask takes out of a text what two servers, or two runs, write differently.
func Mask(text string) string {
	for _, v := range varies {
		text = v.re.ReplaceAllString(text, v.with)
	}
	return text
}
