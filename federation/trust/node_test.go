package trust_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

func nodeParameters(ds []draft) map[string]any {
	return ds[0].claims["metadata"].(map[string]any)["tamga_node"].(map[string]any)
}

func pins(ds []draft) map[string]any {
	return ds[1].claims["metadata"].(map[string]any)["tamga_node"].(map[string]any)
}

// TestNodeRefuses: the chain is good, the node it describes is not.
func TestNodeRefuses(t *testing.T) {
	set := func(name string, value any) func([]draft) {
		return func(ds []draft) {
			if value == nil {
				delete(nodeParameters(ds), name)
			} else {
				nodeParameters(ds)[name] = value
			}
		}
	}
	pin := func(name string, value any) func([]draft) { return func(ds []draft) { pins(ds)[name] = value } }
	for _, tc := range []struct {
		name   string
		rule   trust.Rule
		change func([]draft)
	}{
		{"no-node-type", "no-tamga-node", func(ds []draft) { ds[0].claims["metadata"] = map[string]any{"federation_entity": map[string]any{}} }},
		{"no-metadata", "no-tamga-node", func(ds []draft) { delete(ds[0].claims, "metadata") }},
		{"jurisdiction-not-pinned", "unpinned", func(ds []draft) { delete(pins(ds), "jurisdiction") }},
		{"peer-id-not-pinned", "unpinned", func(ds []draft) { delete(pins(ds), "peer_id") }},
		{"nothing-pinned", "unpinned", func(ds []draft) { delete(ds[1].claims, "metadata") }},
		{"lower-case-country", "metadata", pin("jurisdiction", "kaz")},
		{"two-letter-country", "metadata", pin("jurisdiction", "KZ")},
		{"peer-id-with-slash", "metadata", pin("peer_id", "a/b")},
		{"further-peer-id-with-slash", "metadata", pin("peer_ids", []string{"a/b"})},
		{"further-peer-ids-too-many", "metadata", pin("peer_ids", testpeer.IDs("a", "b", "c", "d"))},
		{"peer-id-long", "metadata", pin("peer_id", testpeer.ID("KAZ")+"1")},
		{"proofs-too-many", "metadata", set("peer_id_proofs", testpeer.Proofs(nodeID, keyOf(t, nodeID).Public(), testpeer.IDs("KAZ", "a", "b", "c", "d")...))},
		{"address-relative", "metadata", set("addresses", []string{"ip4/1.2.3.4"})},
		{"address-with-space", "metadata", set("addresses", []string{"/dns/a b"})},
		{"addresses-too-many", "metadata", set("addresses", manyAddresses(17))},
		{"address-twice", "metadata", set("addresses", []string{"/ip4/1.2.3.4", "/ip4/1.2.3.4"})},
		{"no-signing-keys", "metadata", set("jwks", nil)},
		{"no-sealing-keys", "metadata", set("sealing_keys", nil)},
		{"modality-with-space", "metadata", set("modalities", []string{"a b"})},
		{"no-ledger", "metadata", set("ledger", nil)},
		{"ledger-without-keys", "metadata", set("ledger", map[string]any{"origin": "o"})},
		{"legal-basis-twice", "metadata", set("legal_bases", []string{"consent", "consent"})},
		{"vocabulary-with-space", "metadata", set("vocabulary", "2026 4")},
		{"vocabulary-long", "metadata", set("vocabulary", strings.Repeat("2", 100))},
		{"held-by-no-law", "metadata", set("biometric_data", []any{map[string]any{"type": "face", "form": "sample", "source": "s", "article": "1", "retention": "P1Y"}})},
		{"held-member-in-other-case", "metadata", set("biometric_data", []any{map[string]any{"Type": "face", "form": "sample", "source": "s", "law": "l", "article": "1", "retention": "P1Y"}})},
		{"held-null", "metadata", set("biometric_data", []any{nil})},
		{"no-revisions", "metadata", set("revisions", nil)},
		{"federation-key-signs-queries", "federation-key-reused", set("jwks", asMap(t, keySet(t, nodeID)))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ds := drafts(t)
			tc.change(ds)
			c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
			if err != nil {
				t.Fatal(err)
			}
			n, err := c.Node()
			wantRule(t, err, tc.rule, 0)
			if n.EntityID != "" || n.PeerID != "" {
				t.Error("a refused node is not zero")
			}
		})
	}
}

// TestNodeHolds: the list of biometric data arrives as it was written, and members and words of a later revision do no harm.
func TestNodeHolds(t *testing.T) {
	ds := drafts(t)
	nodeParameters(ds)["legal_bases"] = []string{"consent", "public_task"}
	nodeParameters(ds)["vocabulary"] = "2031.12"
	nodeParameters(ds)["biometric_data"] = []any{
		map[string]any{"type": "face", "form": "sample", "source": "паспорт", "law": "Act 1", "article": "Article 2", "retention": "P10Y", "later": 1},
		map[string]any{"type": "odour", "form": "trace", "source": "s", "law": "Act 1", "article": "Article 2", "retention": "unlimited"}}
	c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Node()
	if err != nil {
		t.Fatal(err)
	}
	want := []inventory.Entry{{Type: "face", Form: "sample", Source: "паспорт", Law: "Act 1", Article: "Article 2", Retention: "P10Y"}, {Type: "odour", Form: "trace", Source: "s", Law: "Act 1", Article: "Article 2", Retention: "unlimited"}}
	if n.Vocabulary != "2031.12" {
		t.Errorf("the vocabulary is %q", n.Vocabulary)
	}
	if !slices.Equal(n.Holds, want) || !slices.Equal(n.LegalBases, []string{"consent", "public_task"}) {
		t.Errorf("got %v on %v, want %v", n.Holds, n.LegalBases, want)
	}
}

func manyAddresses(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "/ip4/1.2.3.4/tcp/" + strings.Repeat("1", i+1)
	}
	return out
}

// TestPeerIDs: a node has the IDs that its superior pinned and whose keys have signed for it, and no others: another
// member's would let it be taken for that one.
func TestPeerIDs(t *testing.T) {
	own := keyOf(t, nodeID).Public()
	all := testpeer.IDs("KAZ", "NEXT", "UZB")
	proofs := func(names ...string) peerid.Proofs { return testpeer.Proofs(nodeID, own, testpeer.IDs(names...)...) }
	stolen := testpeer.Proofs("https://tamga.uzb.example", keyOf(t, "https://tamga.uzb.example").Public(), all...)
	former := testpeer.Proofs(nodeID, keyOf(t, "a former federation key").Public(), all...)
	swapped := proofs("KAZ", "UZB")
	swapped[all[0]], swapped[all[2]] = swapped[all[2]], swapped[all[0]]
	for _, tc := range []struct {
		name                 string
		own, pinned, further any
		proofs               any
		want                 []string
	}{
		{"none", nil, nil, nil, proofs("KAZ"), all[:1]},
		{"announced-and-pinned", all[1:2], nil, all[1:2], proofs("KAZ", "NEXT"), all[:2]},
		{"announced-only", all[1:2], nil, nil, proofs("KAZ", "NEXT"), all[:1]},
		{"another-announced", all[2:], nil, all[1:2], proofs("KAZ", "NEXT"), all[:2]},
		{"in-use-already", all[:1], nil, all[:1], proofs("KAZ"), all[:1]},
		{"further-unproved", all[1:2], nil, all[1:2], proofs("KAZ"), all[:1]},
		{"given-up", nil, all[1], all[:1], proofs("KAZ"), all[:1]}, // and the superior has not heard of it
		{"another's-further", all[2:], nil, all[2:], proofs("KAZ"), all[:1]},
		{"another's", nil, all[2], nil, proofs("KAZ"), nil},
		{"another's-with-its-proof", nil, all[2], nil, stolen, nil},
		{"former-federation-key", nil, nil, nil, former, nil},
		{"swapped", nil, nil, all[2:], swapped, nil},
		{"no-proofs", nil, nil, nil, nil, nil},
		{"zero-proof", nil, nil, nil, peerid.Proofs{all[0]: {}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ds := drafts(t)
			put := func(m map[string]any, name string, value any) {
				if value != nil {
					m[name] = value
				}
			}
			delete(nodeParameters(ds), "peer_id_proofs")
			put(nodeParameters(ds), "peer_id_proofs", tc.proofs)
			put(nodeParameters(ds), "peer_ids", tc.own)
			put(pins(ds), "peer_id", tc.pinned)
			put(pins(ds), "peer_ids", tc.further)
			c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
			if err != nil {
				t.Fatal(err)
			}
			n, err := c.Node()
			if tc.want == nil {
				wantRule(t, err, trust.RuleUnproved, 0)
				if n.PeerID != "" {
					t.Error("a refused node is not zero")
				}
			} else if err != nil || !slices.Equal(n.IDs(), tc.want) {
				t.Fatalf("IDs are %q, %v, want %q", n.IDs(), err, tc.want)
			}
		})
	}
}

// TestSuperiorOverrides: whatever a member writes, the authority's word counts, and
// only for Entity Types the member declares.
func TestSuperiorOverrides(t *testing.T) {
	ds := drafts(t)
	nodeParameters(ds)["jurisdiction"] = "UZB"
	nodeParameters(ds)["peer_id"] = testpeer.ID("UZB")
	ds[1].claims["metadata"].(map[string]any)["federation_entity"] = map[string]any{"organization_name": "Impostor"}
	c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Node()
	if err != nil {
		t.Fatal(err)
	}
	if n.Jurisdiction != "KAZ" || n.PeerID != testpeer.ID("KAZ") {
		t.Errorf("got %s and %s: the member's own claim prevailed", n.Jurisdiction, n.PeerID)
	}
	if c.Metadata.FederationEntity != nil {
		t.Error("a superior added an Entity Type that the subject does not declare")
	}
}

// TestSealingKeyOfTomorrow: a suite not known here beside one that is.
func TestSealingKeyOfTomorrow(t *testing.T) {
	ds := drafts(t)
	p := nodeParameters(ds)
	other := map[string]any{"kid": "x", "kem": "Y-Wing", "kdf": "HKDF-SHA256", "aead": "AES-256-GCM", "pub": "AA"}
	p["sealing_keys"] = slices.Insert(p["sealing_keys"].([]any), 0, any(other))
	c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Node(); err != nil || len(n.SealingKeys) != 1 {
		t.Errorf("got %d sealing keys, error %v", len(n.SealingKeys), err)
	}
}
