package historicalkeys_test

import (
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust/historicalkeys"
)

const (
	anchorID = "https://anchor.example/fed"
	nodeID   = "https://tamga.kaz.example"
)

var epoch = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func keyOf(t testing.TB, name string) jose.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte("tamga/v1/test-key " + name))
	k, err := jose.NewPrivateKey(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keySet(t testing.TB, name string) jose.KeySet {
	t.Helper()
	return jose.NewKeySet(keyOf(t, name).Public())
}

func TestHistoricalKeys(t *testing.T) {
	h := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Hour) }
	keys := []historicalkeys.Key{
		{Key: keyOf(t, "old").Public(), IssuedAt: h(-10), ExpiresAt: h(-5)},
		{Key: keyOf(t, "superseded").Public(), ExpiresAt: h(-2), RevokedAt: h(-3), Reason: historicalkeys.Superseded},
		{Key: keyOf(t, "stolen").Public(), ExpiresAt: h(-2), RevokedAt: h(-3), Reason: historicalkeys.Compromised},
	}
	token, err := historicalkeys.Sign(keyOf(t, anchorID), anchorID, keys, epoch)
	if err != nil {
		t.Fatal(err)
	}
	got, err := historicalkeys.Verify(token, anchorID, keySet(t, anchorID), epoch)
	if err != nil || len(got) != len(keys) {
		t.Fatalf("got %d keys, error %v", len(got), err)
	}
	for i, k := range got {
		if !k.Key.Equal(keys[i].Key) || !k.IssuedAt.Equal(keys[i].IssuedAt) || !k.ExpiresAt.Equal(keys[i].ExpiresAt) || !k.RevokedAt.Equal(keys[i].RevokedAt) || k.Reason != keys[i].Reason {
			t.Errorf("key %d: got %+v", i, k)
		}
	}
	for _, tc := range []struct {
		key, at int
		want    bool
	}{{0, -11, false}, {0, -10, true}, {0, -6, true}, {0, -5, false}, {1, -4, true}, {1, -3, false}, {2, -4, false}} {
		if got := got[tc.key].HeldAt(h(tc.at)); got != tc.want {
			t.Errorf("key %d at %d h: got %v", tc.key, tc.at, got)
		}
	}
	for name, claims := range map[string]map[string]any{
		"other-issuer": {"iss": nodeID, "iat": epoch.Unix(), "keys": []any{}},
		"no-iat":       {"iss": anchorID, "keys": []any{}},
		"from-future":  {"iss": anchorID, "iat": epoch.Unix() + 61, "keys": []any{}},
		"no-keys":      {"iss": anchorID, "iat": epoch.Unix()},
		"no-exp":       {"iss": anchorID, "iat": epoch.Unix(), "keys": []any{keyOf(t, "old").Public()}},
		"private":      {"iss": anchorID, "iat": epoch.Unix(), "keys": []any{map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "a", "exp": 1, "x": "AA", "d": "AA"}}},
	} {
		b, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := historicalkeys.Verify(signed(t, b), anchorID, keySet(t, anchorID), epoch); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := historicalkeys.Verify(token, anchorID, keySet(t, "thief"), epoch); err == nil {
		t.Error("a key that the Entity does not publish was believed")
	}
}

func signed(t testing.TB, payload []byte) string {
	t.Helper()
	token, err := jose.Sign(keyOf(t, anchorID), "jwk-set+jwt", payload)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
