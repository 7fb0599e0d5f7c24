package conformance

import (
	"fmt"

	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/protocol"
)

// sealCases break the seal, TMG-Q-009 and TMG-Q-010.
func sealCases() []Case {
	broken := func(id, title string, f fault) Case {
		return Case{ID: id, Title: title, Negative: true, Requirements: []string{"TMG-Q-009", "TMG-Q-010"}, steps: answers(f, protocol.CodeSeal),
			Hint: "The seal must open under the named key, info and the AAD of the claims as received."}
	}
	late := func(name string, value any) fault {
		return func(_ *session, d *draft) error { d.Late = func(c map[string]any) { c[name] = value }; return nil }
	}
	return []Case{
		broken("TMG-CONF-S-001", "a Query sealed to another key is refused", otherKey),
		broken("TMG-CONF-S-002", "a Query that names another key is refused", func(s *session, d *draft) error {
			if err := otherKey(s, d); err != nil {
				return err
			}
			d.Claims["seal_kid"] = d.To.KeyID()
			return nil
		}),
		broken("TMG-CONF-S-003", "a sealed part with a flipped bit is refused", func(s *session, d *draft) error { d.Sealed = flipped(s); return nil }),
		broken("TMG-CONF-S-004", "a sealed part that is cut off is refused", func(s *session, d *draft) error {
			d.Sealed = func(b []byte) []byte { return b[:1120+s.Rand.IntN(8)] }
			return nil
		}),
		broken("TMG-CONF-S-005", "a sealed part of another context is refused", func(_ *session, d *draft) error { d.Info = "tamga/v1/answer"; return nil }),
		broken("TMG-CONF-S-006", "an officer changed under the seal is refused", late("officer", "another")),
		broken("TMG-CONF-S-007", "an expiry changed under the seal is refused", func(_ *session, d *draft) error {
			d.Late = func(c map[string]any) { c["exp"] = c["exp"].(int64) - 1 }
			return nil
		}),
		broken("TMG-CONF-S-008", "a legal basis changed under the seal is refused", otherBasis),
		broken("TMG-CONF-S-009", "a reply key changed under the seal is refused", func(_ *session, d *draft) error {
			k, err := sealing.GenerateKey()
			if err != nil {
				return fmt.Errorf("making key: %w", err)
			}
			d.Reply = k
			d.Late = func(c map[string]any) { c["reply_key"] = b64.EncodeToString(k.Public().Bytes()) }
			return nil
		}),
	}
}

// otherKey seals to a key that is nobody's.
func otherKey(_ *session, d *draft) error {
	k, err := sealing.GenerateKey()
	if err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	d.To = k.Public()
	return nil
}

// otherBasis moves a sealed part from a basis under which it was not sealed to the
// one that the law allows.
func otherBasis(_ *session, d *draft) error {
	basis := d.Claims["legal_basis"]
	d.Claims["legal_basis"] = "vital_interest"
	d.Late = func(c map[string]any) { c["legal_basis"] = basis }
	return nil
}
