package custody

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	labelRootFile = "tamga/v1/root-file"
	labelRootID   = "tamga/v1/keystore-root-id"
	formatRoot    = "tamga-root-2"
	kdfName       = "argon2id"
	idSize        = 16
	saltSize      = 16
	nonceSize     = 12
	tagSize       = 16
	sealedSize    = nonceSize + RootSize + tagSize
	maxRootFile   = 8 << 10
)

// rootFile is the JSON of a root key file. ID is the first bytes of a key
// derived from the root: it tells roots apart and says nothing of this one.
type rootFile struct {
	Format     string          `json:"format"`
	ID         []byte          `json:"id"`
	Passphrase *passphraseLock `json:"passphrase,omitempty"`
	Custodians *custodianLock  `json:"custodians,omitempty"`
	Token      *tokenLock      `json:"pkcs11,omitempty"`
}

// tokenLock holds the root under a key in a token. Which one is configuration: a
// file that could name a module would have it loaded.
type tokenLock struct {
	Sealed []byte `json:"sealed"`
}

func (l *tokenLock) header() []byte { return appendField(nil, []byte(KindToken)) }

// passphraseLock holds the root under a passphrase. Sealed is, here and below,
// nonce (12) || AES-256-GCM(root) (48), its AAD every other field of the lock
// and what heads the file.
type passphraseLock struct {
	KDF       string `json:"kdf"`
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
	Salt      []byte `json:"salt"`
	Sealed    []byte `json:"sealed"`
}

// custodianLock holds the root under a key that custodians share.
type custodianLock struct {
	Ceremony    []byte   `json:"ceremony"`
	Threshold   uint8    `json:"threshold"`
	Shares      uint8    `json:"shares"`
	Commitments [][]byte `json:"commitments"`
	Sealed      []byte   `json:"sealed"`
}

func (l *passphraseLock) params() Params { return Params{l.Time, l.MemoryKiB, l.Threads} }

func (l *passphraseLock) validate() error {
	if l.KDF != kdfName {
		return errors.New("passphrase: unknown kdf")
	}
	if len(l.Salt) != saltSize || len(l.Sealed) != sealedSize {
		return errors.New("passphrase: salt or sealed of the wrong length")
	}
	return l.params().validate()
}

func (l *passphraseLock) header() []byte {
	b := appendField(nil, []byte(KindPassphrase))
	b = appendField(b, []byte(l.KDF))
	b = binary.BigEndian.AppendUint32(b, l.Time)
	b = binary.BigEndian.AppendUint32(b, l.MemoryKiB)
	b = append(b, l.Threads)
	return appendField(b, l.Salt)
}

func (l *custodianLock) custodians() Custodians {
	return Custodians{Ceremony: [CeremonySize]byte(l.Ceremony), Threshold: int(l.Threshold), Shares: int(l.Shares), Commitments: l.Commitments}
}

func (l *custodianLock) validate() error {
	if len(l.Ceremony) != CeremonySize || len(l.Sealed) != sealedSize {
		return errors.New("custodians: ceremony or sealed of the wrong length")
	}
	return l.custodians().validate()
}

func (l *custodianLock) header() []byte {
	b := appendField(nil, []byte(KindCustodians))
	b = appendField(b, l.Ceremony)
	b = append(b, l.Threshold, l.Shares)
	for _, c := range l.Commitments {
		b = appendField(b, c)
	}
	return b
}

func (f *rootFile) validate() error {
	if f.Format != formatRoot || len(f.ID) != idSize {
		return errors.New("unknown format or id of the wrong length")
	}
	if f.empty() {
		return errors.New("no protector")
	}
	if f.Token != nil && len(f.Token.Sealed) != sealedSize {
		return errors.New("pkcs11: sealed of the wrong length")
	}
	if f.Passphrase != nil {
		if err := f.Passphrase.validate(); err != nil {
			return err
		}
	}
	if f.Custodians != nil {
		return f.Custodians.validate()
	}
	return nil
}

func (f *rootFile) empty() bool { return f.Passphrase == nil && f.Custodians == nil && f.Token == nil }

// aad binds a lock to its header and to the root it is of, so that it can be
// neither re-labelled nor moved to another file.
func (f *rootFile) aad(header []byte) []byte {
	b := appendField(nil, []byte(labelRootFile))
	b = appendField(b, []byte(f.Format))
	b = appendField(b, f.ID)
	return append(b, header...)
}

// appendField appends a 4-byte length and the field, so that no two field
// lists encode alike.
func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func rootID(r Root) []byte {
	id := r.Derive(labelRootID)
	return bytes.Clone(id[:idSize])
}

func decodeRoot(data []byte) (rootFile, error) {
	var f rootFile
	if err := decodeFile(data, &f); err != nil {
		return rootFile{}, err
	}
	if err := f.validate(); err != nil {
		return rootFile{}, fmt.Errorf("%v: %w", err, ErrFormat)
	}
	return f, nil
}

func readRoot(path string) (rootFile, error) {
	data, err := readFile(path, maxRootFile)
	if err != nil {
		return rootFile{}, err
	}
	return decodeRoot(data)
}
