package consent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

var (
	subject = pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: "N0000001"}
	other   = pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: "N0000002"}
)

const (
	registry   = "https://registry.uzb.example"
	prosecutor = "https://prosecutor.kaz.example"
)

// offices: key 11 attests, 21 and 22 exempt, all different officers.
func offices(t testing.TB) consent.Offices {
	t.Helper()
	return consent.Offices{
		registry: {ID: registry, Under: "https://uzb.example", Officers: []consent.Officer{
			{Name: "desk-4", Roles: []consent.Role{consent.MayAttest}, Key: testKey(t, 11).Public()},
		}},
		prosecutor: {ID: prosecutor, Under: "https://kaz.example", Officers: []consent.Officer{
			{Name: "first", Roles: []consent.Role{consent.MayExempt}, Key: testKey(t, 21).Public()},
			{Name: "second", Roles: []consent.Role{consent.MayExempt}, Key: testKey(t, 22).Public()},
			{Name: "clerk", Roles: []consent.Role{consent.MayAttest}, Key: testKey(t, 23).Public()},
		}},
	}
}

func bound(t testing.TB, id pseudonym.Identifier) string {
	t.Helper()
	s, err := consent.Bind(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func attestation(t testing.TB) consent.Consent {
	c := given()
	c.Office, c.Officer, c.Form, c.Subject = registry, "desk-4", consent.ThumbMark, bound(t, subject)
	return c
}

func order(t testing.TB) consent.Consent {
	c := given()
	c.Notice = consent.Notice{}
	c.Office, c.Officer, c.Subject = prosecutor, "first", bound(t, subject)
	c.Exemption = consent.Exemption{Case: "1-77/2026", Disclose: time.Date(2027, 3, 21, 0, 0, 0, 0, time.UTC)}
	return c
}

func sealed(t testing.TB, token string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func attest(t testing.TB, fill byte, c consent.Consent) string {
	t.Helper()
	token, err := consent.Attest(testKey(t, fill), c)
	return sealed(t, token, err)
}

func exempt(t testing.TB, first, second byte, officer string, c consent.Consent) string {
	t.Helper()
	token, err := consent.Order(testKey(t, first), c)
	token, err = consent.Countersign(testKey(t, second), sealed(t, token, err), prosecutor, officer, now)
	return sealed(t, token, err)
}

func byOffices(t testing.TB) consent.Expectation {
	e := expected(t)
	e.Offices = offices(t)
	return e
}

func TestAttestation(t *testing.T) {
	want := attestation(t)
	token := attest(t, 11, want)
	got, err := consent.Verify(token, byOffices(t))
	if err != nil || !equal(got, want) || got.State() != consent.Attested {
		t.Fatalf("verified: %v, state %q", err, got.State())
	}
	without := byOffices(t)
	without.HolderThumbprint = "" // who has no key can be attested for
	if _, err := consent.Verify(token, without); err != nil {
		t.Errorf("for a person without a key: %v", err)
	}
	checkRefused(t, token, expected(t), consent.ErrOffice)
	for name, tt := range map[string]struct {
		fill byte
		edit func(*consent.Consent)
		want error
	}{
		"other-key":    {12, func(*consent.Consent) {}, consent.ErrOffice},
		"other-name":   {11, func(c *consent.Consent) { c.Officer = "desk-5" }, consent.ErrOffice},
		"other-office": {11, func(c *consent.Consent) { c.Office = prosecutor }, consent.ErrOffice},
		"unknown":      {11, func(c *consent.Consent) { c.Office = "https://nowhere.example" }, consent.ErrOffice},
		"other-role":   {21, func(c *consent.Consent) { c.Office, c.Officer = prosecutor, "first" }, consent.ErrOffice},
		"subject":      {11, func(c *consent.Consent) { c.Subject = bound(t, other) }, consent.ErrHolder},
		"purpose":      {11, func(c *consent.Consent) { c.Purpose = "visa_issuance" }, consent.ErrPurpose},
	} {
		t.Run(name, func(t *testing.T) {
			c := attestation(t)
			tt.edit(&c)
			checkRefused(t, attest(t, tt.fill, c), byOffices(t), tt.want)
		})
	}
	elsewhere := attestation(t)
	elsewhere.Requester, elsewhere.Controller = "https://tjk.example", "https://kgz.example"
	e := byOffices(t)
	e.Requester, e.Controller = elsewhere.Requester, elsewhere.Controller
	checkRefused(t, attest(t, 11, elsewhere), e, consent.ErrOffice) // the office is under another node
}

func TestExemption(t *testing.T) {
	want := order(t)
	token := exempt(t, 21, 22, "second", want)
	got, err := consent.Verify(token, byOffices(t))
	want.Exemption.Second = "second"
	if err != nil || !equal(got, want) || got.State() != consent.Exempt {
		t.Fatalf("verified: %v, state %q", err, got.State())
	}
	alone, err := consent.Order(testKey(t, 21), order(t))
	checkRefused(t, sealed(t, alone, err), byOffices(t), consent.ErrSecondOfficer)
	checkRefused(t, exempt(t, 21, 23, "clerk", order(t)), byOffices(t), consent.ErrOffice)
	checkRefused(t, exempt(t, 21, 24, "second", order(t)), byOffices(t), consent.ErrOffice)
	checkRefused(t, exempt(t, 23, 22, "second", order(t)), byOffices(t), consent.ErrOffice)
	if _, err := consent.Countersign(testKey(t, 21), alone, prosecutor, "second", now); !errors.Is(err, consent.ErrSecondOfficer) {
		t.Errorf("one key under two names: %v", err)
	}
	if _, err := consent.Countersign(testKey(t, 22), alone, prosecutor, "first", now); !errors.Is(err, consent.ErrSecondOfficer) {
		t.Errorf("one officer with two keys: %v", err)
	}
	// Made by hand, since Countersign refuses: one officer who has both keys.
	twice, err := jose.Sign(testKey(t, 21), consent.TypeExemption, []byte(`{"iss":"`+prosecutor+`","officer":"second","iat":1774083600,"order":"`+alone+`"}`))
	checkRefused(t, sealed(t, twice, err), byOffices(t), consent.ErrSecondOfficer)
	same, err := jose.Sign(testKey(t, 22), consent.TypeExemption, []byte(`{"iss":"`+prosecutor+`","officer":"first","iat":1774083600,"order":"`+alone+`"}`))
	checkRefused(t, sealed(t, same, err), byOffices(t), consent.ErrSecondOfficer)
	for name, edit := range map[string]func(*consent.Consent){
		"no-case":       func(c *consent.Consent) { c.Exemption.Case = "" },
		"no-disclosure": func(c *consent.Consent) { c.Exemption.Disclose = time.Time{} },
		"never-told":    func(c *consent.Consent) { c.Exemption.Disclose = now.AddDate(30, 0, 0) },
		"told-before":   func(c *consent.Consent) { c.Exemption.Disclose = now.AddDate(0, 0, -1) },
		"no-officer":    func(c *consent.Consent) { c.Officer = "" },
		"notice":        func(c *consent.Consent) { c.Notice = given().Notice },
		"no-subject":    func(c *consent.Consent) { c.Subject = "" },
	} {
		t.Run(name, func(t *testing.T) {
			c := order(t)
			edit(&c)
			if _, err := consent.Order(testKey(t, 21), c); !errors.Is(err, consent.ErrMalformed) {
				t.Errorf("ordered: %v", err)
			}
		})
	}
}

func TestWithdrawal(t *testing.T) {
	mine := given()
	mine.Holder = testKey(t, 1).Public().KeyID()
	token, err := consent.Withdraw(testKey(t, 1), mine, "", now)
	w, err := consent.VerifyWithdrawal(sealed(t, token, err), nil, now)
	if err != nil || w.Key() != mine.Key() || w.Requester != mine.Requester {
		t.Fatalf("the holder's: %v", err)
	}
	if _, err := consent.Withdraw(testKey(t, 2), mine, "", now); !errors.Is(err, consent.ErrHolder) {
		t.Errorf("with another key: %v", err)
	}
	theirs := attestation(t)
	token, err = consent.Withdraw(testKey(t, 11), theirs, "desk-4", now)
	w, err = consent.VerifyWithdrawal(sealed(t, token, err), offices(t), now)
	if err != nil || w.Key() != theirs.Key() {
		t.Errorf("an office's: %v", err)
	}
	if _, err := consent.VerifyWithdrawal(token, nil, now); !errors.Is(err, consent.ErrOffice) {
		t.Errorf("of an office that is not known: %v", err)
	}
	if w.Key() == mine.Key() {
		t.Error("two issuers meet in one id")
	}
	token, err = consent.Withdraw(testKey(t, 12), theirs, "desk-4", now)
	if _, err := consent.VerifyWithdrawal(sealed(t, token, err), offices(t), now); !errors.Is(err, consent.ErrOffice) {
		t.Errorf("with a key that is not the office's: %v", err)
	}
	if _, err := consent.VerifyWithdrawal(issue(t, given()), offices(t), now); !errors.Is(err, consent.ErrMalformed) {
		t.Errorf("a consent for a withdrawal: %v", err)
	}
}

// TestRecord carries every kind through the mapping of the W3C and back.
func TestRecord(t *testing.T) {
	mine := given()
	mine.Holder, mine.Uses = testKey(t, 1).Public().KeyID(), 3
	exempted := order(t)
	exempted.Exemption.Second = "second"
	for name, c := range map[string]consent.Consent{"holder": mine, "attested": attestation(t), "exempt": exempted} {
		b, err := c.Record()
		if err != nil {
			t.Fatal(err)
		}
		u, err := consent.ParseRecord(b)
		if err != nil || !equal(u.Claimed(), c) {
			t.Errorf("%s: %v; the same: %v\n%s", name, err, equal(u.Claimed(), c), b)
		}
		for _, bad := range []string{strings.Replace(string(b), "#record", "#receipt", 1), string(b) + "{}", strings.Replace(string(b), `"dct:identifier"`, `"x"`, 1)} {
			if _, err := consent.ParseRecord([]byte(bad)); !errors.Is(err, consent.ErrMalformed) {
				t.Errorf("%s: a changed record: %v", name, err)
			}
		}
	}
}

// TestProfile finds the schema that records name among those that the W3C defines.
func TestProfile(t *testing.T) {
	b := sharedFile(t, "vectors", "dpv-27560", "schema", "dpv-27560.ttl")
	prefix, name, _ := strings.Cut(consent.Profile, "#")
	if !strings.Contains(string(b), "@prefix dpv-27560: <"+prefix+"#>") || !strings.Contains(string(b), "\ndpv-27560:"+name+" a skos:Concept") {
		t.Errorf("the W3C's schema defines no %s", consent.Profile)
	}
}

func sharedFile(t *testing.T, path ...string) []byte {
	t.Helper()
	shared := os.Getenv("TAMGA_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(append([]string{shared}, path...)...))
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skipf("the shared data is not there: %v", err)
	}
	return b
}

func TestParseOffice(t *testing.T) {
	key := func(fill byte) string {
		b, err := testKey(t, fill).Public().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	file := func(officers string) string {
		return `{"office":"https://o.example","under":"https://kaz.example","officers":[` + officers + `]}`
	}
	one, two := `{"name":"a","roles":["attest"],"key":`+key(1)+`}`, `{"name":"b","roles":["exempt","attest"],"key":`+key(2)+`}`
	if o, err := consent.ParseOffice([]byte(file(one + "," + two))); err != nil || len(o.Officers) != 2 {
		t.Errorf("a good file: %v", err)
	}
	for name, bad := range map[string]string{
		"nobody": file(""), "twice": file(one + "," + one), "same-key": file(one + "," + strings.Replace(two, key(2), key(1), 1)),
		"same-name": file(one + "," + strings.Replace(two, `"b"`, `"a"`, 1)), "role": file(strings.Replace(one, "attest", "anything", 1)),
		"no-role": file(strings.Replace(one, `"attest"`, "", 1)), "no-key": file(`{"name":"a","roles":["attest"]}`), "unknown": file(strings.Replace(one, `"name"`, `"x":1,"name"`, 1)),
		"empty": "", "no-under": strings.Replace(file(one), "https://kaz.example", "", 1),
	} {
		if _, err := consent.ParseOffice([]byte(bad)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// FuzzOffices signs any payload with the keys of offices: what is accepted is inside the
// expectation and has two officers when it is an exemption.
func FuzzOffices(f *testing.F) {
	for _, token := range []string{attest(f, 11, attestation(f)), exempt(f, 21, 22, "second", order(f))} {
		u, err := jose.Parse(token)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(u.Payload()), u.Type() == consent.TypeExemption)
	}
	want := byOffices(f)
	first, second, desk := testKey(f, 21), testKey(f, 22), testKey(f, 11)
	f.Fuzz(func(t *testing.T, payload string, exemption bool) {
		typ, key := consent.TypeAttestation, desk
		if exemption {
			typ, key = consent.TypeExemption, second
			if inner, err := jose.Sign(first, consent.TypeOrder, []byte(payload)); err == nil {
				outer := `{"iss":"` + prosecutor + `","officer":"second","iat":1774083600,"order":"` + inner + `"}`
				if token, err := jose.Sign(second, typ, []byte(outer)); err == nil {
					checkInside(t, token, want)
				}
			}
		}
		if token, err := jose.Sign(key, typ, []byte(payload)); err == nil {
			checkInside(t, token, want)
		}
	})
}

func checkInside(t *testing.T, token string, want consent.Expectation) {
	t.Helper()
	got, err := consent.Verify(token, want)
	switch {
	case err != nil && !equal(got, consent.Consent{}):
		t.Error("an error came with a consent")
	case err == nil && (got.Requester != want.Requester || got.Purpose != want.Purpose || !want.Now.Before(got.ExpiresAt)):
		t.Error("accepted outside the expectation")
	case err == nil && got.State() == consent.Exempt && (got.Exemption.Second == "" || got.Exemption.Second == got.Officer && got.Office == prosecutor):
		t.Error("accepted an exemption of one officer")
	}
}
