package imapwire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// annotated takes a line apart with one of the parsers of annotations.
func annotated(kind, line string) (any, error) {
	r := NewReader(strings.NewReader(line+"\r\n"), Limits{Nesting: 10})
	r.Start("Test")
	var v any
	var err error
	switch kind {
	case "list":
		var words []string
		var list, pattern bool
		words, list, pattern, err = r.MetadataList()
		v = fmt.Sprint(words, list, pattern)
	case "metadata":
		v, err = r.MetadataStore()
	case "query":
		v, err = r.AnnotationQuery(false)
	case "old query":
		v, err = r.AnnotationQuery(true)
	case "store":
		v, err = r.AnnotationStore(false)
	default:
		v, err = r.AnnotationStore(true)
	}
	if err == nil {
		err = r.End()
	}
	return v, err
}

func pointer(s string) *string { return &s }

func TestAnnotationParsers(t *testing.T) {
	for _, c := range []struct {
		kind, line string
		want       any // a string is an error
	}{
		{"list", "INBOX", "[INBOX] false false"},
		{"list", `(a "b c")`, "[a b c] true false"},
		{"list", "INBOX*", "[INBOX*] false true"},
		{"list", "(INBOX*)", "[INBOX*] true false"},
		{"metadata", `(/Shared/comment "x" /private/a NIL)`, []Annotation{
			{"/comment", []AttributeValue{{"value.shared", pointer("x")}}}, {"/a", []AttributeValue{{"value.priv", nil}}},
		}},
		{"metadata", "(/shared {3+}\r\na\r\n)", []Annotation{{"", []AttributeValue{{"value.shared", pointer("a\r\n")}}}}},
		{"metadata", `(/comment "x")`, "entry must begin with /shared or /private"},
		{"metadata", `/shared/comment "x"`, "Missing metadata entry list"},
		{"metadata", `(/shared/comment x)`, "Missing metadata value"},
		{"query", "/comment value", AnnotationQuery{[]string{"/comment"}, []string{"value"}}},
		{"query", `(/a "/*") (value.priv size)`, AnnotationQuery{[]string{"/a", "/*"}, []string{"value.priv", "size"}}},
		{"query", "/comment", "Missing annotation attribute(s)"},
		{"query", "(/a", "Missing close paren in annotation entry list "},
		{"old query", "/comment value", "Missing annotation entry"},
		{"old query", `"/comment" ("value"`, "Missing close paren in annotation attribute list"},
		{"store", `(/a (value.priv "1" value.shared NIL) /b (value.priv "2"))`, []Annotation{
			{"/a", []AttributeValue{{"value.priv", pointer("1")}, {"value.shared", nil}}}, {"/b", []AttributeValue{{"value.priv", pointer("2")}}},
		}},
		{"store", `/a (value.priv "1")`, "Missing paren for annotation entry"},
		{"store", `(/a (value.priv "1")`, "Missing close paren in annotation entry list "},
		{"old store", `"/a" ("value.priv" "1")`, []Annotation{{"/a", []AttributeValue{{"value.priv", pointer("1")}}}}},
		{"old store", `"/a" ("value.priv" 1)`, "Missing annotation value"},
		{"store", "(" + strings.Repeat("/a (b NIL) ", maxAnnotations) + ")", string(errManyAnnotations)},
	} {
		got, err := annotated(c.kind, c.line)
		if text, ok := c.want.(string); ok && c.kind != "list" {
			if err == nil || err.Error() != text {
				t.Errorf("%s %.60s: %v, want %q", c.kind, c.line, err, text)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s: %+v, %v", c.kind, c.line, got, err)
		}
	}
}

func FuzzAnnotations(f *testing.F) {
	for _, s := range []string{
		`(/shared/comment "x" /private/a NIL)`, `(/a "/*") (value.priv size)`, `(/a (value.priv "1" value.shared NIL) /b (value.priv "2"))`,
		`"/a" ("value.priv" {3+}` + "\r\nabc)", `(`, `() ()`, `INBOX*`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []string{"list", "metadata", "query", "old query", "store", "old store"} {
			v, err := annotated(kind, s)
			if as, ok := v.([]Annotation); ok && err == nil {
				for _, a := range as {
					if len(a.Values) == 0 {
						t.Errorf("%s %q: %+v has no values", kind, s, a)
					}
				}
			}
		}
	})
}
