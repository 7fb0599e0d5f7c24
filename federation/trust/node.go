package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

// Limits on what a node may publish. They bound what a directory of all nodes
// holds in memory, and are far above what a country needs.
const (
	maxAddresses   = 16
	maxAddressSize = 512
	maxPeerIDs     = 3 // beside peer_id: the next key's and the last one's, and one to spare
	maxNodeKeys    = 16
	maxTokens      = 64
	maxTokenSize   = 64
	maxOrigin      = 255
	maxVerifierKey = 8192 // an ML-DSA-87 vkey is about 3.5 KB
)

// Node is a member of the federation: what a verified chain says about one
// country's node. Its slices are shared and must not be changed. The zero value is
// nobody. When it was verified last does not matter; until when it holds is
// ExpiresAt, which every look-up checks.
type Node struct {
	EntityID             EntityID
	Jurisdiction, PeerID string
	// PeerIDs are further ones by which the node may be reached, and may reach others, while
	// its libp2p key is replaced.
	PeerIDs             []string
	Addresses           []string
	SigningKeys         jose.KeySet
	SealingKeys         []sealing.PublicKey
	Modalities, Formats []string
	Purposes            []string
	LegalBases          []string
	Vocabulary          string // version of the registry of words that it knows; empty when it does not say
	LedgerKeys          []string
	LedgerOrigin        string
	Revisions           []string
	KeyExchange         []string
	Holds               []inventory.Entry // what biometric data its country says it holds
	ExpiresAt           time.Time
	// Under is the node of the same country that this one is below, such as a
	// ministry's under its country's; empty for the country's own.
	Under EntityID
	// Marks are the node's Trust Marks that were verified. Only a directory knows them; each
	// holds until its own time, which [Node.MarkTypes] checks.
	Marks []ValidMark
}

// ValidMark is a Trust Mark that was verified under its Anchor's rules.
type ValidMark struct {
	// Type is the Trust Mark type identifier.
	Type string
	// Issuer gave the mark.
	Issuer EntityID
	// Until is when it ends, or what is known of its issuer and its status does; zero when
	// nothing is known of its status.
	Until time.Time
	// Ends is when it ends by itself, or what is known of its issuer: from Until to then it is
	// undetermined whether it still is active.
	Ends time.Time
}

// Undetermined reports whether it cannot be told at now whether the mark still is active.
func (m ValidMark) Undetermined(now time.Time) bool {
	return !now.Before(m.Until) && now.Before(m.Ends)
}

// IDs are all peer IDs of the node, the one in use first. The slice is the caller's.
func (n Node) IDs() []string { return append([]string{n.PeerID}, n.PeerIDs...) }

// Is reports whether the peer ID is one of the node's.
func (n Node) Is(peerID string) bool { return peerID == n.PeerID || slices.Contains(n.PeerIDs, peerID) }

// Shares reports whether the nodes have a peer ID in common.
func (n Node) Shares(other Node) bool { return slices.ContainsFunc(n.IDs(), other.Is) }

// MarkTypes are the types of the node's Trust Marks that hold at now, each once, in
// order. The slice is the caller's.
func (n Node) MarkTypes(now time.Time) []string {
	var types []string
	for _, m := range n.Marks {
		if now.Before(m.Until) {
			types = append(types, m.Type)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Node returns the Leaf as a Tamga node. It requires complete, well-formed
// tamga_node metadata whose jurisdiction and peer_id the immediate superior pinned,
// because the one is what a member could take from another, and by the other it is let in;
// peer_ids counts for nothing where the superior did not pin it. A peer ID whose key has
// not signed for the Entity is passed over, and the chain is refused by [RuleUnproved] when
// none is left: a superior may still pin one that the member has given up. Parameters of later
// revisions are ignored. Errors are [*ChainError] about statement 0.
func (c Chain) Node() (Node, error) {
	fail := func(rule Rule, err error) (Node, error) {
		return Node{}, &ChainError{Entity: c.Leaf, Rule: rule, Err: err}
	}
	m := c.Metadata.TamgaNode
	if m == nil || c.Leaf == "" {
		return fail(RuleNotNode, nil)
	}
	if !c.pinned.pins(TypeNode, "jurisdiction") || !c.pinned.pins(TypeNode, "peer_id") {
		return fail(ruleUnpinned, nil)
	}
	if err := m.Check(); err != nil {
		return fail(ruleMetadata, err)
	}
	if m.SharesKey(c.JWKS) {
		return fail(ruleKeysShared, nil)
	}
	known := *m
	if !c.pinned.pins(TypeNode, "peer_ids") {
		known.PeerIDs = nil
	}
	ids, err := known.proved(c.Leaf, c.signer)
	if len(ids) == 0 {
		return fail(RuleUnproved, err)
	}
	under := EntityID("")
	if c.above != nil {
		// Of all of them: a node that is refused because it is foreign would otherwise make
		// nodes below it that are at home with it.
		if slices.ContainsFunc(c.above.jurisdictions, func(j string) bool { return j != m.Jurisdiction }) {
			return fail(ruleForeign, nil)
		}
		under = c.above.nearest
	}
	return Node{
		Under:    under,
		EntityID: c.Leaf, Jurisdiction: m.Jurisdiction, PeerID: ids[0], PeerIDs: ids[1:], Addresses: m.Addresses,
		SigningKeys: m.Keys, SealingKeys: m.SealingKeys, Modalities: m.Modalities, Formats: m.Formats,
		Purposes: m.Purposes, LedgerKeys: m.Ledger.Keys, LedgerOrigin: m.Ledger.Origin,
		Revisions: m.Revisions, KeyExchange: m.KeyExchange, LegalBases: m.LegalBases, Vocabulary: m.Vocabulary, Holds: m.Holds, ExpiresAt: c.ExpiresAt,
	}, nil
}

// Check reports the first parameter that is missing or malformed.
func (m *NodeMetadata) Check() error {
	for _, p := range []struct {
		name string
		ok   bool
	}{
		{"jurisdiction", isAlpha3(m.Jurisdiction)},
		{"peer_id", isPeerID(m.PeerID)},
		{"peer_ids", all(m.PeerIDs, 0, maxPeerIDs, isPeerID)},
		{"peer_id_proofs", len(m.PeerProofs) <= 1+maxPeerIDs},
		{"addresses", all(m.Addresses, 0, maxAddresses, isAddress)},
		{"jwks", m.Keys.Len() >= 1 && m.Keys.Len() <= maxNodeKeys},
		{"sealing_keys", len(m.SealingKeys) >= 1 && len(m.SealingKeys) <= maxNodeKeys},
		{"modalities", all(m.Modalities, 0, maxTokens, isToken)},
		{"formats", all(m.Formats, 0, maxTokens, isToken)},
		{"purposes", all(m.Purposes, 0, maxTokens, isToken)},
		{"ledger", m.Ledger != nil && IsPrintable(m.Ledger.Origin, maxOrigin) &&
			all(m.Ledger.Keys, 1, maxNodeKeys, func(k string) bool { return IsPrintable(k, maxVerifierKey) })},
		{"key_exchange", all(m.KeyExchange, 0, maxTokens, isToken)},
		{"legal_bases", all(m.LegalBases, 0, maxTokens, isToken)},
		{"vocabulary", m.Vocabulary == "" || isToken(m.Vocabulary)},
		{"biometric_data", inventory.Check(m.Holds) == nil},
		{"revisions", all(m.Revisions, 1, maxTokens, isToken)},
	} {
		if !p.ok {
			return errors.New("parameter " + p.name + " is missing or malformed")
		}
	}
	return nil
}

// proved are those of the peer IDs, each once and the one in use first, whose keys have signed for the Entity and the
// federation key with that thumbprint. The error is about the first that is not among them.
func (m *NodeMetadata) proved(id EntityID, signer string) (ids []string, first error) {
	for i, peer := range append([]string{m.PeerID}, m.PeerIDs...) {
		if i > 0 && peer == m.PeerID {
			continue
		}
		err := m.PeerProofs.Verify(peer, string(id), signer)
		switch {
		case err == nil:
			ids = append(ids, peer)
		case first != nil:
		case i == 0:
			first = fmt.Errorf("peer_id: %w", err)
		default:
			first = fmt.Errorf("peer_ids: entry %d: %w", i-1, err)
		}
	}
	return ids, first
}

// SharesKey reports whether a federation key is also a protocol key. One key in two
// protocols lets a signature made for one be presented in the other.
func (m *NodeMetadata) SharesKey(federation jose.KeySet) bool {
	for _, f := range federation.Keys() {
		for _, k := range m.Keys.Keys() {
			if f.Equal(k) {
				return true
			}
		}
	}
	return false
}

// all checks the number of entries, each entry, and that none comes twice.
func all(list []string, least, most int, ok func(string) bool) bool {
	if len(list) < least || len(list) > most {
		return false
	}
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !ok(s) || seen[s] {
			return false
		}
		seen[s] = true
	}
	return true
}

func isAlpha3(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func isPeerID(s string) bool {
	_, err := peerid.Parse(s)
	return err == nil
}

// isToken is the shape of every registered name: modality, format, purpose, revision.
func isToken(s string) bool {
	return s != "" && len(s) <= maxTokenSize && isAlphanumeric(s, "-_.")
}

func isAlphanumeric(s, also string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(also, c) >= 0) {
			return false
		}
	}
	return true
}

// isAddress is the outer shape of a multiaddr; the transport parses it.
func isAddress(s string) bool {
	return strings.HasPrefix(s, "/") && IsPrintable(s, maxAddressSize) && !strings.Contains(s, " ")
}

// IsPrintable reports whether s is printable ASCII of 1 to most bytes.
func IsPrintable(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
