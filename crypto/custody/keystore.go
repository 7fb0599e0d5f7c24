package custody

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
)

// Bounds on a keystore.
const (
	MaxSecrets    = 256
	MaxSecretSize = 8 << 10
	maxSecretName = 64
	maxKeystore   = 4 << 20 // More than MaxSecrets of MaxSecretSize take in base64.
)

const (
	labelKeystore = "tamga/v1/keystore"
	labelSecret   = "tamga/v1/keystore-secret"
	formatStore   = "tamga-keystore-2"
)

// Keystore is a set of named secrets, as it was when opened. It is immutable, safe for
// concurrent use, and prints as a redaction mark. The zero value is empty.
type Keystore struct {
	open func() map[string][]byte
}

// keystoreFile names the root that it is sealed under by its ID, and counts roots.
type keystoreFile struct {
	Format     string          `json:"format"`
	Root       []byte          `json:"root"`
	Generation uint32          `json:"generation"` // Of the root, from 1.
	Before     *rootLink       `json:"before,omitempty"`
	Salt       []byte          `json:"salt"`
	Secrets    []keystoreEntry `json:"secrets"` // Sorted by name.
}

// keystoreEntry holds one secret: nonce (12) || AES-256-GCM(secret).
type keystoreEntry struct {
	Name   string `json:"name"`
	Sealed []byte `json:"sealed"`
}

func (f *keystoreFile) names() []string {
	names := make([]string, len(f.Secrets))
	for i, e := range f.Secrets {
		names[i] = e.Name
	}
	return names
}

func (f *keystoreFile) validate() error {
	if f.Format != formatStore || len(f.Salt) != saltSize {
		return errors.New("unknown format or salt of the wrong length")
	}
	if len(f.Root) != idSize || f.Generation == 0 {
		return errors.New("root of the wrong length or without a number")
	}
	if l := f.Before; l != nil && (len(l.Root) != idSize || len(l.Salt) != saltSize || len(l.Sealed) != sealedSize) {
		return errors.New("root before of the wrong length")
	}
	// An empty store would open under any root and so prove nothing.
	if len(f.Secrets) == 0 || len(f.Secrets) > MaxSecrets {
		return fmt.Errorf("%d secrets instead of 1 to %d", len(f.Secrets), MaxSecrets)
	}
	for i, e := range f.Secrets {
		if !validName(e.Name) || i > 0 && e.Name <= f.Secrets[i-1].Name {
			return fmt.Errorf("secret %d: name malformed or out of order", i)
		}
		if n := len(e.Sealed) - nonceSize - tagSize; n < 0 || n > MaxSecretSize {
			return fmt.Errorf("secret %d: sealed of the wrong length", i)
		}
	}
	return nil
}

// validName reports whether name is 1 to 64 of a-z, 0-9, '-', '_', '.', '/'.
func validName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != '/' {
			return false
		}
	}
	return name != "" && len(name) <= maxSecretName
}

// entryAAD binds a secret to its own name, to the head of the file and to the names
// beside it, so an entry can be neither renamed nor dropped without every entry failing.
func (f *keystoreFile) entryAAD(name string, all []string) []byte {
	b := appendField(nil, []byte(labelSecret))
	b = appendField(b, f.Root)
	b = binary.BigEndian.AppendUint32(b, f.Generation)
	if l := f.Before; l != nil {
		b = appendField(appendField(appendField(b, l.Root), l.Salt), l.Sealed)
	}
	b = appendField(b, []byte(name))
	for _, n := range all {
		b = appendField(b, []byte(n))
	}
	return b
}

// keystoreAEAD derives the key of one file. The salt separates files of one
// root, so entries cannot be moved between an old keystore and a new one.
func keystoreAEAD(r Root, salt []byte) (cipher.AEAD, error) {
	master := r.Derive(labelKeystore)
	defer clear(master[:])
	key, err := hkdf.Key(sha256.New, master[:], salt, labelKeystore, 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newAEAD(key)
}

// CreateKeystore writes secrets to path, each sealed under r with its name
// bound. Names are 1 to 64 characters of a-z 0-9 - _ . / and stay readable in
// the file; secrets are at most [MaxSecretSize] bytes, and there are 1 to
// [MaxSecrets] of them, else [ErrFormat]. It refuses to replace a file (errors.Is
// fs.ErrExist), returns [ErrRoot] for an unusable root, and has the same
// durability as [Create]. It keeps no reference to secrets.
func CreateKeystore(path string, r Root, secrets map[string][]byte) error {
	return createKeystore(osDisk{}, path, r, secrets)
}

func createKeystore(d disk, path string, r Root, secrets map[string][]byte) error {
	f := keystoreFile{Generation: 1}
	data, err := f.seal(r, secrets)
	if err == nil {
		err = writeNew(d, path, data)
	}
	if err != nil {
		return fmt.Errorf("creating keystore: %w", err)
	}
	return nil
}

// UpdateKeystore lets change edit the secrets of the keystore at path, by name,
// and puts the outcome in the old file's place: at every moment, crashes
// included, the old keystore or the new one is there, whole. An error of change
// leaves the file alone and is returned as it is. With any other error the old
// one stands, unless flushing the folder failed: then it may be either, and
// the same change may be tried again if it can find itself done.
//
// A secret that change deletes is overwritten where the file system writes in
// place; a copy of the old file still opens under the same root. It keeps no
// reference to what change puts into the map; what the map held is wiped. While
// another process changes the folder's files the error is [ErrBusy].
func UpdateKeystore(path string, r Root, change func(secrets map[string][]byte) error) error {
	return updateKeystore(osDisk{}, path, r, change)
}

func updateKeystore(d disk, path string, r Root, change func(secrets map[string][]byte) error) error {
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	f, current, secrets, err := openKeystore(path, r)
	if err != nil {
		return err
	}
	defer current.Wipe()
	held := slices.Collect(maps.Values(secrets))
	defer wipeAll(held)
	if err := change(secrets); err != nil {
		return err
	}
	data, err := f.seal(current, secrets)
	if err == nil {
		err = replaceFile(d, path, data)
	}
	if err != nil {
		return fmt.Errorf("updating keystore: %w", err)
	}
	return nil
}

func wipeAll(secrets [][]byte) {
	for _, s := range secrets {
		clear(s)
	}
}

// seal puts secrets into f, under r and a salt of its own, and encodes it.
func (f *keystoreFile) seal(r Root, secrets map[string][]byte) ([]byte, error) {
	if !r.Usable() {
		return nil, ErrRoot
	}
	f.Format, f.Root, f.Salt, f.Secrets = formatStore, rootID(r), make([]byte, saltSize), []keystoreEntry{}
	if err := randomize(f.Salt); err != nil {
		return nil, err
	}
	aead, err := keystoreAEAD(r, f.Salt)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(secrets))
	for _, name := range names {
		sealed, err := sealWith(aead, f.entryAAD(name, names), secrets[name])
		if err != nil {
			return nil, err
		}
		f.Secrets = append(f.Secrets, keystoreEntry{name, sealed})
	}
	if err := f.validate(); err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrFormat)
	}
	return encodeFile(f), nil
}

// OpenKeystore reads what [CreateKeystore] wrote and opens every secret. It
// returns [ErrFormat] for another file, [ErrRoot] when r is unusable or any
// entry fails to open, and the file system's error when it cannot be read. The
// root before the current one opens it too, until it is retired: see [Rotation].
func OpenKeystore(path string, r Root) (Keystore, error) {
	_, current, secrets, err := openKeystore(path, r)
	if err != nil {
		return Keystore{}, err
	}
	current.Wipe()
	return Keystore{func() map[string][]byte { return secrets }}, nil
}

// openKeystore opens the file, and says by which root it is sealed; the caller wipes that.
func openKeystore(path string, r Root) (f keystoreFile, current Root, secrets map[string][]byte, err error) {
	defer func() {
		if err != nil {
			current.Wipe()
			wipeAll(slices.Collect(maps.Values(secrets)))
			f, current, secrets, err = keystoreFile{}, Root{}, nil, fmt.Errorf("opening keystore: %w", err)
		}
	}()
	if !r.Usable() {
		return f, current, nil, ErrRoot
	}
	if f, err = readKeystore(path); err != nil {
		return f, current, nil, err
	}
	if current, err = f.current(r); err != nil {
		return f, current, nil, err
	}
	aead, err := keystoreAEAD(current, f.Salt)
	if err != nil {
		return f, current, nil, err
	}
	names := f.names()
	secrets = make(map[string][]byte, len(names))
	for _, e := range f.Secrets {
		secret, err := aead.Open(nil, e.Sealed[:nonceSize], e.Sealed[nonceSize:], f.entryAAD(e.Name, names))
		if err != nil {
			return f, current, secrets, ErrRoot
		}
		secrets[e.Name] = secret
	}
	return f, current, secrets, nil
}

// ListSecrets returns the names of the secrets in a keystore as [ReadFile] returns it, in
// order, and the generation of the root that it is sealed under. They are not
// authenticated: that takes the root. Its error is [ErrFormat].
func ListSecrets(keystore []byte) (names []string, root uint32, err error) {
	f, err := decodeKeystore(keystore)
	if err != nil {
		return nil, 0, fmt.Errorf("reading keystore: %w", err)
	}
	return f.names(), f.Generation, nil
}

func readKeystore(path string) (keystoreFile, error) {
	data, err := readFile(path, maxKeystore)
	if err != nil {
		return keystoreFile{}, err
	}
	return decodeKeystore(data)
}

func decodeKeystore(data []byte) (keystoreFile, error) {
	var f keystoreFile
	if err := decodeFile(data, &f); err != nil {
		return keystoreFile{}, err
	}
	if err := f.validate(); err != nil {
		return keystoreFile{}, fmt.Errorf("%v: %w", err, ErrFormat)
	}
	return f, nil
}

// Secret returns a copy of the secret called name, or [ErrNoSecret]. The copy
// is the caller's to clear.
func (k Keystore) Secret(name string) ([]byte, error) {
	if k.open != nil {
		if secret, ok := k.open()[name]; ok {
			return bytes.Clone(secret), nil
		}
	}
	if len(name) > maxSecretName {
		name = name[:maxSecretName]
	}
	return nil, fmt.Errorf("reading secret %q: %w", name, ErrNoSecret)
}

// Names returns the names of the secrets in order.
func (k Keystore) Names() []string {
	if k.open == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(k.open()))
}

const redactedStore = "keystore(redacted)"

// LogValue implements [slog.LogValuer] without secrets.
func (Keystore) LogValue() slog.Value { return slog.StringValue(redactedStore) }

// Format implements [fmt.Formatter] without secrets, whatever the verb.
func (Keystore) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedStore) }
