package trustmark_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

const (
	kind                    = "https://region.example/marks/audited"
	owned                   = "https://region.example/marks/laboratory"
	open                    = "https://region.example/marks/self"
	issuer   trust.EntityID = "https://issuer.example"
	owner    trust.EntityID = "https://owner.example"
	holder   trust.EntityID = "https://kaz.example"
	someTime                = 1800000000
)

var now = time.Unix(someTime, 0).UTC()

func key(t testing.TB, name string) jose.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte("tamga/v1/test-key " + name))
	k, err := jose.NewPrivateKey(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keys(t testing.TB, name string) jose.KeySet { return jose.NewKeySet(key(t, name).Public()) }

func rules(t testing.TB) trust.MarkRules {
	return trust.MarkRules{
		Issuers: map[string][]trust.EntityID{kind: {issuer}, owned: {issuer}, open: {}},
		Owners:  map[string]trust.MarkOwner{owned: {Entity: owner, Keys: keys(t, "owner")}},
	}
}

type claims = map[string]any

func token(t testing.TB, by, typ string, c claims) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.Sign(key(t, by), typ, b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func with(c claims, name string, v any) claims {
	c = maps.Clone(c)
	if v == nil {
		delete(c, name)
	} else {
		c[name] = v
	}
	return c
}

// TestVerify has one fault per row; err nil accepts, errAny is any error of no name.
func TestVerify(t *testing.T) {
	const markTyp, delegationTyp = "trust-mark+jwt", "trust-mark-delegation+jwt"
	errAny := errors.New("any")
	mark := claims{"iss": issuer, "sub": holder, "trust_mark_type": kind, "iat": someTime - 10}
	delegation := claims{"iss": owner, "sub": issuer, "trust_mark_type": owned, "iat": someTime - 100}
	delegated := func(by, typ string, d claims) claims {
		return with(with(mark, "trust_mark_type", owned), "delegation", token(t, by, typ, d))
	}
	for _, tc := range []struct {
		name    string
		by, typ string
		claims  claims
		err     error
	}{
		{"good", "issuer", markTyp, mark, nil},
		{"unknown-claim", "issuer", markTyp, with(mark, "logo_uri", "https://x.example"), nil},
		{"with-expiry", "issuer", markTyp, with(mark, "exp", someTime+1), nil},
		{"expired", "issuer", markTyp, with(mark, "exp", someTime), trustmark.ErrEnded},
		{"within-skew", "issuer", markTyp, with(mark, "iat", someTime+60), nil},
		{"from-future", "issuer", markTyp, with(mark, "iat", someTime+61), trustmark.ErrEnded},
		{"other-typ", "issuer", "JWT", mark, errAny},
		{"delegation-as-mark", "issuer", delegationTyp, mark, errAny},
		{"other-key", "thief", markTyp, mark, errAny},
		{"other-subject", "issuer", markTyp, with(mark, "sub", owner), errAny},
		{"no-iat", "issuer", markTyp, with(mark, "iat", nil), errAny},
		{"no-type", "issuer", markTyp, with(mark, "trust_mark_type", nil), errAny},
		{"type-of-old-drafts", "issuer", markTyp, with(with(mark, "trust_mark_type", nil), "id", kind), errAny},
		{"unknown-type", "issuer", markTyp, with(mark, "trust_mark_type", "https://x.example"), trustmark.ErrUnrecognised},
		{"other-issuer", "issuer", markTyp, with(mark, "iss", owner), trustmark.ErrUnrecognised},
		{"anyone-may-issue", "issuer", markTyp, with(with(mark, "trust_mark_type", open), "iss", holder), nil},
		{"delegated", "issuer", markTyp, delegated("owner", delegationTyp, delegation), nil},
		{"not-delegated", "issuer", markTyp, with(mark, "trust_mark_type", owned), trustmark.ErrDelegation},
		{"delegated-by-thief", "issuer", markTyp, delegated("thief", delegationTyp, delegation), trustmark.ErrDelegation},
		{"delegated-by-issuer", "issuer", markTyp, delegated("issuer", delegationTyp, delegation), trustmark.ErrDelegation},
		{"delegation-other-typ", "issuer", markTyp, delegated("owner", markTyp, delegation), trustmark.ErrDelegation},
		{"delegation-other-owner", "issuer", markTyp, delegated("owner", delegationTyp, with(delegation, "iss", holder)), trustmark.ErrDelegation},
		{"delegated-to-other", "issuer", markTyp, delegated("owner", delegationTyp, with(delegation, "sub", holder)), trustmark.ErrDelegation},
		{"delegation-other-type", "issuer", markTyp, delegated("owner", delegationTyp, with(delegation, "trust_mark_type", kind)), trustmark.ErrDelegation},
		{"delegation-expired", "issuer", markTyp, delegated("owner", delegationTyp, with(delegation, "exp", someTime)), trustmark.ErrDelegation},
		{"delegation-of-unowned", "issuer", markTyp, with(mark, "delegation", token(t, "owner", delegationTyp, with(delegation, "trust_mark_type", kind))), trustmark.ErrDelegation},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := trustmark.Verify(token(t, tc.by, tc.typ, tc.claims), holder, rules(t), keys(t, "issuer"), now)
			switch {
			case tc.err == nil && err != nil, tc.err != nil && err == nil, tc.err != nil && tc.err != errAny && !errors.Is(err, tc.err):
				t.Errorf("got %v, want %v", err, tc.err)
			case err != nil && m != (trustmark.Mark{}):
				t.Error("a refused mark is not zero")
			case err == nil && (m.Subject != holder || m.Type != tc.claims["trust_mark_type"]):
				t.Errorf("got %+v", m)
			}
		})
	}
}

func TestSign(t *testing.T) {
	d, err := trustmark.SignDelegation(key(t, "owner"), trustmark.Delegation{Type: owned, Owner: owner, Issuer: issuer, IssuedAt: now, ExpiresAt: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := trustmark.Sign(key(t, "issuer"), trustmark.Mark{Type: owned, Issuer: issuer, Subject: holder, IssuedAt: now, ExpiresAt: now.Add(2 * time.Hour), Delegation: d})
	if err != nil {
		t.Fatal(err)
	}
	m, err := trustmark.Verify(s, holder, rules(t), keys(t, "issuer"), now)
	if err != nil || !m.ExpiresAt.Equal(now.Add(time.Hour)) {
		t.Errorf("got expiry %v, error %v, want the delegation's expiry", m.ExpiresAt, err)
	}
	if u, err := trustmark.Read(s); err != nil || u.Issuer != issuer || u.Subject != holder {
		t.Errorf("got %+v, error %v", u, err)
	}
	if _, err := trustmark.Sign(key(t, "issuer"), trustmark.Mark{Type: owned, Issuer: issuer, IssuedAt: now}); err == nil {
		t.Error("a mark about nobody was signed")
	}
}

func TestStatus(t *testing.T) {
	s, err := trustmark.SignStatus(key(t, "issuer"), issuer, "mark", trustmark.Revoked, now)
	if err != nil {
		t.Fatal(err)
	}
	got, at, err := trustmark.VerifyStatus(s, "mark", issuer, keys(t, "issuer"), now)
	if err != nil || got != trustmark.Revoked || !at.Equal(now) {
		t.Errorf("got %s at %v, error %v", got, at, err)
	}
	for name, f := range map[string]func() error{
		"other-mark": func() error { _, _, err := trustmark.VerifyStatus(s, "x", issuer, keys(t, "issuer"), now); return err },
		"other-issuer": func() error {
			_, _, err := trustmark.VerifyStatus(s, "mark", owner, keys(t, "issuer"), now)
			return err
		},
		"other-key": func() error {
			_, _, err := trustmark.VerifyStatus(s, "mark", issuer, keys(t, "thief"), now)
			return err
		},
		"from-future": func() error {
			_, _, err := trustmark.VerifyStatus(s, "mark", issuer, keys(t, "issuer"), now.Add(-2*time.Minute))
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s, err := trustmark.Sign(key(f, "issuer"), trustmark.Mark{Type: kind, Issuer: issuer, Subject: holder, IssuedAt: now})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	f.Add("a.b.c")
	r, k := rules(f), keys(f, "issuer")
	f.Fuzz(func(t *testing.T, token string) {
		if m, err := trustmark.Verify(token, holder, r, k, now); err != nil && m != (trustmark.Mark{}) {
			t.Error("a refused mark is not zero")
		} else if err == nil && token != s {
			t.Error("a mark that nobody signed")
		}
		trustmark.Read(token)
	})
}
