package message

import (
	"bytes"
	"reflect"
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
		{"plain", "plain"}, {"ä b", "=?UTF-8?Q?=C3=A4_b?="}, {"", ""},
	} {
		if got := EncodeHeader(c.in); got != c.want {
			t.Errorf("EncodeHeader(%q) = %q, want %q", c.in, got, c.want)
		}
		if got := DecodeHeaderUTF8([]byte(" " + c.want + "\t")); got != c.in {
			t.Errorf("DecodeHeaderUTF8(%q) = %q", c.want, got)
		}
	}
	if got := DecodeHeaderUTF8([]byte("ä =?iso-8859-1?q?=E4?=")); got != "ä ä" {
		t.Errorf("%q", got)
	}
}
