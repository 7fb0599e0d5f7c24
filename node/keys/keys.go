// Package keys gives the secrets of a node's keystore generations, so that a
// key can be replaced while the other nodes, and what the old key made, go on
// working.
//
// A family has numbered generations, each an independent random secret, one of
// which is current. [Prepare] adds a generation that is not used yet, so that
// everyone can learn of it; [Activate] makes it the current one; [Retire]
// destroys those before it. Where it takes long until nothing needs those any more,
// [Mark] comes first: it says which are to be destroyed, past a crash too. Every step is
// one change of the secrets of
// crypto/custody.UpdateKeystore, so a crash leaves the step done or not done,
// and doing it again says which.
//
// In the keystore, generation n of a family is the secret "family/n", and
// "family/current" holds the number of the current one as four bytes, big
// endian: what is above it was prepared, what is below is to be retired. Since when
// each generation has been current is in "family/since": number (4) and Unix time (8)
// of each, big endian, in order. While generations are being retired "family/keep" is the
// number (4) of the oldest that stays.
//
// Of a pseudonym key that others hold the secret is not here: in its place is the byte 1
// and the key's public key. See [Shared].
//
// The package does not know what a generation is used for: whoever retires one
// makes sure before that nothing needs it.
package keys

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Family is one kind of key that a node rotates.
type Family string

// The families. A KEK wraps the gallery's data keys; the signing key signs
// Queries and Verdicts; what peers send is sealed to the sealing key; stored face
// templates are turned by the template key.
const (
	KEK      Family = "kek"
	Signing  Family = "signing-key"
	Sealing  Family = "sealing-key"
	Template Family = "template-key"

	// Pseudonyms are computed with the pseudonym key.
	Pseudonym Family = "pseudonym-key"

	// The Federation key signs the node's Entity Configuration; the Trust Anchor vouches for
	// it. The keys of the ledger, one Ed25519 and one ML-DSA-44, derive from the Ledger key.
	Federation Family = "federation-key"
	Ledger     Family = "ledger-key"

	// The node's peer ID is that of the LibP2P key.
	LibP2P Family = "libp2p-key"

	// Root is the name of the root key among those that rotate. It is no secret of the
	// keystore: crypto/custody replaces it.
	Root Family = "root"
)

// Families returns those whose generations are in the keystore.
func Families() []Family {
	return []Family{KEK, Signing, Sealing, Template, Pseudonym, Federation, Ledger, LibP2P}
}

var (
	// ErrPrepared reports a family whose next generation is prepared already.
	ErrPrepared = errors.New("the next generation is prepared already")
	// ErrNotPrepared reports a family that has no next generation to activate.
	ErrNotPrepared = errors.New("no next generation is prepared")
	// ErrNothingOld reports a family with nothing before its current generation.
	ErrNothingOld = errors.New("there is no generation before the current one")
	// ErrMalformed reports secrets that these functions did not write.
	ErrMalformed = errors.New("malformed key generations")
)

const (
	secretSize = 32
	sharedSize = 1 + 32 // sharedMark, and the public key
	sharedMark = 1
	maxNumber  = math.MaxUint32
)

// Generations are the secrets of one family.
type Generations struct {
	Current uint32
	Keep    uint32            // Those before it are being retired; 0 for none.
	Secrets map[uint32][]byte // By generation; shared with the map they were read from.
	// Since is when each became the current one. A prepared generation has no time.
	Since map[uint32]time.Time
}

// Numbers returns the numbers of all generations, in order.
func (g Generations) Numbers() []uint32 {
	numbers := make([]uint32, 0, len(g.Secrets))
	for n := range g.Secrets {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}

// Ordered returns the secrets as peers are told of them: the current one first,
// then the prepared one, then those to be retired, newest first.
func (g Generations) Ordered() [][]byte {
	numbers := g.Numbers()
	slices.Reverse(numbers)
	out := [][]byte{g.Secrets[g.Current]}
	for _, n := range numbers {
		if n != g.Current {
			out = append(out, g.Secrets[n])
		}
	}
	return out
}

func secretName(f Family, n uint32) string {
	return string(f) + "/" + strconv.FormatUint(uint64(n), 10)
}

func currentName(f Family) string { return string(f) + "/current" }

func keepName(f Family) string { return string(f) + "/keep" }

func sinceName(f Family) string { return string(f) + "/since" }

const sinceSize = 4 + 8

// setSince writes the times of the generations that are there.
func (g Generations) setSince(secrets map[string][]byte, f Family) {
	var b []byte
	for _, n := range g.Numbers() {
		if at, ok := g.Since[n]; ok {
			b = binary.BigEndian.AppendUint32(b, n)
			b = binary.BigEndian.AppendUint64(b, uint64(at.Unix()))
		}
	}
	secrets[sinceName(f)] = b
}

// readSince reads what setSince wrote: one encoding of any times.
func (g *Generations) readSince(b []byte) error {
	var last uint32
	for ; len(b) >= sinceSize; b = b[sinceSize:] {
		n := binary.BigEndian.Uint32(b)
		if n <= last {
			return ErrMalformed
		}
		last, g.Since[n] = n, time.Unix(int64(binary.BigEndian.Uint64(b[4:])), 0).UTC()
	}
	if len(b) != 0 {
		return ErrMalformed
	}
	return nil
}

// Add gives secrets, which have none of the family, its generation 1, current since now.
func Add(secrets map[string][]byte, f Family, now time.Time) error {
	if _, ok := secrets[currentName(f)]; ok {
		return fmt.Errorf("adding %s: %w", f, ErrPrepared)
	}
	setCurrent(secrets, f, 1)
	if err := add(secrets, f, 1); err != nil {
		return err
	}
	Generations{Secrets: map[uint32][]byte{1: nil}, Since: map[uint32]time.Time{1: now}}.setSince(secrets, f)
	return nil
}

func add(secrets map[string][]byte, f Family, n uint32) error {
	secret := make([]byte, secretSize)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("making %s: %w", f, err)
	}
	secrets[secretName(f, n)] = secret
	return nil
}

func setCurrent(secrets map[string][]byte, f Family, n uint32) {
	secrets[currentName(f)] = binary.BigEndian.AppendUint32(nil, n)
}

// Of reads the generations of a family. It returns [ErrMalformed] when there are
// none, or something under the family's name that is no generation.
func Of(secrets map[string][]byte, f Family) (Generations, error) {
	g := Generations{Secrets: make(map[uint32][]byte), Since: make(map[uint32]time.Time)}
	for name, secret := range secrets {
		rest, ok := strings.CutPrefix(name, string(f)+"/")
		if !ok {
			continue
		}
		if rest == "current" || rest == "keep" {
			if len(secret) != 4 {
				return Generations{}, fmt.Errorf("reading %s: %w", f, ErrMalformed)
			}
			if at := binary.BigEndian.Uint32(secret); rest == "keep" {
				g.Keep = at
			} else {
				g.Current = at
			}
			continue
		}
		if rest == "since" {
			if err := g.readSince(secret); err != nil {
				return Generations{}, fmt.Errorf("reading %s: %w", f, err)
			}
			continue
		}
		n, err := strconv.ParseUint(rest, 10, 32)
		if err != nil || n == 0 || secretName(f, uint32(n)) != name || !validSecret(f, secret) {
			return Generations{}, fmt.Errorf("reading %s: %w", f, ErrMalformed)
		}
		g.Secrets[uint32(n)] = secret
	}
	if _, ok := g.Secrets[g.Current]; !ok {
		return Generations{}, fmt.Errorf("reading %s: no current generation: %w", f, ErrMalformed)
	}
	if _, ok := g.Secrets[g.Keep]; g.Keep != 0 && (!ok || g.Keep > g.Current) {
		return Generations{}, fmt.Errorf("reading %s: generation %d is to be kept: %w", f, g.Keep, ErrMalformed)
	}
	return g, nil
}

// Oldest is the number of the first generation that is there.
func (g Generations) Oldest() uint32 { return slices.Min(g.Numbers()) }

// Listed returns which generations there are, by family and in order, of secrets of
// which only the names are known.
func Listed(names []string) map[Family][]uint32 {
	out := make(map[Family][]uint32)
	for _, name := range names {
		family, rest, _ := strings.Cut(name, "/")
		if n, err := strconv.ParseUint(rest, 10, 32); err == nil && slices.Contains(Families(), Family(family)) {
			out[Family(family)] = append(out[Family(family)], uint32(n))
		}
	}
	for _, numbers := range out {
		slices.Sort(numbers)
	}
	return out
}

// validSecret reports whether a secret may be one of the family.
func validSecret(f Family, secret []byte) bool {
	return len(secret) == secretSize || f == Pseudonym && len(secret) == sharedSize && secret[0] == sharedMark
}

// Shared is the public key that stands in the place of a secret where others hold the key,
// false for a secret.
func Shared(secret []byte) (public []byte, ok bool) {
	if len(secret) != sharedSize {
		return nil, false
	}
	return secret[1:], true
}

// AddShared does what Add does, of a pseudonym key that others hold.
func AddShared(secrets map[string][]byte, public []byte, now time.Time) error {
	if err := Add(secrets, Pseudonym, now); err != nil {
		return err
	}
	secrets[secretName(Pseudonym, 1)] = append([]byte{sharedMark}, public...)
	return nil
}

// PrepareShared does what Prepare does, of a pseudonym key that others hold.
func PrepareShared(secrets map[string][]byte, public []byte) (uint32, error) {
	n, err := Prepare(secrets, Pseudonym)
	if err == nil {
		secrets[secretName(Pseudonym, n)] = append([]byte{sharedMark}, public...)
	}
	return n, err
}

// next is the prepared generation, or 0.
func (g Generations) next() uint32 {
	if n := slices.Max(g.Numbers()); n > g.Current {
		return n
	}
	return 0
}

// Prepare adds the generation after the newest one, unused, and returns its
// number. [ErrPrepared], with the number, when there is one already.
func Prepare(secrets map[string][]byte, f Family) (uint32, error) {
	g, err := Of(secrets, f)
	if err != nil {
		return 0, err
	}
	if n := g.next(); n != 0 {
		return n, fmt.Errorf("preparing %s: generation %d: %w", f, n, ErrPrepared)
	}
	if g.Current == maxNumber {
		return 0, fmt.Errorf("preparing %s: generations are used up: %w", f, ErrMalformed)
	}
	return g.Current + 1, add(secrets, f, g.Current+1)
}

// Activate makes the prepared generation the current one, since now, and returns its
// number. [ErrNotPrepared] when there is none.
func Activate(secrets map[string][]byte, f Family, now time.Time) (uint32, error) {
	g, err := Of(secrets, f)
	if err != nil {
		return 0, err
	}
	n := g.next()
	if n == 0 {
		return 0, fmt.Errorf("activating %s: %w", f, ErrNotPrepared)
	}
	setCurrent(secrets, f, n)
	g.Since[n] = now
	g.setSince(secrets, f)
	return n, nil
}

// Mark says that every generation before number keep, 0 for the current one, is to be
// retired, and returns that number. [ErrNothingOld] when there is none, and
// [ErrNotPrepared] when keep is not there or beyond the current one.
func Mark(secrets map[string][]byte, f Family, keep uint32) (uint32, error) {
	g, err := Of(secrets, f)
	if err != nil {
		return 0, err
	}
	keep = max(cmp.Or(keep, g.Current), g.Keep)
	if _, ok := g.Secrets[keep]; !ok || keep > g.Current {
		return 0, fmt.Errorf("retiring %s: generation %d: %w", f, keep, ErrNotPrepared)
	}
	if g.Oldest() == keep {
		return 0, fmt.Errorf("retiring %s: %w", f, ErrNothingOld)
	}
	secrets[keepName(f)] = binary.BigEndian.AppendUint32(nil, keep)
	return keep, nil
}

// Retire destroys every generation before number keep, which is one that nothing older is needed for, and returns their
// numbers: not those before the current one, which may have moved on since that was made sure of. [ErrNothingOld] when
// there is none, and [ErrNotPrepared] when keep is not there or beyond the current one.
func Retire(secrets map[string][]byte, f Family, keep uint32) ([]uint32, error) {
	g, err := Of(secrets, f)
	if err != nil {
		return nil, err
	}
	if _, ok := g.Secrets[keep]; !ok || keep > g.Current {
		return nil, fmt.Errorf("retiring %s: generation %d: %w", f, keep, ErrNotPrepared)
	}
	var gone []uint32
	for _, n := range g.Numbers() {
		if n < keep {
			delete(secrets, secretName(f, n))
			delete(g.Secrets, n)
			gone = append(gone, n)
		}
	}
	if len(gone) == 0 {
		return nil, fmt.Errorf("retiring %s: %w", f, ErrNothingOld)
	}
	if g.Keep <= keep {
		delete(secrets, keepName(f))
	}
	g.setSince(secrets, f)
	return gone, nil
}
