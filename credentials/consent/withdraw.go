package consent

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Withdrawal says that an artefact permits nothing any more. By whom it was given, by them
// it is withdrawn: the holder's with the holder's key, an office's by an officer who may
// attest, or exempt, in that office's name.
type Withdrawal struct {
	ID         string    // jti of the artefact.
	Holder     string    // iss of the artefact: thumbprint, when it is the holder's own.
	Office     string    // iss of the artefact: entity identifier, when it is an office's.
	Officer    string    // who withdraws, when it is an office's.
	Requester  string    // aud: who may hold it and is to be told.
	Controller string    // controller: likewise.
	IssuedAt   time.Time // iat, whole seconds.
	ExpiresAt  time.Time // exp of the artefact; it need not be remembered for longer.
}

// Key is the [Consent.Key] of the artefact that is withdrawn.
func (w Withdrawal) Key() [sha256.Size]byte {
	if w.Office != "" {
		return keyOf(w.Office, w.ID)
	}
	return keyOf(w.Holder, w.ID)
}

// withdrawal is the payload:
//
//	{"jti", "iss", "aud": [requester], "controller", "iat", "exp", "officer" or "cnf"}
type withdrawal struct {
	ID         string        `json:"jti"`
	Issuer     string        `json:"iss"`
	Audience   []string      `json:"aud"`
	Controller string        `json:"controller"`
	IssuedAt   int64         `json:"iat"`
	ExpiresAt  int64         `json:"exp"`
	Officer    string        `json:"officer,omitempty"`
	Confirm    *confirmation `json:"cnf,omitempty"`
}

func (w *withdrawal) validate() error {
	switch {
	case !visible(w.ID, maxID):
		return malformed("jti")
	case !visible(w.Issuer, maxEntity):
		return malformed("iss")
	case len(w.Audience) != 1 || !visible(w.Audience[0], maxEntity):
		return malformed("aud")
	case !visible(w.Controller, maxEntity):
		return malformed("controller")
	case w.IssuedAt <= 0 || w.IssuedAt > maxTime:
		return malformed("iat")
	case w.ExpiresAt <= 0 || w.ExpiresAt > w.IssuedAt+2*int64(MaxLifetime/time.Second):
		return malformed("exp")
	case w.Officer != "" && !visible(w.Officer, maxName):
		return malformed("officer")
	case (w.Confirm != nil) == (w.Officer != ""):
		return malformed("cnf")
	}
	return nil
}

// Withdraw signs a withdrawal of c at a time, with the holder's key or, of an office's
// artefact, with the key of an officer of that name.
func Withdraw(k jose.PrivateKey, c Consent, officer string, at time.Time) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("withdrawing consent: %w", err) }
	if k.IsZero() {
		return fail(ErrHolder)
	}
	w := withdrawal{ID: c.ID, Issuer: c.Office, Audience: []string{c.Requester}, Controller: c.Controller,
		IssuedAt: at.Unix(), ExpiresAt: c.ExpiresAt.Unix(), Officer: officer}
	if c.Office == "" {
		if w.Officer, w.Issuer = "", k.Public().KeyID(); c.Holder != w.Issuer {
			return fail(ErrHolder)
		}
		w.Confirm = &confirmation{k.Public()}
	} else if officer == "" {
		return fail(malformed("officer"))
	}
	if err := w.validate(); err != nil {
		return fail(err)
	}
	token, err := signed(k, TypeWithdrawal, w)
	if err != nil {
		return fail(err)
	}
	return token, nil
}

// VerifyWithdrawal checks that a withdrawal was signed by who gave the artefact that it
// names. Of the holder's own everybody can tell: the artefact is named by the key.
func VerifyWithdrawal(token string, offices Offices, now time.Time) (Withdrawal, error) {
	w, err := verifyWithdrawal(token, offices, now)
	if err != nil {
		return Withdrawal{}, fmt.Errorf("verifying withdrawal: %w", err)
	}
	return w, nil
}

// UnverifiedWithdrawal is one whose form alone was looked at.
type UnverifiedWithdrawal struct{ claimed Withdrawal }

// Claimed is what it says.
func (u UnverifiedWithdrawal) Claimed() Withdrawal { return u.claimed }

// ParseWithdrawal reads a withdrawal without verifying it, for who takes another's word for
// it. Its only error is [ErrMalformed].
func ParseWithdrawal(token string) (UnverifiedWithdrawal, error) {
	_, w, err := parseWithdrawal(token)
	if err != nil {
		return UnverifiedWithdrawal{}, fmt.Errorf("parsing withdrawal: %w", err)
	}
	return UnverifiedWithdrawal{w.withdrawal()}, nil
}

func parseWithdrawal(token string) (u jose.Unverified, w withdrawal, err error) {
	if u, err = parse(token); err != nil {
		return u, w, err
	}
	if u.Type() != TypeWithdrawal {
		return u, w, fmt.Errorf("typ is another: %w", ErrMalformed)
	}
	if err := jose.DecodeClaims(u.Payload(), &w); err != nil {
		return u, w, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	return u, w, w.validate()
}

func (w *withdrawal) withdrawal() Withdrawal {
	out := Withdrawal{ID: w.ID, Requester: w.Audience[0], Controller: w.Controller, Officer: w.Officer,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(w.ExpiresAt, 0).UTC()}
	if w.Confirm != nil {
		out.Holder = w.Issuer
	} else {
		out.Office = w.Issuer
	}
	return out
}

func verifyWithdrawal(token string, offices Offices, now time.Time) (Withdrawal, error) {
	u, w, err := parseWithdrawal(token)
	if err != nil {
		return Withdrawal{}, err
	}
	out := w.withdrawal()
	var key jose.PublicKey
	if w.Confirm != nil {
		if key = w.Confirm.Key; key.IsZero() || key.KeyID() != w.Issuer {
			return Withdrawal{}, ErrHolder
		}
	} else {
		want := Expectation{Requester: out.Requester, Controller: out.Controller}
		f, err := offices.officer(w.Issuer, w.Officer, u.KeyID(), MayAttest, want)
		if err != nil {
			f, err = offices.officer(w.Issuer, w.Officer, u.KeyID(), MayExempt, want)
		}
		if err != nil {
			return Withdrawal{}, err
		}
		key = f.Key
	}
	if err := check(token, u, TypeWithdrawal, key, ErrHolder); err != nil {
		return Withdrawal{}, err
	}
	if out.IssuedAt.After(now.Add(Skew)) {
		return Withdrawal{}, ErrNotYet
	}
	return out, nil
}
