package trust

import (
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// VerifyConfiguration checks an Entity Configuration as far as the Entity alone can
// make it good: it is signed with a key it announces itself, its times hold at now,
// and it names superior in its authority_hints unless superior is empty. What comes
// back is the Entity's own word: nobody has vouched for it. Errors are [*ChainError]
// about statement 0.
func VerifyConfiguration(token string, superior EntityID, now time.Time) (UnverifiedStatement, error) {
	s, fault := parseStatement(token)
	if fault == nil && s.iss != s.sub {
		fault = s.fault(ruleOrder, 0)
	}
	if fault == nil {
		fault = s.verify(s.keys)
	}
	if fault == nil {
		fault = checkTimes([]statement{s}, now)
	}
	if fault == nil && superior != "" && !slices.Contains(s.hints, superior) {
		fault = s.fault(RuleHint, 0)
	}
	if fault != nil {
		return UnverifiedStatement{}, fault
	}
	return UnverifiedStatement{s}, nil
}

// Node is the complete tamga_node metadata that an Entity Configuration declares, with a proof for every peer ID
// in it: [RuleUnproved] is broken otherwise.
// Errors are [*ChainError] about statement 0.
func (u UnverifiedStatement) Node() (*NodeMetadata, error) {
	metadata, err := u.s.metadata.decode()
	m := metadata.TamgaNode
	switch {
	case err != nil:
	case m == nil:
		return nil, u.s.fault(RuleNotNode, 0)
	case m.SharesKey(u.s.keys):
		return nil, u.s.fault(ruleKeysShared, 0)
	default:
		err = m.Check()
	}
	if err != nil {
		return nil, &ChainError{Entity: u.s.sub, Rule: ruleMetadata, Err: err}
	}
	if _, err := m.proved(u.s.sub, u.s.signer); err != nil {
		return nil, &ChainError{Entity: u.s.sub, Rule: RuleUnproved, Err: err}
	}
	return m, nil
}

// VerifyBy checks the signature under keys. The error is a [*ChainError].
func (u UnverifiedStatement) VerifyBy(keys jose.KeySet) error {
	if fault := u.s.verify(keys); fault != nil {
		return fault
	}
	return nil
}
