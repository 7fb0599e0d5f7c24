package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"maps"
	"strings"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/federation/protocol"
)

// maxFrame is the largest frame of TMG-T-003.
const maxFrame = 262_144

// syntaxCases break the form of a Query, TMG-Q-002 to TMG-Q-004.
func syntaxCases() []Case {
	malformed := func(id, title string, f fault) Case {
		return Case{ID: id, Title: title, Negative: true, Requirements: []string{"TMG-Q-004", "TMG-R-001", "TMG-A-007"},
			steps: refuses(f, protocol.CodeMalformed), Hint: "Decode the payload strictly: exact names, once each, and nothing behind."}
	}
	payload := func(edit func([]byte) []byte) fault {
		return func(_ *session, d *draft) error { d.Payload = edit; return nil }
	}
	return []Case{
		{ID: "TMG-CONF-Q-001", Title: "a frame that is no JWS is refused", Negative: true, Requirements: []string{"TMG-Q-002", "TMG-R-001", "TMG-A-007"},
			steps: raw(func(*session) []byte { return []byte("no Query at all") })},
		{ID: "TMG-CONF-Q-002", Title: "the largest frame, filled with nothing of use, is refused", Negative: true,
			Requirements: []string{"TMG-T-003", "TMG-R-001", "TMG-A-007"}, Hint: "Limits before work: look at the size before decoding.",
			steps: raw(func(*session) []byte { return bytes.Repeat([]byte("a"), maxFrame) })},
		malformed("TMG-CONF-Q-003", "an unknown claim makes a Query malformed", claim("note", "x")),
		malformed("TMG-CONF-Q-004", "a claim that comes twice makes a Query malformed", payload(func(b []byte) []byte {
			return append([]byte(`{"rev":"1",`), b[1:]...)
		})),
		malformed("TMG-CONF-Q-005", "a claim with a name in other case makes a Query malformed", func(_ *session, d *draft) error {
			d.Late = func(c map[string]any) { c["Officer"] = c["officer"]; delete(c, "officer") }
			return nil
		}),
		malformed("TMG-CONF-Q-006", "a missing claim makes a Query malformed", func(_ *session, d *draft) error {
			d.Late = func(c map[string]any) { delete(c, "officer") }
			return nil
		}),
		malformed("TMG-CONF-Q-007", "bytes behind the JSON object make a Query malformed", payload(func(b []byte) []byte {
			return append(bytes.Clone(b), "{}"...)
		})),
		malformed("TMG-CONF-Q-008", "an audience in an array makes a Query malformed", func(s *session, d *draft) error {
			d.Late = func(c map[string]any) { c["aud"] = []string{s.Target.Entity} }
			return nil
		}),
		malformed("TMG-CONF-Q-009", "a jti of 8 bytes makes a Query malformed", claim("jti", b64.EncodeToString(make([]byte, 8)))),
		malformed("TMG-CONF-Q-010", "a time with a fraction makes a Query malformed", payload(func(b []byte) []byte {
			i := bytes.Index(b, []byte(`"iat":`)) + len(`"iat":`)
			end := i + bytes.IndexByte(b[i:], ',')
			return append(append(bytes.Clone(b[:end]), ".5"...), b[end:]...)
		})),
		malformed("TMG-CONF-Q-011", "a purpose that is no name makes a Query malformed", claim("purpose", "border control")),
		malformed("TMG-CONF-Q-012", "an officer who is no pseudonym makes a Query malformed", claim("officer", "A. B. Officer")),
		malformed("TMG-CONF-Q-013", "a reply_key that is no key makes a Query malformed", claim("reply_key", b64.EncodeToString(make([]byte, 1200)))),
		malformed("TMG-CONF-Q-014", "padding in base64url makes a Query malformed", func(_ *session, d *draft) error {
			d.Late = func(c map[string]any) { c["sealed"] = c["sealed"].(string) + "=" }
			return nil
		}),
		{ID: "TMG-CONF-Q-015", Title: "a line end behind the JWS is refused", Negative: true, Requirements: []string{"TMG-Q-002", "TMG-R-001"},
			steps: refuses(func(_ *session, d *draft) error { d.Token = func(t string) string { return t + "\n" }; return nil }, protocol.CodeMalformed)},
		{ID: "TMG-CONF-Q-016", Title: "revision 2 is refused as such", Negative: true, Requirements: []string{"TMG-Q-003", "TMG-R-001"},
			steps: refuses(claim("rev", "2"), protocol.CodeRevision)},
		{ID: "TMG-CONF-Q-017", Title: "a Query with members in another order is answered", Requirements: []string{"TMG-Q-002", "TMG-A-002"},
			Hint:  "Hash the bytes that were received, not the claims encoded again.",
			steps: answers(payload(reordered), protocol.CodeMatched)},
	}
}

// raw sends bytes that are no Query. What they claim to be is nobody's.
func raw(frame func(*session) []byte) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		f := frame(s)
		r, err := s.Send(ctx, sent{Frame: f, Hash: sha256.Sum256(f), Claims: map[string]any{}, At: s.Now()})
		if err != nil {
			return err
		}
		return exchange.Is(r, false, protocol.CodeMalformed)
	}
}

// reordered puts white space into the payload and its last member first.
func reordered(b []byte) []byte {
	i := bytes.LastIndex(b, []byte(`,"seal`))
	out := append([]byte("{ "), b[i+1:len(b)-1]...)
	out = append(out, " , "...)
	return append(append(out, b[1:i]...), " }"...)
}

// headerCases break the JOSE header and the signature, TMG-Q-001 and TMG-Q-005.
func headerCases() []Case {
	const hint = "Decide the algorithm and the key yourself; the token only gets to agree."
	header := func(id, title string, f fault) Case {
		return Case{ID: id, Title: title, Negative: true, Requirements: []string{"TMG-Q-001", "TMG-Q-005"}, Hint: hint,
			steps: refuses(f, protocol.CodeMalformed, protocol.CodeSignature)}
	}
	set := func(member string, value any) fault {
		return func(_ *session, d *draft) error { d.Header[member] = value; return nil }
	}
	return []Case{
		header("TMG-CONF-Q-020", "another typ is refused", set("typ", protocol.TypeAnswer)),
		header("TMG-CONF-Q-021", "a missing typ is refused", func(_ *session, d *draft) error { delete(d.Header, "typ"); return nil }),
		header("TMG-CONF-Q-022", "crit is refused", func(_ *session, d *draft) error {
			maps.Copy(d.Header, map[string]any{"crit": []string{"exp"}, "exp": 1})
			return nil
		}),
		header("TMG-CONF-Q-023", "alg none is refused", func(_ *session, d *draft) error {
			d.Header["alg"] = "none"
			d.Sign = func([]byte) []byte { return nil }
			return nil
		}),
		header("TMG-CONF-Q-024", "alg HS256 under the public key is refused", symmetric),
		header("TMG-CONF-Q-025", "a signature under another algorithm's name is refused", set("alg", "ES256")),
		header("TMG-CONF-Q-026", "a missing kid is refused", func(_ *session, d *draft) error { delete(d.Header, "kid"); return nil }),
		header("TMG-CONF-Q-027", "a key that the header brings along is refused", embedded),
		{ID: "TMG-CONF-Q-028", Title: "a changed signature is refused", Negative: true, Requirements: []string{"TMG-Q-005"}, Hint: hint,
			steps: refuses(flippedSignature, protocol.CodeSignature)},
		{ID: "TMG-CONF-Q-029", Title: "a claim changed after signing is refused", Negative: true, Requirements: []string{"TMG-Q-005"}, Hint: hint,
			steps: refuses(func(_ *session, d *draft) error {
				d.Token = func(t string) string {
					parts := strings.SplitN(t, ".", 3)
					payload, _ := b64.DecodeString(parts[1])
					payload = bytes.Replace(payload, []byte(`"conformance"`), []byte(`"conformancy"`), 1)
					return parts[0] + "." + b64.EncodeToString(payload) + "." + parts[2]
				}
				return nil
			}, protocol.CodeSignature)},
		{ID: "TMG-CONF-Q-030", Title: "a signature by a key that the issuer does not have is refused", Negative: true, Requirements: []string{"TMG-Q-005"},
			Hint: hint, steps: refuses(unknownKey, protocol.CodeSignature)},
		{ID: "TMG-CONF-Q-031", Title: "a signature by an unknown key under the issuer's kid is refused", Negative: true, Requirements: []string{"TMG-Q-005"},
			Hint: hint, steps: refuses(func(s *session, d *draft) error {
				if err := unknownKey(s, d); err != nil {
					return err
				}
				d.Header["kid"] = s.Tester.Signing.Public().KeyID()
				return nil
			}, protocol.CodeSignature)},
		{ID: "TMG-CONF-Q-032", Title: "alg EdDSA, the older name, is answered", Requirements: []string{"TMG-Q-001"},
			steps: answers(set("alg", "EdDSA"), protocol.CodeMatched)},
	}
}
