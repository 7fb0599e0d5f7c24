package protocol

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestVerdictInOnePiece: the longest verdict is encoded where it stays, so that wiping it leaves none of it. A buffer that
// had to grow would have left what was in it, whole once for the library's and once for ours.
func TestVerdictInOnePiece(t *testing.T) {
	act := strings.Repeat("\u0416", 200)
	for name, w := range map[string]wireVerdict{
		"empty": {},
		"longest": {Outcome: string(Inconclusive), Code: string(CodeSearchIncomplete), FMROneIn: 1<<32 - 1,
			Policy:  wirePolicy{act, strings.Repeat("9", 64), strings.Repeat("p", 200), act, make([]byte, 32)},
			Receipt: wireReceipt{make([]byte, 32<<10), 1 << 62, make([][]byte, 64), make([]byte, 65535)},
			Handles: make([][]byte, MaxCandidates), Subject: &wireSubject{"KGZ", strings.Repeat("t", 64), strings.Repeat("1", 128)}},
	} {
		for i := range w.Receipt.Proof {
			w.Receipt.Proof[i] = make([]byte, 32)
		}
		for i := range w.Handles {
			w.Handles[i] = make([]byte, 16)
		}
		if w.Subject != nil {
			if err := w.pad(); err != nil {
				t.Fatal(err)
			}
		}
		b, err := w.encode()
		if err != nil {
			t.Fatal(err)
		}
		if cap(b) != w.atMost() {
			t.Errorf("%s: %d bytes were moved out of room for %d", name, len(b), w.atMost())
		}
	}
}

// failing encodes to an error behind what was written already.
type failing struct{}

func (failing) MarshalCBOR() ([]byte, error) { return nil, errors.New("no") }

// TestEncodingFails leaves nothing of what was written before the error.
func TestEncodingFails(t *testing.T) {
	room := make([]byte, 64)
	if _, err := encodeInto(room, []any{"SYN-SECRET", failing{}}); err == nil {
		t.Fatal("encoded")
	}
	if !bytes.Equal(room, make([]byte, len(room))) {
		t.Errorf("left %x", room)
	}
}
