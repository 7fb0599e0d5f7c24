package pseudonym

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
)

// Ring holds the generations of one node's key, of which one is current. It is
// immutable, safe for concurrent use, and prints as a redaction mark.
type Ring struct {
	open    func() map[uint32]Key
	current uint32
}

// NewRing makes a ring of keys by generation, from 1. It returns [ErrKey] for a zero
// key, a generation 0, and when there is none called current.
func NewRing(keys map[uint32]Key, current uint32) (*Ring, error) {
	held := maps.Clone(keys)
	if _, ok := held[current]; !ok {
		return nil, fmt.Errorf("building pseudonym keys: current generation %d: %w", current, ErrKey)
	}
	for n, k := range held {
		if n == 0 || k.IsZero() {
			return nil, fmt.Errorf("building pseudonym keys: generation %d: %w", n, ErrKey)
		}
	}
	return &Ring{func() map[uint32]Key { return held }, current}, nil
}

// Single is the ring of one seed, of a key that was never replaced. See [NewKey].
func Single(seed []byte) (*Ring, error) {
	k, err := NewKey(seed)
	if err != nil {
		return nil, err
	}
	return NewRing(map[uint32]Key{1: k}, 1)
}

// Current is the number of the current generation.
func (r *Ring) Current() uint32 { return r.current }

// Generations returns the numbers of all, in order.
func (r *Ring) Generations() []uint32 { return slices.Sorted(maps.Keys(r.open())) }

// Key is the key of a generation; the zero key when there is none.
func (r *Ring) Key(generation uint32) Key { return r.open()[generation] }

const redactedRing = "pseudonym-keys(redacted)"

// LogValue implements [slog.LogValuer] without keys.
func (Ring) LogValue() slog.Value { return slog.StringValue(redactedRing) }

// Format implements [fmt.Formatter] without keys, whatever the verb.
func (Ring) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedRing) }
