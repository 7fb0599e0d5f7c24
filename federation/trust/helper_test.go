package trust_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
)

var epoch = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

const (
	anchorID       = "https://anchor.example/fed"
	intermediateID = "https://region.example"
	nodeID         = "https://tamga.kaz.example"
	statementTyp   = "entity-statement+jwt"
)

func seed(name string) []byte {
	s := sha256.Sum256([]byte("tamga/v1/test-key " + name))
	return s[:]
}

func keyOf(t testing.TB, name string) jose.PrivateKey {
	t.Helper()
	k, err := jose.NewPrivateKey(seed(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keySet(t testing.TB, names ...string) jose.KeySet {
	t.Helper()
	var keys []jose.PublicKey
	for _, n := range names {
		keys = append(keys, keyOf(t, n).Public())
	}
	return jose.NewKeySet(keys...)
}

func anchor(t testing.TB) trust.Anchor {
	t.Helper()
	return trust.Anchor{EntityID: anchorID, Keys: keySet(t, anchorID)}
}

// nodeMetadata is complete metadata of a node of the country.
func nodeMetadata(t testing.TB, country string) *trust.NodeMetadata {
	t.Helper()
	sealer, err := sealing.NewPrivateKey(seed("sealing " + country))
	if err != nil {
		t.Fatal(err)
	}
	return &trust.NodeMetadata{
		Jurisdiction: country,
		PeerID:       testpeer.ID(country),
		Addresses:    []string{"/ip4/127.0.0.1/udp/4001/quic-v1"},
		Keys:         keySet(t, "protocol "+country),
		SealingKeys:  []sealing.PublicKey{sealer.Public()},
		Modalities:   []string{"finger", "face"},
		Formats:      []string{"iso-19794-2-2005"},
		Purposes:     []string{"border_control"},
		Ledger:       &trust.LedgerMetadata{Origin: "tamga.kaz.example/log", Keys: []string{"tamga.kaz.example/log+abc+def"}},
		Revisions:    []string{"1"},
	}
}

// configuration signs a complete Entity Configuration of a node under the anchor.
func configuration(t testing.TB, id trust.EntityID, m *trust.NodeMetadata, issued time.Time, hints ...trust.EntityID) string {
	t.Helper()
	if len(hints) == 0 {
		hints = []trust.EntityID{anchorID}
	}
	token, err := trust.SignEntityConfiguration(keyOf(t, string(id)), trust.EntityConfiguration{
		Entity: id, IssuedAt: issued, ExpiresAt: issued.Add(14 * 24 * time.Hour), AuthorityHints: hints,
		Metadata: trust.Metadata{TamgaNode: testpeer.Prove(m, id, keyOf(t, string(id)).Public())},
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// draft is a statement before it is signed, so that one thing in it can be wrong.
type draft struct {
	claims map[string]any
	key    string
	typ    string
}

func (d draft) token(t testing.TB) string {
	t.Helper()
	payload, err := json.Marshal(d.claims)
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, d.key, d.typ, payload)
}

func signed(t testing.TB, key, typ string, payload []byte) string {
	t.Helper()
	token, err := jose.Sign(keyOf(t, key), typ, payload)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func asMap(t testing.TB, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// drafts is a faultless chain of four: node, region about node, anchor about
// region, anchor.
func drafts(t testing.TB) []draft {
	t.Helper()
	statement := func(iss, sub string, hours int, more map[string]any) draft {
		claims := map[string]any{
			"iss": iss, "sub": sub, "iat": epoch.Unix(), "exp": epoch.Add(time.Duration(hours) * time.Hour).Unix(),
			"jwks": asMap(t, keySet(t, sub)),
		}
		for k, v := range more {
			claims[k] = v
		}
		return draft{claims, iss, statementTyp}
	}
	node := asMap(t, testpeer.Prove(nodeMetadata(t, "KAZ"), nodeID, keyOf(t, nodeID).Public()))
	return []draft{
		statement(nodeID, nodeID, 100, map[string]any{
			"authority_hints": []string{intermediateID}, "metadata": map[string]any{"tamga_node": node},
		}),
		statement(intermediateID, nodeID, 24, map[string]any{"metadata": map[string]any{
			"tamga_node": map[string]any{"jurisdiction": "KAZ", "peer_id": testpeer.ID("KAZ")},
		}}),
		statement(anchorID, intermediateID, 48, map[string]any{"constraints": map[string]any{"max_path_length": 1}}),
		statement(anchorID, anchorID, 72, map[string]any{"metadata": map[string]any{
			"federation_entity": map[string]any{"organization_name": "Anchor"},
		}}),
	}
}

func tokens(t testing.TB, ds []draft) []string {
	t.Helper()
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.token(t)
	}
	return out
}

func wantRule(t testing.TB, err error, rule trust.Rule, statement int) {
	t.Helper()
	fault, ok := errors.AsType[*trust.ChainError](err)
	if !ok {
		t.Fatalf("got error %v, want rule %q", err, rule)
	}
	if fault.Rule != rule || fault.Statement != statement {
		t.Fatalf("got rule %q at statement %d, want %q at %d", fault.Rule, fault.Statement, rule, statement)
	}
}
