package message

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	msg := []byte("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n" +
		"--b\r\n\r\nplain\r\n" +
		"--b\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=E4</b>\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner\r\n" +
		"--b\r\nContent-Type: application/x; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nYWIAYw==\r\n--b--\r\n")
	m, err := Parse(msg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		types []string
		limit int64
		want  []string
	}{
		{[]string{"text"}, 1000, []string{"plain", "<b>ä</b>", "inner"}},
		{[]string{"TEXT/html"}, 1000, []string{"<b>ä</b>"}},
		{[]string{"text/"}, 3, []string{"pla", "<b>", "inn"}},
		{[]string{"application", "message"}, 1000, []string{"Subject: inner\r\n\r\ninner", "ab"}},
		{[]string{"image"}, 1000, nil},
		{[]string{"/", "/html"}, 1000, nil},
	} {
		got, err := m.Texts(bytes.NewReader(msg), c.types, c.limit)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Texts(%q) = %q, %v; want %q", c.types, got, err, c.want)
		}
	}
	if all, err := m.Texts(bytes.NewReader(msg), []string{""}, 1<<20); err != nil || len(all) != 1 {
		t.Errorf("all: %q, %v", all, err)
	}
}

func TestHeaderWords(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"}, {"ä b", "=?UTF-8?Q?=C3=A4_b?="}, {"", ""}, {"tab\tin", "tab\tin"}, {"new\nline", "=?UTF-8?Q?new=0Aline?="},
		{"a\r\n b\r\n\r\nc\rd\r\n", "=?UTF-8?Q?a?=\r\n =?UTF-8?Q?b?=\r\n =?UTF-8?Q??=\r\n =?UTF-8?Q?c=0Dd?="},
		{strings.Repeat("x", 76), "=?UTF-8?Q?" + strings.Repeat("x", 62) + "?=\r\n =?UTF-8?Q?" + strings.Repeat("x", 14) + "?="},
		{strings.Repeat("x", 75) + " yyy", strings.Repeat("x", 75) + "\r\n yyy"}, {strings.Repeat("x", 74) + " yyy", strings.Repeat("x", 74) + " yyy"},
		{strings.Repeat("x", 70) + strings.Repeat(" ", 10) + "y", strings.Repeat("x", 70) + strings.Repeat(" ", 8) + "\r\n  y"},
		{"a " + strings.Repeat("x", 75), "=?UTF-8?Q?a_" + strings.Repeat("x", 60) + "?=\r\n =?UTF-8?Q?" + strings.Repeat("x", 15) + "?="},
		{strings.Repeat("x", 59) + "äö", "=?UTF-8?Q?" + strings.Repeat("x", 59) + "?=\r\n =?UTF-8?Q?=C3=A4=C3=B6?="}, // no character is cut
		{strings.Repeat("x", 55) + "€€", "=?UTF-8?Q?" + strings.Repeat("x", 55) + "=E2=82=AC?=\r\n =?UTF-8?Q?=E2=82=AC?="},
	} {
		if got := EncodeHeader(c.in); got != c.want {
			t.Errorf("EncodeHeader(%q) = %q, want %q", c.in, got, c.want)
		}
		if strings.Contains(c.in, "\r") {
			continue
		}
		if got := DecodeHeaderUTF8([]byte(" " + strings.ReplaceAll(c.want, "\r\n", "") + "\t")); got != c.in {
			t.Errorf("DecodeHeaderUTF8(%q) = %q", c.want, got)
		}
	}
	if got := DecodeHeaderUTF8([]byte("ä =?iso-8859-1?q?=E4?=")); got != "ä ä" {
		t.Errorf("%q", got)
	}
}
