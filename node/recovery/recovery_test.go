package recovery_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/recovery"
)

func key(t *testing.T) jose.PrivateKey {
	t.Helper()
	k, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestAcceptance: two listed operators, each for exactly this claim; nothing less.
func TestAcceptance(t *testing.T) {
	a, b, stranger := key(t), key(t), key(t)
	operators := []jose.PublicKey{a.Public(), b.Public()}
	c := recovery.Claim{EntityID: "https://kaz.example", Why: "restored", Kept: recovery.Head{Origin: "kaz.example/ledger", Size: 3, Root: bytes.Repeat([]byte{1}, 32)},
		Newest: recovery.Head{Origin: "kaz.example/ledger", Size: 8, Root: bytes.Repeat([]byte{2}, 32)}, Checkpoint: "a signed note", Next: "kaz.example/ledger/2"}
	if c.Missing() != 5 {
		t.Errorf("%d missing, want 5", c.Missing())
	}
	claim := marshal(t, c)
	sign := func(claim []byte, k jose.PrivateKey) string {
		t.Helper()
		token, err := recovery.Accept(claim, k, time.Unix(1_790_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if signers, err := recovery.Verify(claim, []string{sign(claim, a), sign(claim, b)}, operators); err != nil || len(signers) != 2 {
		t.Errorf("both: %v, %v", signers, err)
	}
	less := c
	less.Newest.Size = 4
	for name, tokens := range map[string][]string{
		"none": nil, "one": {sign(claim, a)}, "one-twice": {sign(claim, a), sign(claim, a)}, "stranger": {sign(claim, a), sign(claim, stranger)},
		"other-claim": {sign(claim, a), sign(marshal(t, less), b)}, "no-token": {sign(claim, a), "x.y.z"},
	} {
		if _, err := recovery.Verify(claim, tokens, operators); !errors.Is(err, recovery.ErrAcceptance) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Checkpoint = ""
	if _, err := recovery.Accept(marshal(t, c), a, time.Unix(1_790_000_000, 0)); !errors.Is(err, recovery.ErrUnknown) {
		t.Errorf("accepting what is not known: %v", err)
	}
	if _, err := recovery.Parse(append(claim, ' ')); err == nil {
		t.Error("a claim in another form is read")
	}
}

func marshal(t *testing.T, c recovery.Claim) []byte {
	t.Helper()
	b, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
