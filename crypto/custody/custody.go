// Package custody keeps the node's root key and the secrets sealed under it.
//
// The root key is 32 random bytes in a file that only a passphrase opens:
// Argon2id (RFC 9106) turns the passphrase into an AES-256-GCM key, and that
// key seals the root. Everything else a node must keep secret is derived from
// the root ([Root.Derive], HKDF-SHA256, RFC 5869) or sealed under it
// ([Keystore]).
//
// A key ceremony calls [Create] and [CreateKeystore] once; a starting node
// calls [Open], [OpenKeystore], takes what it needs and calls [Root.Wipe].
//
// The package does not ask for passphrases, judge their strength, rotate keys
// or make copies: a lost root file or passphrase is a lost node. It does not
// lock memory; a core dump or swap of a running node holds the root.
//
// Invariants:
//   - both files are written whole or not at all and are flushed with their
//     directory before the call returns; making one never overwrites another;
//   - a file costs at most [MaxMemoryKiB] of memory and [MaxTime] passes
//     before it is believed, whatever it says;
//   - a wrong passphrase and an altered file cost the same work and give the
//     same error, [ErrPassphrase];
//   - a decoded file encodes to the same bytes.
//
// Files written by this version stay readable by later ones.
package custody

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

var (
	// ErrPassphrase reports a root file that the passphrase does not open.
	// A damaged or substituted file looks the same, on purpose.
	ErrPassphrase = errors.New("wrong passphrase or altered root file")
	// ErrFormat reports a file that is not what the package writes: unknown
	// or missing members, other spelling, parameters out of bounds, too long,
	// or not a regular file.
	ErrFormat = errors.New("malformed custody file")
	// ErrRoot reports a keystore that the root key does not open, or a root
	// that is zero or wiped.
	ErrRoot = errors.New("wrong, missing or wiped root key")
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

const (
	labelRootFile = "tamga/v1/root-file"
	formatRoot    = "tamga-root-1"
	kdfName       = "argon2id"
	saltSize      = 16
	nonceSize     = 12
	tagSize       = 16
	maxRootFile   = 4 << 10
)

// rootFile is the JSON of a root key file. Sealed is
// nonce (12) || AES-256-GCM(root) (48), its AAD every other field.
type rootFile struct {
	Format    string `json:"format"`
	KDF       string `json:"kdf"`
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
	Salt      []byte `json:"salt"`
	Sealed    []byte `json:"sealed"`
}

func (f *rootFile) params() Params { return Params{f.Time, f.MemoryKiB, f.Threads} }

func (f *rootFile) validate() error {
	if f.Format != formatRoot || f.KDF != kdfName {
		return errors.New("unknown format or kdf")
	}
	if len(f.Salt) != saltSize || len(f.Sealed) != nonceSize+RootSize+tagSize {
		return errors.New("salt or sealed of the wrong length")
	}
	return f.params().validate()
}

// aad binds the header, so that a file cannot be re-labelled.
func (f *rootFile) aad() []byte {
	b := appendField(nil, []byte(labelRootFile))
	b = appendField(b, []byte(f.Format))
	b = appendField(b, []byte(f.KDF))
	b = binary.BigEndian.AppendUint32(b, f.Time)
	b = binary.BigEndian.AppendUint32(b, f.MemoryKiB)
	b = append(b, f.Threads)
	return appendField(b, f.Salt)
}

// appendField appends a 4-byte length and the field, so that no two field
// lists encode alike.
func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

// Create makes a new random root and writes it to path, sealed under the
// passphrase. It refuses to replace a file (errors.Is fs.ErrExist). When it
// returns nil the file is on stable storage; when it returns an error no
// usable file is left behind. Passphrase and p outside bounds are [ErrParams].
func Create(path string, passphrase []byte, p Params) (Root, error) {
	return create(osDisk{}, path, passphrase, p)
}

func create(d disk, path string, passphrase []byte, p Params) (Root, error) {
	if err := p.validate(); err != nil {
		return Root{}, fmt.Errorf("creating root key: %v: %w", err, ErrParams)
	}
	if len(passphrase) == 0 {
		return Root{}, fmt.Errorf("creating root key: empty passphrase: %w", ErrParams)
	}
	var secret [RootSize]byte
	defer clear(secret[:])
	f := rootFile{
		Format: formatRoot, KDF: kdfName,
		Time: p.Time, MemoryKiB: p.MemoryKiB, Threads: p.Threads,
		Salt: make([]byte, saltSize),
	}
	if err := randomize(secret[:], f.Salt); err != nil {
		return Root{}, fmt.Errorf("creating root key: %w", err)
	}
	aead, err := passphraseAEAD(passphrase, f.Salt, p)
	if err != nil {
		return Root{}, fmt.Errorf("creating root key: %w", err)
	}
	if f.Sealed, err = sealWith(aead, f.aad(), secret[:]); err != nil {
		return Root{}, fmt.Errorf("creating root key: %w", err)
	}
	if err := writeNew(d, path, encodeFile(f)); err != nil {
		return Root{}, fmt.Errorf("creating root key: %w", err)
	}
	return NewRoot(secret[:])
}

// Open reads the root key that [Create] wrote. It returns [ErrFormat] without
// touching the passphrase when the file is not one of ours, [ErrPassphrase]
// when it does not open, and the file system's error when it cannot be read.
func Open(path string, passphrase []byte) (Root, error) {
	data, err := readFile(path, maxRootFile)
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	f, err := decodeRoot(data)
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	aead, err := passphraseAEAD(passphrase, f.Salt, f.params())
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	secret, err := aead.Open(nil, f.Sealed[:nonceSize], f.Sealed[nonceSize:], f.aad())
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", ErrPassphrase)
	}
	defer clear(secret)
	return NewRoot(secret)
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
