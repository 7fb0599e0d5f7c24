package consent_test

import (
	"errors"
	"testing"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// TestOrderAboutNobodyKnown: an order about a sample or a handle is for that one alone, and
// none about a person, nor is one about a person any about them.
func TestOrderAboutNobodyKnown(t *testing.T) {
	sample, handle := []byte("a record"), []byte("0123456789abcdef")
	by := func(sub string) string {
		c := order(t)
		c.Subject = sub
		return exempt(t, 21, 22, "second", c)
	}
	search, resolve, person := by(consent.BindSample(sample)), by(consent.BindHandle(handle)), by(bound(t, subject))
	want := func(sample, handle []byte, id pseudonym.Identifier) consent.Expectation {
		e := byOffices(t)
		e.Sample, e.Handle, e.Subject = sample, handle, id
		return e
	}
	none := pseudonym.Identifier{}
	for name, c := range map[string]struct {
		token string
		want  consent.Expectation
		err   error
	}{
		"sample":            {search, want(sample, nil, none), nil},
		"handle":            {resolve, want(nil, handle, none), nil},
		"person":            {person, want(nil, nil, subject), nil},
		"another-sample":    {search, want([]byte("another"), nil, none), consent.ErrHolder},
		"another-handle":    {resolve, want(nil, []byte("another"), none), consent.ErrHolder},
		"handle-for-sample": {search, want(nil, sample, none), consent.ErrHolder},
		"sample-for-handle": {resolve, want(handle, nil, none), consent.ErrHolder},
		"sample-for-person": {search, want(nil, nil, subject), consent.ErrHolder},
		"person-for-sample": {person, want(sample, nil, subject), consent.ErrHolder},
		"about-nobody":      {search, want(nil, nil, none), consent.ErrHolder},
	} {
		got, err := consent.Verify(c.token, c.want)
		if !errors.Is(err, c.err) || (err == nil) != (got.State() == consent.Exempt) {
			t.Errorf("%s: got %q, %v; want %v", name, got.State(), err, c.err)
		}
	}
	own, err := consent.Issue(testKey(t, 1), given())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := consent.Verify(own, want(sample, nil, none)); !errors.Is(err, consent.ErrHolder) {
		t.Errorf("a person's own consent to a search: %v", err)
	}
}
