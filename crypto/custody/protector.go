package custody

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Kind names a kind of protector. A root file has at most one of each.
type Kind string

// The kinds of protector.
const (
	KindPassphrase Kind = "passphrase"
	KindCustodians Kind = "custodians"
	KindToken      Kind = "pkcs11"
)

// Bounds on [Custodians].
const (
	CeremonySize   = 16
	CommitmentSize = 32
	MaxShares      = 16
)

// Custodians are the public terms of a key that people share: any Threshold of
// Shares shares of the ceremony give it. Commitments are Threshold encoded group
// elements with which one share can be checked alone (crypto/ceremony).
type Custodians struct {
	Ceremony    [CeremonySize]byte
	Threshold   int // 2 to Shares.
	Shares      int // 2 to MaxShares.
	Commitments [][]byte
}

func (c Custodians) validate() error {
	if c.Shares < 2 || c.Shares > MaxShares || c.Threshold < 2 || c.Threshold > c.Shares {
		return fmt.Errorf("custodians: %d of %d shares, want 2 or more of at most %d", c.Threshold, c.Shares, MaxShares)
	}
	if len(c.Commitments) != c.Threshold {
		return fmt.Errorf("custodians: %d commitments instead of %d", len(c.Commitments), c.Threshold)
	}
	for _, m := range c.Commitments {
		if len(m) != CommitmentSize {
			return errors.New("custodians: commitment of the wrong length")
		}
	}
	return nil
}

// Protector seals a root into its file. It prints as a redaction mark. The zero
// value protects nothing and is refused with [ErrParams].
type Protector struct {
	// seal puts the lock into f; a closure hides what it holds from fmt.
	seal func(f *rootFile, root []byte) error
}

const redactedProtector = "protector(redacted)"

// LogValue implements [slog.LogValuer] without what opens the root.
func (Protector) LogValue() slog.Value { return slog.StringValue(redactedProtector) }

// Format implements [fmt.Formatter] without what opens the root.
func (Protector) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedProtector) }

// Passphrase protects a root by a passphrase. It reads passphrase when it is
// used, so the caller wipes it after that. An empty one and costs outside bounds
// are [ErrParams].
func Passphrase(passphrase []byte, p Params) Protector {
	return Protector{func(f *rootFile, root []byte) error {
		if err := p.validate(); err != nil {
			return fmt.Errorf("%v: %w", err, ErrParams)
		}
		if len(passphrase) == 0 {
			return fmt.Errorf("empty passphrase: %w", ErrParams)
		}
		l := &passphraseLock{KDF: kdfName, Time: p.Time, MemoryKiB: p.MemoryKiB, Threads: p.Threads, Salt: make([]byte, saltSize)}
		if err := randomize(l.Salt); err != nil {
			return err
		}
		aead, err := passphraseAEAD(passphrase, l.Salt, p)
		if err != nil {
			return err
		}
		if l.Sealed, err = sealWith(aead, f.aad(l.header()), root); err != nil {
			return err
		}
		f.Passphrase = l
		return nil
	}}
}

// Shared protects a root by a key that custodians share on the terms c. It reads
// key, at least 32 bytes of full entropy, when it is used. Other terms and
// shorter keys are [ErrParams].
func Shared(c Custodians, key []byte) Protector {
	return Protector{func(f *rootFile, root []byte) error {
		if err := c.validate(); err != nil {
			return fmt.Errorf("%v: %w", err, ErrParams)
		}
		if len(key) < 32 {
			return fmt.Errorf("custodians' key of %d bytes: %w", len(key), ErrParams)
		}
		l := &custodianLock{Ceremony: bytes.Clone(c.Ceremony[:]), Threshold: uint8(c.Threshold), Shares: uint8(c.Shares), Commitments: c.Commitments}
		aead, err := sharedAEAD(key, l.Ceremony)
		if err != nil {
			return err
		}
		if l.Sealed, err = sealWith(aead, f.aad(l.header()), root); err != nil {
			return err
		}
		f.Custodians = l
		return nil
	}}
}

// Wrapper seals with a key that it does not give out, such as one in an HSM
// (crypto/custody/token).
type Wrapper interface {
	// Seal returns nonce (12) || AES-256-GCM(plaintext) || tag (16) under aad.
	Seal(aad, plaintext []byte) ([]byte, error)
	// Open reverses Seal; an error when sealed or aad are others. The result is
	// the caller's to wipe.
	Open(aad, sealed []byte) ([]byte, error)
}

// Token protects a root by a key that stays in a token.
func Token(w Wrapper) Protector {
	return Protector{func(f *rootFile, root []byte) error {
		l := &tokenLock{}
		var err error
		if l.Sealed, err = w.Seal(f.aad(l.header()), root); err != nil {
			return err
		}
		if len(l.Sealed) != sealedSize {
			return fmt.Errorf("token sealed %d bytes instead of %d: %w", len(l.Sealed), sealedSize, ErrFormat)
		}
		f.Token = l
		return nil
	}}
}

// OpenToken reads the root key at path with the token's key. It fails as [Open]
// does.
func OpenToken(path string, w Wrapper) (Root, error) {
	f, err := readRoot(path)
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	l := f.Token
	if l == nil {
		return Root{}, fmt.Errorf("opening root key: pkcs11: %w", ErrNoProtector)
	}
	secret, err := w.Open(f.aad(l.header()), l.Sealed)
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w: %v", ErrPassphrase, err)
	}
	return f.loaded(secret)
}

// sharedAEAD separates the use of the custodians' key by ceremony.
func sharedAEAD(key, ceremony []byte) (cipher.AEAD, error) {
	k, err := hkdf.Key(sha256.New, key, ceremony, labelRootFile, 32)
	if err != nil {
		return nil, err
	}
	defer clear(k)
	return newAEAD(k)
}

// Create makes a new random root and writes it to path under the protector. It
// refuses to replace a file (errors.Is fs.ErrExist). When it returns nil the
// file is on stable storage; when it returns an error no usable file is left
// behind.
func Create(path string, p Protector) (Root, error) { return create(osDisk{}, path, p) }

func create(d disk, path string, p Protector) (Root, error) {
	r, data, err := newRootFile([]Protector{p})
	if err == nil {
		err = writeNew(d, path, data)
	}
	if err != nil {
		r.Wipe()
		return Root{}, fmt.Errorf("creating root key: %w", err)
	}
	return r, nil
}

func newRootFile(protectors []Protector) (Root, []byte, error) {
	var secret [RootSize]byte
	defer clear(secret[:])
	if err := randomize(secret[:]); err != nil {
		return Root{}, nil, err
	}
	r, err := NewRoot(secret[:])
	if err != nil {
		return Root{}, nil, err
	}
	f := rootFile{Format: formatRoot, ID: rootID(r)}
	for _, p := range protectors {
		if err := f.protect(r, p); err != nil {
			r.Wipe()
			return Root{}, nil, err
		}
	}
	return r, encodeFile(f), nil
}

func (f *rootFile) protect(r Root, p Protector) error {
	if p.seal == nil {
		return fmt.Errorf("no protector: %w", ErrParams)
	}
	return r.use(func(secret []byte) error { return p.seal(f, secret) })
}

// Protect adds p to the protectors of the root file at path, in the place of one
// of its kind. The root stays, and so does all that is sealed under it. It
// returns [ErrRoot] when r is not the root of that file. At every moment,
// crashes included, the file is the old or the new one, whole; with an error it
// is the old one, unless flushing the folder failed.
func Protect(path string, r Root, p Protector) error { return protect(osDisk{}, path, r, p) }

func protect(d disk, path string, r Root, p Protector) error {
	err := edit(d, path, r, func(f *rootFile) error { return f.protect(r, p) })
	if err != nil {
		return fmt.Errorf("changing protectors: %w", err)
	}
	return nil
}

// Unprotect removes the protector of a kind, with the promises of [Protect]. It
// returns [ErrNoProtector] when there is none, and [ErrLastProtector] when
// nothing would open the root then.
func Unprotect(path string, r Root, k Kind) error { return unprotect(osDisk{}, path, r, k) }

func unprotect(d disk, path string, r Root, k Kind) error {
	err := edit(d, path, r, func(f *rootFile) error {
		switch {
		case k == KindPassphrase && f.Passphrase != nil:
			f.Passphrase = nil
		case k == KindCustodians && f.Custodians != nil:
			f.Custodians = nil
		case k == KindToken && f.Token != nil:
			f.Token = nil
		default:
			return fmt.Errorf("%q: %w", string(k), ErrNoProtector)
		}
		if f.empty() {
			return ErrLastProtector
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("changing protectors: %w", err)
	}
	return nil
}

func edit(d disk, path string, r Root, change func(*rootFile) error) error {
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := readRoot(path)
	if err != nil {
		return err
	}
	if !r.Usable() || !bytes.Equal(rootID(r), f.ID) {
		return ErrRoot
	}
	if err := change(&f); err != nil {
		return err
	}
	return replaceFile(d, path, encodeFile(f))
}

// Open reads the root key at path with a passphrase. It returns [ErrFormat]
// without touching the passphrase when the file is not one of ours,
// [ErrNoProtector] when it is under no passphrase, [ErrPassphrase] when it does
// not open, and the file system's error when it cannot be read.
func Open(path string, passphrase []byte) (Root, error) {
	f, err := readRoot(path)
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	l := f.Passphrase
	if l == nil {
		return Root{}, fmt.Errorf("opening root key: passphrase: %w", ErrNoProtector)
	}
	aead, err := passphraseAEAD(passphrase, l.Salt, l.params())
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	return f.unlock(aead, l.header(), l.Sealed)
}

// OpenShared reads the root key at path with the key that custodians put
// together. It fails as [Open] does.
func OpenShared(path string, key []byte) (Root, error) {
	f, err := readRoot(path)
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	l := f.Custodians
	if l == nil {
		return Root{}, fmt.Errorf("opening root key: custodians: %w", ErrNoProtector)
	}
	aead, err := sharedAEAD(key, l.Ceremony)
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", err)
	}
	return f.unlock(aead, l.header(), l.Sealed)
}

// unlock opens one lock.
func (f *rootFile) unlock(aead cipher.AEAD, header, sealed []byte) (Root, error) {
	secret, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], f.aad(header))
	if err != nil {
		return Root{}, fmt.Errorf("opening root key: %w", ErrPassphrase)
	}
	return f.loaded(secret)
}

// loaded makes a root of what a lock held, and wipes that. A root that does not give
// the file's ID was swapped.
func (f *rootFile) loaded(secret []byte) (Root, error) {
	defer clear(secret)
	r, err := NewRoot(secret)
	if err != nil {
		return Root{}, err
	}
	if !bytes.Equal(rootID(r), f.ID) {
		r.Wipe()
		return Root{}, fmt.Errorf("opening root key: %w", ErrPassphrase)
	}
	return r, nil
}

// Protectors say what opens a root file; nil is what it does not have.
type Protectors struct {
	Passphrase *Params
	Custodians *Custodians
	Token      bool // A key in a PKCS#11 token.
}

// Kinds lists them.
func (p Protectors) Kinds() []Kind {
	var kinds []Kind
	if p.Passphrase != nil {
		kinds = append(kinds, KindPassphrase)
	}
	if p.Custodians != nil {
		kinds = append(kinds, KindCustodians)
	}
	if p.Token {
		kinds = append(kinds, KindToken)
	}
	return kinds
}

// Inspect reads what opens the root file at path, without opening it. What it
// says is checked only when the root is opened.
func Inspect(path string) (Protectors, error) {
	f, err := readRoot(path)
	if err != nil {
		return Protectors{}, fmt.Errorf("reading root file: %w", err)
	}
	var p Protectors
	if f.Passphrase != nil {
		params := f.Passphrase.params()
		p.Passphrase = &params
	}
	if f.Custodians != nil {
		c := f.Custodians.custodians()
		p.Custodians = &c
	}
	p.Token = f.Token != nil
	return p, nil
}
