package envelope_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tamga-id/tamga/crypto/envelope"
)

func TestRebind(t *testing.T) {
	r := testRing(t, 1, 1)
	from, to := []byte("before"), []byte("after")
	dek, wrapped := newDEK(t, r, from)
	sealed, err := dek.Seal(testAAD(), []byte("record"))
	if err != nil {
		t.Fatal(err)
	}
	moved, err := r.Rebind(from, to, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.UnwrapDEK(from, moved); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("opens under the pseudonym of before: %v", err)
	}
	same, err := r.UnwrapDEK(to, moved)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := same.Open(testAAD(), sealed); err != nil || !bytes.Equal(got, []byte("record")) {
		t.Errorf("another key: %v", err)
	}
	if _, err := r.Rebind(to, from, wrapped); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("rebinding another's key: %v", err)
	}
	if _, err := r.Rebind(from, nil, wrapped); !errors.Is(err, envelope.ErrField) {
		t.Errorf("rebinding to nobody: %v", err)
	}
}
