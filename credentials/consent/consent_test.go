package consent_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/redacttest"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
)

var now = time.Date(2026, 3, 21, 9, 0, 0, 0, time.UTC)

func testKey(t testing.TB, fill byte) jose.PrivateKey {
	t.Helper()
	k, err := jose.NewPrivateKey(seed(fill))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seed(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func given() consent.Consent {
	return consent.Consent{
		ID: "c-1", Requester: "https://uzb.example", Controller: "https://kaz.example",
		Purpose: "border_control", Modalities: []string{"finger", "face"},
		IssuedAt: now, ExpiresAt: now.Add(24 * time.Hour), Uses: 1, Notice: consent.NoticeOf([]byte("We compare your face."), "ky"),
	}
}

func expected(t testing.TB) consent.Expectation {
	t.Helper()
	return consent.Expectation{
		HolderThumbprint: testKey(t, 1).Public().KeyID(), Subject: subject,
		Requester: "https://uzb.example", Controller: "https://kaz.example",
		Purpose: "border_control", Modality: "finger", Now: now.Add(time.Hour),
	}
}

func issue(t testing.TB, c consent.Consent) string {
	t.Helper()
	token, err := consent.Issue(testKey(t, 1), c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// equal compares by field, since a Consent never prints.
func equal(a, b consent.Consent) bool {
	return a.ID == b.ID && a.Holder == b.Holder && a.Requester == b.Requester && a.Controller == b.Controller &&
		a.Purpose == b.Purpose && slices.Equal(a.Modalities, b.Modalities) &&
		a.IssuedAt.Equal(b.IssuedAt) && a.ExpiresAt.Equal(b.ExpiresAt) && a.Uses == b.Uses && a.Notice == b.Notice &&
		a.Office == b.Office && a.Subject == b.Subject && a.Officer == b.Officer && a.Form == b.Form && a.Exemption == b.Exemption
}

func TestIssueThenVerify(t *testing.T) {
	got, err := consent.Verify(issue(t, given()), expected(t))
	want := given()
	want.Holder = testKey(t, 1).Public().KeyID()
	if err != nil || !equal(got, want) {
		t.Errorf("verified: %v, equal to what was given: %v", err, equal(got, want))
	}
}

// noticeDigest is SHA-256 of the notice's text, computed with sha256sum and basenc.
const noticeDigest = "vUoHuWBwTUln79ZX6Z9_mzJgn_OFREjA9szAvJpWCgY"

// TestWireFormat pins the payload.
func TestWireFormat(t *testing.T) {
	u, err := jose.Parse(issue(t, given()))
	if err != nil {
		t.Fatal(err)
	}
	jkt := testKey(t, 1).Public().KeyID()
	x := base64.RawURLEncoding.EncodeToString(testKey(t, 1).Public().Bytes())
	want := `{"jti":"c-1","iss":"` + jkt + `","aud":["https://uzb.example"],"controller":"https://kaz.example",` +
		`"purpose":"border_control","modalities":["finger","face"],"iat":1774083600,"exp":1774170000,` +
		`"uses":1,"notice":{"sha-256":"` + noticeDigest + `","lang":"ky"},"cnf":{"jwk":{"kty":"OKP","crv":"Ed25519","x":"` + x + `","kid":"` + jkt + `","use":"sig","alg":"Ed25519"}}}`
	if string(u.Payload()) != want {
		t.Errorf("payload\n %s\nwant\n %s", u.Payload(), want)
	}
	if u.Type() != "tamga-consent+jwt" || u.KeyID() != jkt {
		t.Errorf("typ %q, kid %q", u.Type(), u.KeyID())
	}
}

// TestVerifyRefusesExpectation changes one field of what is about to happen.
func TestVerifyRefusesExpectation(t *testing.T) {
	token := issue(t, given())
	tests := map[string]struct {
		edit func(*consent.Expectation)
		want error
	}{
		"holder":             {func(e *consent.Expectation) { e.HolderThumbprint = testKey(t, 2).Public().KeyID() }, consent.ErrHolder},
		"no-holder":          {func(e *consent.Expectation) { e.HolderThumbprint = "" }, consent.ErrHolder},
		"requester":          {func(e *consent.Expectation) { e.Requester = "https://tjk.example" }, consent.ErrAudience},
		"requester-slash":    {func(e *consent.Expectation) { e.Requester += "/" }, consent.ErrAudience},
		"no-requester":       {func(e *consent.Expectation) { e.Requester = "" }, consent.ErrAudience},
		"roles-swapped":      {func(e *consent.Expectation) { e.Requester, e.Controller = e.Controller, e.Requester }, consent.ErrAudience},
		"controller":         {func(e *consent.Expectation) { e.Controller = "https://kgz.example" }, consent.ErrController},
		"no-controller":      {func(e *consent.Expectation) { e.Controller = "" }, consent.ErrController},
		"purpose":            {func(e *consent.Expectation) { e.Purpose = "law_enforcement" }, consent.ErrPurpose},
		"purpose-prefix":     {func(e *consent.Expectation) { e.Purpose = "border" }, consent.ErrPurpose},
		"no-purpose":         {func(e *consent.Expectation) { e.Purpose = "" }, consent.ErrPurpose},
		"modality":           {func(e *consent.Expectation) { e.Modality = "iris" }, consent.ErrModality},
		"no-modality":        {func(e *consent.Expectation) { e.Modality = "" }, consent.ErrModality},
		"before-skew":        {func(e *consent.Expectation) { e.Now = now.Add(-consent.Skew - time.Second) }, consent.ErrNotYet},
		"no-time":            {func(e *consent.Expectation) { e.Now = time.Time{} }, consent.ErrNotYet},
		"at-expiry":          {func(e *consent.Expectation) { e.Now = now.Add(24 * time.Hour) }, consent.ErrExpired},
		"long-after":         {func(e *consent.Expectation) { e.Now = now.AddDate(100, 0, 0) }, consent.ErrExpired},
		"nothing-whatsoever": {func(e *consent.Expectation) { *e = consent.Expectation{} }, consent.ErrHolder},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := expected(t)
			tt.edit(&want)
			checkRefused(t, token, want, tt.want)
		})
	}
}

// checkRefused demands the one sentinel, no other, and the zero result.
func checkRefused(t *testing.T, token string, e consent.Expectation, want error) {
	t.Helper()
	got, err := consent.Verify(token, e)
	if !equal(got, consent.Consent{}) {
		t.Error("a refusal came with a consent")
	}
	for _, sentinel := range sentinels() {
		if is := errors.Is(err, sentinel); is != (sentinel == want) {
			t.Errorf("got %v; is %q: %v", err, sentinel, is)
		}
	}
}

func sentinels() []error {
	return []error{
		consent.ErrMalformed, consent.ErrHolder, consent.ErrSignature, consent.ErrAudience, consent.ErrController,
		consent.ErrOffice, consent.ErrSecondOfficer,
		consent.ErrPurpose, consent.ErrModality, consent.ErrLifetime, consent.ErrNotYet, consent.ErrExpired,
	}
}

func TestVerifyTimeEdges(t *testing.T) {
	token := issue(t, given())
	for name, at := range map[string]time.Time{
		"within-skew": now.Add(-consent.Skew),
		"first":       now,
		"last":        now.Add(24*time.Hour - time.Nanosecond),
	} {
		t.Run(name, func(t *testing.T) {
			e := expected(t)
			e.Now = at
			if _, err := consent.Verify(token, e); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestVerifyRefusesClaims signs, with the right key, a payload that has one
// fault.
func TestVerifyRefusesClaims(t *testing.T) {
	u, err := jose.Parse(issue(t, given()))
	if err != nil {
		t.Fatal(err)
	}
	good := string(u.Payload())
	other := testKey(t, 2).Public()
	jkt := testKey(t, 1).Public().KeyID()
	long := strings.Repeat("x", 2000)
	tests := map[string]struct {
		old, new string
		want     error
	}{
		"aud-other":         {`["https://uzb.example"]`, `["https://tjk.example"]`, consent.ErrAudience},
		"aud-two":           {`["https://uzb.example"]`, `["https://uzb.example","https://tjk.example"]`, consent.ErrMalformed},
		"aud-none":          {`["https://uzb.example"]`, `[]`, consent.ErrMalformed},
		"aud-string":        {`["https://uzb.example"]`, `"https://uzb.example"`, consent.ErrMalformed},
		"aud-null":          {`["https://uzb.example"]`, `null`, consent.ErrMalformed},
		"aud-empty":         {`["https://uzb.example"]`, `[""]`, consent.ErrMalformed},
		"aud-space":         {`["https://uzb.example"]`, `["https://uzb.example "]`, consent.ErrMalformed},
		"aud-long":          {`["https://uzb.example"]`, `["` + long + `"]`, consent.ErrMalformed},
		"aud-missing":       {`"aud":["https://uzb.example"],`, ``, consent.ErrMalformed},
		"jti-empty":         {`"c-1"`, `""`, consent.ErrMalformed},
		"jti-newline":       {`"c-1"`, `"c\n1"`, consent.ErrMalformed},
		"jti-cyrillic":      {`"c-1"`, `"с-1"`, consent.ErrMalformed},
		"jti-long":          {`"c-1"`, `"` + long + `"`, consent.ErrMalformed},
		"jti-missing":       {`"jti":"c-1",`, ``, consent.ErrMalformed},
		"iss-other":         {`"iss":"` + jkt, `"iss":"` + other.KeyID(), consent.ErrHolder},
		"iss-missing":       {`"iss":"` + jkt + `",`, ``, consent.ErrHolder},
		"controller-other":  {"https://kaz.example", "https://kgz.example", consent.ErrController},
		"controller-empty":  {"https://kaz.example", "", consent.ErrMalformed},
		"purpose-other":     {"border_control", "visa_issuance", consent.ErrPurpose},
		"purpose-empty":     {"border_control", "", consent.ErrMalformed},
		"purpose-case":      {"border_control", "Border_control", consent.ErrMalformed},
		"purpose-array":     {`"border_control"`, `["border_control"]`, consent.ErrMalformed},
		"modality-other":    {`["finger","face"]`, `["face"]`, consent.ErrModality},
		"modality-none":     {`["finger","face"]`, `[]`, consent.ErrMalformed},
		"modality-twice":    {`["finger","face"]`, `["finger","finger"]`, consent.ErrMalformed},
		"modality-empty":    {`["finger","face"]`, `["finger",""]`, consent.ErrMalformed},
		"modality-many":     {`["finger","face"]`, `["finger","a","b","c","d","e","f","g","h"]`, consent.ErrMalformed},
		"modality-star":     {`["finger","face"]`, `["*"]`, consent.ErrMalformed},
		"iat-zero":          {`"iat":1774083600`, `"iat":0`, consent.ErrMalformed},
		"iat-negative":      {`"iat":1774083600`, `"iat":-9223372036854775808`, consent.ErrMalformed},
		"iat-fraction":      {`"iat":1774083600`, `"iat":1774083600.5`, consent.ErrMalformed},
		"iat-string":        {`"iat":1774083600`, `"iat":"1774083600"`, consent.ErrMalformed},
		"iat-missing":       {`"iat":1774083600,`, ``, consent.ErrMalformed},
		"iat-after-exp":     {`"iat":1774083600`, `"iat":1774170001`, consent.ErrLifetime},
		"iat-is-exp":        {`"iat":1774083600`, `"iat":1774170000`, consent.ErrLifetime},
		"iat-future":        {`"iat":1774083600`, `"iat":1774090000`, consent.ErrNotYet},
		"exp-month-and-1s":  {`"exp":1774170000`, `"exp":1776675601`, consent.ErrLifetime},
		"exp-huge":          {`"exp":1774170000`, `"exp":9223372036854775807`, consent.ErrMalformed},
		"exp-overflow":      {`"exp":1774170000`, `"exp":9223372036854775808`, consent.ErrMalformed},
		"exp-missing":       {`"exp":1774170000,`, ``, consent.ErrMalformed},
		"exp-past":          {`"exp":1774170000`, `"exp":1774083601`, consent.ErrExpired},
		"uses-none":         {`"uses":1,`, ``, consent.ErrMalformed},
		"uses-many":         {`"uses":1`, `"uses":1001`, consent.ErrMalformed},
		"uses-negative":     {`"uses":1`, `"uses":-1`, consent.ErrMalformed},
		"notice-missing":    {`"notice":{"sha-256":"` + noticeDigest + `","lang":"ky"},`, ``, consent.ErrMalformed},
		"notice-short":      {noticeDigest, "AAAA", consent.ErrMalformed},
		"notice-language":   {`"lang":"ky"`, `"lang":"kyrgyz-and-more-of-it"`, consent.ErrMalformed},
		"notice-no-lang":    {`,"lang":"ky"`, ``, consent.ErrMalformed},
		"office-officer":    {`"uses":1,`, `"uses":1,"officer":"x",`, consent.ErrMalformed},
		"office-case":       {`"uses":1,`, `"uses":1,"case":"x",`, consent.ErrMalformed},
		"office-form":       {`"uses":1,`, `"uses":1,"form":"written",`, consent.ErrMalformed},
		"unknown-claim":     {`{"jti"`, `{"scope":"all","jti"`, consent.ErrMalformed},
		"duplicate-claim":   {`{"jti"`, `{"purpose":"border_control","jti"`, consent.ErrMalformed},
		"claim-case":        {`"purpose"`, `"Purpose"`, consent.ErrMalformed},
		"trailing":          {`}}}`, `}}} {}`, consent.ErrMalformed},
		"cnf-missing":       {good[strings.Index(good, `,"cnf"`):], `}`, consent.ErrMalformed},
		"cnf-null":          {`{"jwk":{`, `{"jwk":null,"x":{`, consent.ErrMalformed},
		"cnf-extra":         {`"cnf":{`, `"cnf":{"jku":"https://x.example",`, consent.ErrMalformed},
		"cnf-thumbprint":    {good[strings.Index(good, `{"jwk"`):], `{"jkt":"` + jkt + `"}}`, consent.ErrMalformed},
		"cnf-private":       {`"kty":"OKP"`, `"kty":"OKP","d":"AAAA"`, consent.ErrMalformed},
		"cnf-other-key":     {base64.RawURLEncoding.EncodeToString(testKey(t, 1).Public().Bytes()), base64.RawURLEncoding.EncodeToString(other.Bytes()), consent.ErrHolder},
		"cnf-truncated-key": {base64.RawURLEncoding.EncodeToString(testKey(t, 1).Public().Bytes()), "AAAA", consent.ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatalf("nothing to replace for %q", tt.old)
			}
			token, err := jose.Sign(testKey(t, 1), consent.Type, []byte(strings.Replace(good, tt.old, tt.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			checkRefused(t, token, expected(t), tt.want)
		})
	}
	token, err := jose.Sign(testKey(t, 1), consent.Type, []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := consent.Verify(token, expected(t)); err != nil {
		t.Errorf("the payload without a fault: %v", err)
	}
}

// sign makes a JWS by hand, for headers that package jose would not write.
func sign(fill byte, header, payload string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sig := ed25519.Sign(ed25519.NewKeyFromSeed(seed(fill)), []byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestVerifyRefusesToken(t *testing.T) {
	good := issue(t, given())
	u, err := jose.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	payload, jkt := string(u.Payload()), testKey(t, 1).Public().KeyID()
	header := func(alg, kid, typ, more string) string {
		return `{"alg":"` + alg + `","kid":"` + kid + `","typ":"` + typ + `"` + more + `}`
	}
	parts := strings.Split(good, ".")
	thief, err := consent.Issue(testKey(t, 2), given())
	if err != nil {
		t.Fatal(err)
	}
	otherPayload := given()
	otherPayload.Purpose = "visa_issuance"
	flipped := base64.RawURLEncoding.EncodeToString(func() []byte {
		sig, _ := base64.RawURLEncoding.DecodeString(parts[2])
		sig[10] ^= 1
		return sig
	}())
	tests := map[string]struct {
		token string
		want  error
	}{
		"empty":           {"", consent.ErrMalformed},
		"garbage":         {"tamga", consent.ErrMalformed},
		"long":            {good + strings.Repeat("A", consent.MaxSize), consent.ErrMalformed},
		"two-parts":       {parts[0] + "." + parts[1], consent.ErrMalformed},
		"no-signature":    {parts[0] + "." + parts[1] + ".", consent.ErrMalformed},
		"padding":         {good + "=", consent.ErrMalformed},
		"newline":         {good + "\n", consent.ErrMalformed},
		"other-typ":       {sign(1, header("Ed25519", jkt, "tamga-query+jwt", ""), payload), consent.ErrMalformed},
		"typ-case":        {sign(1, header("Ed25519", jkt, "Tamga-consent+jwt", ""), payload), consent.ErrMalformed},
		"typ-prefix":      {sign(1, header("Ed25519", jkt, "application/tamga-consent+jwt", ""), payload), consent.ErrMalformed},
		"no-typ":          {sign(1, `{"alg":"Ed25519","kid":"`+jkt+`"}`, payload), consent.ErrMalformed},
		"crit":            {sign(1, header("Ed25519", jkt, consent.Type, `,"crit":["exp"],"exp":1`), payload), consent.ErrMalformed},
		"array-payload":   {sign(1, header("Ed25519", jkt, consent.Type, ""), "[]"), consent.ErrMalformed},
		"no-payload":      {sign(1, header("Ed25519", jkt, consent.Type, ""), ""), consent.ErrMalformed},
		"alg-none":        {sign(1, header("none", jkt, consent.Type, ""), payload), consent.ErrSignature},
		"alg-hmac":        {sign(1, header("HS256", jkt, consent.Type, ""), payload), consent.ErrSignature},
		"signed-by-thief": {sign(2, header("Ed25519", jkt, consent.Type, ""), payload), consent.ErrSignature},
		"flipped":         {parts[0] + "." + parts[1] + "." + flipped, consent.ErrSignature},
		"other-signature": {parts[0] + "." + parts[1] + "." + strings.Split(issue(t, otherPayload), ".")[2], consent.ErrSignature},
		"kid-of-thief":    {sign(1, header("Ed25519", testKey(t, 2).Public().KeyID(), consent.Type, ""), payload), consent.ErrHolder},
		"no-kid":          {sign(1, `{"alg":"Ed25519","typ":"`+consent.Type+`"}`, payload), consent.ErrHolder},
		"thief":           {thief, consent.ErrHolder},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { checkRefused(t, tt.token, expected(t), tt.want) })
	}
	if _, err := consent.Verify(sign(1, header("EdDSA", jkt, consent.Type, ""), payload), expected(t)); err != nil {
		t.Errorf("a wallet that knows the older algorithm name: %v", err)
	}
}

func TestIssueRefuses(t *testing.T) {
	tests := map[string]struct {
		edit func(*consent.Consent)
		want error
	}{
		"holder":     {func(c *consent.Consent) { c.Holder = testKey(t, 2).Public().KeyID() }, consent.ErrHolder},
		"id":         {func(c *consent.Consent) { c.ID = "" }, consent.ErrMalformed},
		"requester":  {func(c *consent.Consent) { c.Requester = "" }, consent.ErrMalformed},
		"controller": {func(c *consent.Consent) { c.Controller = "" }, consent.ErrMalformed},
		"purpose":    {func(c *consent.Consent) { c.Purpose = "" }, consent.ErrMalformed},
		"modalities": {func(c *consent.Consent) { c.Modalities = nil }, consent.ErrMalformed},
		"no-iat":     {func(c *consent.Consent) { c.IssuedAt = time.Time{} }, consent.ErrMalformed},
		"no-exp":     {func(c *consent.Consent) { c.ExpiresAt = time.Time{} }, consent.ErrMalformed},
		"too-long":   {func(c *consent.Consent) { c.ExpiresAt = c.IssuedAt.Add(consent.MaxLifetime + time.Second) }, consent.ErrLifetime},
		"backwards":  {func(c *consent.Consent) { c.ExpiresAt = c.IssuedAt.Add(-time.Second) }, consent.ErrLifetime},
		"subsecond":  {func(c *consent.Consent) { c.ExpiresAt = c.IssuedAt.Add(time.Millisecond) }, consent.ErrLifetime},
		"size":       {func(c *consent.Consent) { c.Requester = strings.Repeat("<", 1024); c.Controller = c.Requester }, consent.ErrMalformed},
		"uses":       {func(c *consent.Consent) { c.Uses = consent.MaxUses + 1 }, consent.ErrMalformed},
		"no-uses":    {func(c *consent.Consent) { c.Uses = -1 }, consent.ErrMalformed},
		"no-notice":  {func(c *consent.Consent) { c.Notice = consent.Notice{} }, consent.ErrMalformed},
		"language":   {func(c *consent.Consent) { c.Notice.Language = "k" }, consent.ErrMalformed},
		"everything": {func(c *consent.Consent) { *c = consent.Consent{} }, consent.ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := given()
			tt.edit(&c)
			if token, err := consent.Issue(testKey(t, 1), c); !errors.Is(err, tt.want) || token != "" {
				t.Errorf("issued: %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := consent.Issue(jose.PrivateKey{}, given()); !errors.Is(err, consent.ErrHolder) {
		t.Errorf("without a key: %v, want ErrHolder", err)
	}
}

// TestLargestConsentFits keeps MaxSize above what Issue can make.
func TestLargestConsentFits(t *testing.T) {
	c := given()
	c.ID = strings.Repeat("<", 128) // encoding/json writes < as six characters.
	c.Requester, c.Controller = strings.Repeat("r", 1024), strings.Repeat("c", 1024)
	c.Purpose = strings.Repeat("p", 64)
	c.Modalities = nil
	for i := range 8 {
		c.Modalities = append(c.Modalities, strings.Repeat(string(rune('a'+i)), 64))
	}
	c.ExpiresAt = c.IssuedAt.Add(consent.MaxLifetime)
	e := expected(t)
	e.Requester, e.Controller, e.Purpose, e.Modality = c.Requester, c.Controller, c.Purpose, c.Modalities[7]
	if _, err := consent.Verify(issue(t, c), e); err != nil {
		t.Errorf("a consent at every limit: %v", err)
	}
}

func TestRedaction(t *testing.T) {
	c := given()
	c.ID = "PERSONAL-ID"
	// Plain data: fmt calls no methods on unexported fields, as documented.
	redacttest.Check(t, c, []byte(c.ID), "hidden")
}

func FuzzVerify(f *testing.F) {
	f.Add(issue(f, given()))
	f.Add("")
	f.Add("e30.e30.AA")
	f.Add(sign(1, `{"alg":"Ed25519","typ":"tamga-consent+jwt"}`, `{}`))
	good, want := issue(f, given()), expected(f)
	f.Fuzz(func(t *testing.T, token string) {
		got, err := consent.Verify(token, want)
		if err == nil && token != good {
			t.Error("accepted what the holder did not sign")
		}
		if err != nil && !equal(got, consent.Consent{}) {
			t.Error("an error came with a consent")
		}
	})
}

// FuzzClaims signs any payload with the right key: what is accepted must be
// inside the expectation and survive being issued again.
func FuzzClaims(f *testing.F) {
	u, err := jose.Parse(issue(f, given()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(u.Payload()))
	f.Add(`{}`)
	f.Add(strings.Replace(string(u.Payload()), "finger", "*", 1))
	k, want := testKey(f, 1), expected(f)
	f.Fuzz(func(t *testing.T, payload string) {
		token, err := jose.Sign(k, consent.Type, []byte(payload))
		if err != nil {
			t.Skip("a payload that cannot be signed")
		}
		got, err := consent.Verify(token, want)
		if err != nil {
			if !equal(got, consent.Consent{}) {
				t.Error("an error came with a consent")
			}
			return
		}
		if got.Holder != want.HolderThumbprint || got.Requester != want.Requester || got.Controller != want.Controller ||
			got.Purpose != want.Purpose || !slices.Contains(got.Modalities, want.Modality) ||
			got.ExpiresAt.Sub(got.IssuedAt) > consent.MaxLifetime || !want.Now.Before(got.ExpiresAt) {
			t.Error("accepted a consent outside the expectation")
		}
		again, err := consent.Issue(k, got)
		if err != nil {
			t.Fatalf("an accepted consent cannot be issued: %v", err)
		}
		if back, err := consent.Verify(again, want); err != nil || !equal(back, got) {
			t.Errorf("an accepted consent does not survive issuing: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	token, want := issue(b, given()), expected(b)
	for b.Loop() {
		if _, err := consent.Verify(token, want); err != nil {
			b.Fatal(err)
		}
	}
}
