package metadatapolicy_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/federation/trust/metadatapolicy"
)

// vectorCount is how many cases Connect2id published on 2025-02-13.
const vectorCount = 2019

type vector struct {
	N        int                        `json:"n"`
	TA       json.RawMessage            `json:"TA"`
	INT      json.RawMessage            `json:"INT"`
	Merged   json.RawMessage            `json:"merged"`
	Metadata map[string]json.RawMessage `json:"metadata"`
	Resolved map[string]json.RawMessage `json:"resolved"`
	Error    string                     `json:"error"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = "../../../../shared"
	}
	path := filepath.Join(root, "vectors", "federation-policy", "metadata-policy-test-vectors-2025-02-13.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the vectors are absent: %v", err)
		}
		t.Skipf("the vectors are absent; TAMGA_SHARED names the folder they lie in: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// claim makes a metadata_policy claim of the policies of one Entity Type.
func claim(t testing.TB, parameters json.RawMessage) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]json.RawMessage{"openid_relying_party": parameters})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// resolve does what a Trust Chain of an Anchor and an Intermediate does.
func resolve(t testing.TB, v vector) (merged metadatapolicy.Policy, resolved metadatapolicy.Metadata, err error) {
	t.Helper()
	superior, err := metadatapolicy.Parse(claim(t, v.TA))
	if err != nil {
		return merged, nil, err
	}
	subordinate, err := metadatapolicy.Parse(claim(t, v.INT))
	if err != nil {
		return merged, nil, err
	}
	if merged, err = superior.Merge(subordinate); err != nil {
		return merged, nil, err
	}
	resolved, err = merged.Apply(metadatapolicy.Metadata{"openid_relying_party": v.Metadata})
	return merged, resolved, err
}

// outcome is the vectors' word for an error.
func outcome(err error) string {
	fault, ok := errors.AsType[*metadatapolicy.Error](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return "of another type"
	case fault.Metadata:
		return "invalid_metadata"
	default:
		return "invalid_policy"
	}
}

func TestVectors(t *testing.T) {
	all := vectors(t)
	agree, failed := 0, 0
	for _, v := range all {
		merged, resolved, err := resolve(t, v)
		ok := outcome(err) == v.Error
		if ok && v.Merged != nil {
			b, mErr := json.Marshal(merged)
			ok = mErr == nil && equal(t, b, claim(t, v.Merged))
		}
		if ok && err == nil {
			b, mErr := json.Marshal(resolved["openid_relying_party"])
			want, wErr := json.Marshal(v.Resolved)
			ok = mErr == nil && wErr == nil && equal(t, b, want)
		}
		if ok {
			agree++
		} else if failed++; failed < 20 {
			t.Errorf("vector %d: got error %v and resolved %s, want error %q and %s", v.N, err, resolved, v.Error, v.Resolved)
		}
	}
	if agree != vectorCount || len(all) != vectorCount {
		t.Errorf("%d of %d vectors agree, want all of %d", agree, len(all), vectorCount)
	}
}

// equal compares JSON; arrays that operators made have no order.
func equal(t testing.TB, a, b []byte) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		t.Fatal("not JSON")
	}
	return reflect.DeepEqual(unordered(x), unordered(y))
}

func unordered(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]string, len(v))
		for i, e := range v {
			b, err := json.Marshal(unordered(e))
			if err != nil {
				panic(err)
			}
			out[i] = string(b)
		}
		slices.Sort(out)
		return out
	case map[string]any:
		for k, e := range v {
			v[k] = unordered(e)
		}
	}
	return v
}
