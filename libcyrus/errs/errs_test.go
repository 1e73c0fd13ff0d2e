package errs

import (
	"errors"
	"fmt"
	"testing"
)

func TestKindOf(t *testing.T) {
	cause := errors.New("cause")
	inner := New(NotFound, "mboxlist.Lookup", "user.fred", cause)
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{cause, Internal},
		{inner, NotFound},
		{fmt.Errorf("select: %w", inner), NotFound},
		{New(Denied, "imapd", "", inner), Denied},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
	if !errors.Is(inner, cause) {
		t.Error("the cause is not in the chain")
	}
	if Is(nil, Internal) {
		t.Error("nil has a kind")
	}
}

func TestEveryKindHasAText(t *testing.T) {
	for k := Internal; k < kinds; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no text", k)
		}
	}
	if got, want := inner().Error(), "quota.Room user.fred: Over quota: limit"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func inner() *Error { return New(OverQuota, "quota.Room", "user.fred", errors.New("limit")) }
