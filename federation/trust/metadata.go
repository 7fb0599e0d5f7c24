package trust

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

// Entity Type Identifiers.
const (
	// TypeNode is a country's node.
	TypeNode = "tamga_node"
	// TypeFederation is an Entity with subordinates, endpoints or a name.
	TypeFederation = "federation_entity"
)

// Metadata holds the Entity Types this package reads. Types and parameters it does
// not know are not lost from a chain, but they do not appear here.
type Metadata struct {
	// TamgaNode is set when the Entity is a country's node.
	TamgaNode *NodeMetadata `json:"tamga_node,omitempty"`
	// FederationEntity is set when the Entity has subordinates or a name.
	FederationEntity *FederationEntityMetadata `json:"federation_entity,omitempty"`
}

// IsZero reports whether no Entity Type is declared.
func (m Metadata) IsZero() bool { return m == Metadata{} }

// NodeMetadata is the Entity Type tamga_node as it is written. As resolved metadata
// it is not yet checked for completeness: [Chain.Node] does that.
type NodeMetadata struct {
	// Jurisdiction is the ISO 3166-1 alpha-3 code of the country.
	Jurisdiction string `json:"jurisdiction,omitempty"`
	// PeerID is the libp2p peer ID, see package peerid.
	PeerID string `json:"peer_id,omitempty"`
	// PeerIDs are further ones, while the libp2p key is replaced: of the next key or of
	// the last one.
	PeerIDs []string `json:"peer_ids,omitempty"`
	// PeerProofs are by the keys of these peer IDs, for the Entity and the federation key that signs its Entity
	// Configuration.
	PeerProofs peerid.Proofs `json:"peer_id_proofs,omitempty"`
	// Addresses are the multiaddrs where the node listens; empty for a node that
	// only dials.
	Addresses []string `json:"addresses,omitempty"`
	// Keys sign Queries and Answers; never federation keys.
	Keys jose.KeySet `json:"jwks,omitzero"`
	// SealingKeys receive what is sealed to the node, the current one first.
	SealingKeys []sealing.PublicKey `json:"sealing_keys,omitempty"`
	// Modalities, Formats and Purposes are what the node answers for.
	Modalities []string `json:"modalities,omitempty"`
	Formats    []string `json:"formats,omitempty"`
	Purposes   []string `json:"purposes,omitempty"`
	// LegalBases are those on which its law may allow an answer for one of the purposes.
	LegalBases []string `json:"legal_bases,omitempty"`
	// Ledger tells how the node's receipts are verified.
	Ledger *LedgerMetadata `json:"ledger,omitempty"`
	// Revisions are the protocol revisions the node speaks.
	Revisions []string `json:"revisions,omitempty"`
	// KeyExchange are names of the TLS registry that the node has beyond X25519.
	KeyExchange []string `json:"key_exchange,omitempty"`
	// Vocabulary is the version of the registry of words (PROTOCOL.md section 9) that the node knows.
	Vocabulary string `json:"vocabulary,omitempty"`
	// Holds is the list of the biometric data that the country holds.
	Holds []inventory.Entry `json:"biometric_data,omitempty"`
}

// LedgerMetadata names a node's transparency log.
type LedgerMetadata struct {
	// Origin is the checkpoint origin line.
	Origin string `json:"origin,omitempty"`
	// Keys are signed-note verifier keys (vkey strings).
	Keys []string `json:"keys,omitempty"`
}

// FederationEntityMetadata is the Entity Type federation_entity (section 5.1.1).
type FederationEntityMetadata struct {
	// OrganizationName is for people; it grants nothing.
	OrganizationName string `json:"organization_name,omitempty"`
	// FetchEndpoint, ListEndpoint and ResolveEndpoint are https URLs.
	FetchEndpoint   string `json:"federation_fetch_endpoint,omitempty"`
	ListEndpoint    string `json:"federation_list_endpoint,omitempty"`
	ResolveEndpoint string `json:"federation_resolve_endpoint,omitempty"`
	// The endpoints of a Trust Mark Issuer, and of keys used formerly.
	MarkEndpoint           string `json:"federation_trust_mark_endpoint,omitempty"`
	MarkStatusEndpoint     string `json:"federation_trust_mark_status_endpoint,omitempty"`
	MarkListEndpoint       string `json:"federation_trust_mark_list_endpoint,omitempty"`
	HistoricalKeysEndpoint string `json:"federation_historical_keys_endpoint,omitempty"`
}

// rawMetadata is a metadata claim: Entity Type -> parameter -> value. Names stay
// exact, and unknown ones survive resolution.
type rawMetadata map[string]map[string]json.RawMessage

func parseRawMetadata(raw json.RawMessage) (rawMetadata, error) {
	if raw == nil {
		return nil, nil
	}
	var m rawMetadata
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, errors.New("metadata is not an object of objects")
	}
	for _, parameters := range m {
		if parameters == nil {
			return nil, errors.New("metadata of an Entity Type is null")
		}
		for _, value := range parameters {
			if string(value) == "null" {
				return nil, errors.New("a metadata parameter is null")
			}
		}
	}
	return m, nil
}

// overriddenBy applies a superior's metadata: parameter by parameter, and only to
// Entity Types the subject itself declares (section 3.1.1).
func (m rawMetadata) overriddenBy(superior rawMetadata) rawMetadata {
	out := make(rawMetadata, len(m))
	for entityType, own := range m {
		merged := make(map[string]json.RawMessage, len(own))
		for name, value := range own {
			merged[name] = value
		}
		for name, value := range superior[entityType] {
			merged[name] = value
		}
		out[entityType] = merged
	}
	return out
}

// pins reports whether the metadata fixes the parameter of the Entity Type.
func (m rawMetadata) pins(entityType, name string) bool {
	_, ok := m[entityType][name]
	return ok
}

// decode reads the known Entity Types. Parameter names are compared exactly, which
// encoding/json alone would not do.
func (m rawMetadata) decode() (Metadata, error) {
	var out Metadata
	if p, ok := m[TypeNode]; ok {
		n, err := decodeNodeMetadata(p)
		if err != nil {
			return Metadata{}, fmt.Errorf("%s: %w", TypeNode, err)
		}
		out.TamgaNode = n
	}
	if p, ok := m[TypeFederation]; ok {
		f := &FederationEntityMetadata{}
		err := decodeParameters(p, map[string]any{
			"organization_name":           &f.OrganizationName,
			"federation_fetch_endpoint":   &f.FetchEndpoint,
			"federation_list_endpoint":    &f.ListEndpoint,
			"federation_resolve_endpoint": &f.ResolveEndpoint,

			"federation_trust_mark_endpoint":        &f.MarkEndpoint,
			"federation_trust_mark_status_endpoint": &f.MarkStatusEndpoint,
			"federation_trust_mark_list_endpoint":   &f.MarkListEndpoint,
			"federation_historical_keys_endpoint":   &f.HistoricalKeysEndpoint,
		})
		if err != nil {
			return Metadata{}, fmt.Errorf("%s: %w", TypeFederation, err)
		}
		out.FederationEntity = f
	}
	return out, nil
}

func decodeNodeMetadata(p map[string]json.RawMessage) (*NodeMetadata, error) {
	n := &NodeMetadata{}
	var sealingKeys []json.RawMessage
	var ledger map[string]json.RawMessage
	var holds []map[string]json.RawMessage
	err := decodeParameters(p, map[string]any{
		"jurisdiction": &n.Jurisdiction, "peer_id": &n.PeerID, "peer_ids": &n.PeerIDs, "peer_id_proofs": &n.PeerProofs, "addresses": &n.Addresses,
		"jwks": &n.Keys, "sealing_keys": &sealingKeys, "modalities": &n.Modalities,
		"formats": &n.Formats, "purposes": &n.Purposes, "ledger": &ledger, "revisions": &n.Revisions, "key_exchange": &n.KeyExchange,
		"legal_bases": &n.LegalBases, "vocabulary": &n.Vocabulary, "biometric_data": &holds,
	})
	if err != nil {
		return nil, err
	}
	for _, raw := range sealingKeys {
		var k sealing.PublicKey
		if err := k.UnmarshalJSON(raw); errors.Is(err, sealing.ErrSuite) {
			continue // a suite of a later revision beside ours is no fault
		} else if err != nil {
			return nil, errors.New("parameter sealing_keys is malformed")
		}
		n.SealingKeys = append(n.SealingKeys, k)
	}
	for _, one := range holds {
		var e inventory.Entry
		err := decodeParameters(one, map[string]any{"type": &e.Type, "form": &e.Form, "source": &e.Source, "law": &e.Law, "article": &e.Article,
			"retention": &e.Retention})
		if err != nil {
			return nil, fmt.Errorf("biometric_data: %w", err)
		}
		n.Holds = append(n.Holds, e)
	}
	if ledger != nil {
		n.Ledger = &LedgerMetadata{}
		err := decodeParameters(ledger, map[string]any{"origin": &n.Ledger.Origin, "keys": &n.Ledger.Keys})
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
	}
	return n, nil
}

func decodeParameters(from map[string]json.RawMessage, into map[string]any) error {
	for name, dst := range into {
		raw, ok := from[name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, dst); err != nil {
			return fmt.Errorf("parameter %s is malformed", name)
		}
	}
	return nil
}
