package backup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tamga-id/tamga/node/keys"
)

var (
	// ErrExpired: a backup needs keys that were destroyed since. It opens for nobody who
	// has no older escrow. Errors that match it name them. See [KeysError].
	ErrExpired = errors.New("the backup has expired")
	// ErrEarlier: an escrow was written before the keys were made that a backup needs.
	ErrEarlier = errors.New("the key escrow is older than the backup")
)

// Keys are generations of a node's keys, in order.
type Keys map[keys.Family][]uint32

// KeysError says which keys that a backup needs a key escrow does not hold.
type KeysError struct {
	Destroyed Keys // The escrow holds later ones of the same families.
	Later     Keys // The escrow holds no later ones: it was written too early.
}

// Error names the keys.
func (e *KeysError) Error() string {
	if len(e.Destroyed) > 0 {
		return fmt.Sprintf("%v: destroyed since it was taken: %s", ErrExpired, e.Destroyed)
	}
	return fmt.Sprintf("%v: it does not hold %s", ErrEarlier, e.Later)
}

// Is makes errors.Is work with [ErrExpired] and [ErrEarlier].
func (e *KeysError) Is(target error) bool {
	return target == ErrExpired && len(e.Destroyed) > 0 || target == ErrEarlier && len(e.Destroyed) == 0
}

// String lists the keys: "kek 1, 2; template-key 4".
func (k Keys) String() string {
	var families []string
	for _, f := range slices.Sorted(maps.Keys(k)) {
		if len(k[f]) > 0 {
			families = append(families, string(f)+" "+strings.ReplaceAll(strings.Trim(fmt.Sprint(k[f]), "[]"), " ", ", "))
		}
	}
	return strings.Join(families, "; ")
}

// CoveredBy is nil when held has all of k, and else a [KeysError]. A family of which held
// has nothing, though it has others, lies in a keystore apart, as the pseudonym key may.
func (k Keys) CoveredBy(held Keys) error {
	e := &KeysError{Destroyed: Keys{}, Later: Keys{}}
	for f, numbers := range k {
		if len(held) > 0 && len(held[f]) == 0 {
			continue
		}
		for _, n := range numbers {
			switch {
			case slices.Contains(held[f], n):
			case len(held[f]) > 0 && slices.Max(held[f]) > n:
				e.Destroyed[f] = append(e.Destroyed[f], n)
			default:
				e.Later[f] = append(e.Later[f], n)
			}
		}
	}
	if len(e.Destroyed)+len(e.Later) == 0 {
		return nil
	}
	return e
}

// equal compares what two texts say.
func (k Keys) equal(other Keys) bool { return maps.EqualFunc(k, other, slices.Equal[[]uint32]) }

// valid reports whether k is what a node writes: known families, numbers in order.
func (k Keys) valid() bool {
	for f, numbers := range k {
		if f != keys.Root && !slices.Contains(keys.Families(), f) || !slices.IsSorted(numbers) || slices.Contains(numbers, 0) {
			return false
		}
	}
	return true
}
