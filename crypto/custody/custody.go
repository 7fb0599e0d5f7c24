// Package custody keeps the node's root key and the secrets sealed under it.
//
// The root key is 32 random bytes in a file, where one or several protectors
// each hold it sealed (AES-256-GCM) under a key of their own: one that Argon2id
// (RFC 9106) makes of a passphrase, one that custodians put together of their
// shares (crypto/ceremony). Any one of them opens the root. Protectors are
// added, replaced and removed without the root changing, so nothing that is
// sealed under it has to be touched. A [Rotation] replaces the root itself, with an
// overlap, and rewrites the keystore alone. Everything else a node must keep secret is
// derived from the root ([Root.Derive], HKDF-SHA256, RFC 5869) or sealed under
// it ([Keystore]).
//
// Making a node calls [Create] and [CreateKeystore] once; a starting node calls
// [Open] or [OpenShared], [OpenKeystore], takes what it needs and calls
// [Root.Wipe]. [Protect] and [Unprotect] change the protectors, [Limit] slows
// down who guesses at a passphrase.
//
// The package does not ask for passphrases, judge their strength or make
// copies: a lost root file, or the loss of all that opens it, is a lost node. A
// copy of the root file from before a change still opens as it did then.
//
// Memory: the root lies outside the Go heap, locked and kept out of core dumps
// where the system allows it ([Root.Locked]), and is overwritten by
// [Root.Wipe]. Go does not let the package vouch for what ciphers, registers
// and moved stacks keep of a key; the secrets of an opened [Keystore] are on
// the heap.
//
// Invariants:
//   - both files are written whole or not at all and are flushed with their
//     directory before the call returns; making one never overwrites another;
//   - a file costs at most [MaxMemoryKiB] of memory and [MaxTime] passes
//     before it is believed, whatever it says;
//   - a wrong passphrase and an altered file cost the same work and give the
//     same error, [ErrPassphrase];
//   - two changes at a time, by whatever processes, do not lose one: the second
//     fails with [ErrBusy] (not on systems without flock);
//   - a root file always has a protector, and all of them hold the same root;
//   - a decoded file encodes to the same bytes.
//
// Files written by this version stay readable by later ones.
package custody

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

var (
	// ErrPassphrase reports a root file that the passphrase, or the key of the
	// custodians, does not open. A damaged or substituted file looks the same,
	// on purpose.
	ErrPassphrase = errors.New("wrong passphrase or altered root file")
	// ErrFormat reports a file that is not what the package writes: unknown
	// or missing members, other spelling, parameters out of bounds, too long,
	// or not a regular file.
	ErrFormat = errors.New("malformed custody file")
	// ErrBusy reports that another process is changing a file of the same folder.
	ErrBusy = errors.New("another command is changing the node's keys")
	// ErrNoProtector reports a root file that has no protector of that kind.
	ErrNoProtector = errors.New("the root key has no such protector")
	// ErrLastProtector refuses to remove what alone opens the root.
	ErrLastProtector = errors.New("the last protector of a root key cannot be removed")
	// ErrRoot reports a keystore that the root key does not open, or a root
	// that is zero or wiped.
	ErrRoot = errors.New("wrong, missing or wiped root key")
	// ErrNotPrepared reports a rotation without a prepared root.
	ErrNotPrepared = errors.New("no next root key is prepared")
	// ErrOverlap reports a root key before the current one that is still to be retired.
	ErrOverlap = errors.New("the root key before the current one is not retired yet")
	// ErrNothingOld reports that no root key before the current one opens the keystore.
	ErrNothingOld = errors.New("no root key before the current one opens anything")
	// ErrNoSecret reports a name the keystore does not hold.
	ErrNoSecret = errors.New("no such secret")
	// ErrParams reports Argon2id parameters outside the bounds of [Params],
	// or an empty passphrase.
	ErrParams = errors.New("unusable passphrase parameters")
)

// Bounds on [Params]. The upper ones hold for files too, so that a hostile
// file costs a bounded amount of memory and time before it is refused; the
// lower ones are RFC 9106 section 3.1's.
const (
	MaxTime      = 16
	MaxMemoryKiB = 256 << 10
	MaxThreads   = 16
)

// Params are the Argon2id costs of a root file. They are stored in the file,
// so changing the default never locks out an older file.
type Params struct {
	Time      uint32 // Passes over the memory, 1 to MaxTime.
	MemoryKiB uint32 // KiB, at least 8 per thread, at most MaxMemoryKiB. Too low makes guessing cheap.
	Threads   uint8  // Lanes, 1 to MaxThreads.
}

// DefaultParams returns the second recommended option of RFC 9106 section 4:
// 3 passes, 64 MiB, 4 lanes. On one 2020s core a guess takes about 0.1 s.
func DefaultParams() Params { return Params{Time: 3, MemoryKiB: 64 << 10, Threads: 4} }

// TestParams returns the cheapest legal parameters. They protect nothing and
// exist so that tests and demonstrations with throw-away keys start at once.
func TestParams() Params { return Params{Time: 1, MemoryKiB: 8, Threads: 1} }

func (p Params) validate() error {
	switch {
	case p.Time < 1 || p.Time > MaxTime:
		return fmt.Errorf("time %d outside 1..%d", p.Time, MaxTime)
	case p.Threads < 1 || p.Threads > MaxThreads:
		return fmt.Errorf("threads %d outside 1..%d", p.Threads, MaxThreads)
	case p.MemoryKiB < 8*uint32(p.Threads) || p.MemoryKiB > MaxMemoryKiB:
		return fmt.Errorf("memory %d KiB outside %d..%d", p.MemoryKiB, 8*uint32(p.Threads), MaxMemoryKiB)
	}
	return nil
}

func passphraseAEAD(passphrase, salt []byte, p Params) (cipher.AEAD, error) {
	key := argon2.IDKey(passphrase, salt, p.Time, p.MemoryKiB, p.Threads, 32)
	defer clear(key)
	return newAEAD(key)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealWith returns nonce || ciphertext under a random nonce.
func sealWith(aead cipher.AEAD, aad, plaintext []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize, nonceSize+len(plaintext)+tagSize)
	if err := randomize(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, plaintext, aad), nil
}

func randomize(bufs ...[]byte) error {
	for _, b := range bufs {
		if _, err := rand.Read(b); err != nil {
			return err
		}
	}
	return nil
}
