package trust_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
)

type object = map[string]any

// TestVerifyChainRestricts has one policy or constraint per row; rule "" accepts.
func TestVerifyChainRestricts(t *testing.T) {
	policy := func(parameter string, operators object) object {
		return object{"metadata_policy": object{"tamga_node": object{parameter: operators}}}
	}
	names := func(permitted, excluded any) object {
		n := object{}
		if permitted != nil {
			n["permitted"] = permitted
		}
		if excluded != nil {
			n["excluded"] = excluded
		}
		return object{"constraints": object{"naming_constraints": n}}
	}
	types := func(list ...string) object {
		return object{"constraints": object{"allowed_entity_types": append([]string{}, list...)}}
	}
	for _, tc := range []struct {
		name      string
		rule      trust.Rule
		statement int // that the rule names
		region    object
		anchor    object
	}{
		{"policy-holds", "", 0, nil, policy("jurisdiction", object{"one_of": []string{"KAZ", "UZB"}})},
		{"policy-broken", "policy-violation", 0, nil, policy("jurisdiction", object{"one_of": []string{"UZB"}})},
		{"policy-critical", "metadata-policy", 1, object{"metadata_policy_crit": []string{"regexp"}}, nil},
		{"policy-critical-empty", "metadata-policy", 2, nil, object{"metadata_policy_crit": []string{}}},
		{"policy-empty", "metadata-policy", 2, nil, object{"metadata_policy": object{}}},
		{"policy-null", "metadata-policy", 2, nil, object{"metadata_policy": null}},
		{"policies-conflict", "metadata-policy", 1, policy("jurisdiction", object{"value": "UZB"}), policy("jurisdiction", object{"value": "KAZ"})},
		{"policy-after-superior-metadata", "", 0, policy("peer_id", object{"one_of": testpeer.IDs("KAZ")}), nil},
		{"path", "max-path-length", 2, nil, object{"constraints": object{"max_path_length": 0}}},
		{"path-of-intermediate", "", 0, object{"constraints": object{"max_path_length": 0}}, nil},
		{"unknown-constraint", "", 0, nil, object{"constraints": object{"of_tomorrow": 1}}},
		{"constraints-null", "claims", 2, nil, object{"constraints": null}},
		{"host-permitted", "", 0, names([]string{"tamga.kaz.example"}, nil), nil},
		{"host-in-capitals", "", 0, names([]string{"Tamga.KAZ.example"}, nil), nil},
		{"domain-permitted", "", 0, names([]string{".kaz.example"}, nil), nil},
		{"host-is-no-domain", "naming-constraint", 1, names([]string{"kaz.example"}, nil), nil},
		{"domain-is-not-itself", "naming-constraint", 1, names([]string{".tamga.kaz.example"}, nil), nil},
		{"none-permitted", "naming-constraint", 1, names([]string{}, nil), nil},
		{"excluded-wins", "naming-constraint", 1, names([]string{"tamga.kaz.example"}, []string{".example"}), nil},
		{"excluded-other", "", 0, names(nil, []string{".uzb.example"}), nil},
		{"names-bind-intermediates", "naming-constraint", 2, nil, names([]string{"tamga.kaz.example"}, nil)},
		{"names-bind-all-below", "", 0, nil, names([]string{"tamga.kaz.example", "region.example"}, nil)},
		{"name-with-scheme", "claims", 1, names([]string{"https://kaz.example"}, nil), nil},
		{"name-null", "claims", 1, names([]any{nil}, nil), nil},
		{"types-allow", "", 0, types("tamga_node"), nil},
		{"types-remove-node", "no-tamga-node", 0, nil, types("openid_provider")},
		{"types-remove-all", "no-tamga-node", 0, types(), nil},
		{"types-name-federation-entity", "claims", 1, types("federation_entity"), nil},
		{"types-before-policy", "no-tamga-node", 0, types(), policy("jurisdiction", object{"value": "UZB"})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ds := edit(1, tc.region)(t, drafts(t))
			if tc.anchor != nil {
				delete(ds[2].claims, "constraints")
				ds = edit(2, tc.anchor)(t, ds)
			}
			c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
			if err == nil {
				_, err = c.Node()
			}
			if tc.rule != "" {
				wantRule(t, err, tc.rule, tc.statement)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPolicyChangesMetadata: what a region writes into a policy is what the chain says
// of the node.
func TestPolicyChangesMetadata(t *testing.T) {
	ds := edit(2, object{"metadata_policy": object{"tamga_node": object{
		"purposes": object{"subset_of": []string{"border_control"}},
		"formats":  object{"add": []string{"iso-39794-4"}},
	}}})(t, drafts(t))
	ds = edit(1, object{"metadata_policy": object{"tamga_node": object{"modalities": object{"subset_of": []string{"finger"}}}}})(t, ds)
	c, err := trust.VerifyChain(tokens(t, ds), []trust.Anchor{anchor(t)}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Node()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(n.Modalities, []string{"finger"}) || !slices.Equal(n.Formats, []string{"iso-19794-2-2005", "iso-39794-4"}) || !slices.Equal(n.Purposes, []string{"border_control"}) {
		t.Errorf("got modalities %v, formats %v, purposes %v", n.Modalities, n.Formats, n.Purposes)
	}
}

// TestSignConstraints: what is signed is read back.
func TestSignConstraints(t *testing.T) {
	one, kinds := 1, []string{"tamga_node"}
	token, err := trust.SignSubordinateStatement(keyOf(t, anchorID), trust.SubordinateStatement{
		Issuer: anchorID, Subject: intermediateID, IssuedAt: epoch, ExpiresAt: epoch.Add(1e12), Keys: keySet(t, intermediateID),
		Constraints: trust.Constraints{MaxPathLength: &one, Naming: &trust.NamingConstraints{Permitted: []string{".example"}}, EntityTypes: &kinds},
		Policy:      json.RawMessage(`{"tamga_node":{"jurisdiction":{"value":"KAZ"}}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	all := tokens(t, drafts(t))
	all[2] = token
	_, err = trust.VerifyChain(all, []trust.Anchor{anchor(t)}, epoch)
	if err != nil {
		t.Error(err)
	}
	if _, err := trust.SignSubordinateStatement(keyOf(t, anchorID), trust.SubordinateStatement{
		Issuer: anchorID, Subject: intermediateID, IssuedAt: epoch, ExpiresAt: epoch.Add(1e12), Keys: keySet(t, intermediateID),
		Policy: json.RawMessage(`{"tamga_node":{"jurisdiction":{"value":null,"essential":true}}}`),
	}); err == nil {
		t.Error("a policy that nobody would accept was signed")
	}
}
