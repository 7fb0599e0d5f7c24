package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/historicalkeys"
)

// Kind says what a file is.
type Kind string

// The kinds.
const (
	KindBackup Kind = "backup"
	KindEscrow Kind = "key-escrow"
)

const (
	labelType = "tamga-backup-label+jwt"
	labelEnd  = "\nTAMGA-LABEL-1\n"
	maxLabel  = 64 << 10
)

// Label is what can be read of a file without an identity. It ends every file:
//
//	file  = age-file label length(4) "\nTAMGA-LABEL-1\n"
//	label = JWS of typ "tamga-backup-label+jwt", length bytes
type Label struct {
	Kind     Kind      `json:"kind"`
	EntityID string    `json:"entity_id"`
	Created  time.Time `json:"created"`
	Keys     Keys      `json:"keys"`   // That a backup needs, or an escrow holds.
	Size     int64     `json:"size"`   // Of the age file before it.
	SHA256   []byte    `json:"sha256"` // Of that.
}

// UnverifiedLabel was read and nothing more.
type UnverifiedLabel struct {
	token string
	label Label
	at    int64 // where it begins
}

// EntityID is the node that it says it is of.
func (u UnverifiedLabel) EntityID() string { return u.label.EntityID }

// Kind is what it says the file is.
func (u UnverifiedLabel) Kind() Kind { return u.label.Kind }

// ReadLabel reads the label at the end of size bytes. Its error is [ErrDamaged].
func ReadLabel(r io.ReaderAt, size int64) (UnverifiedLabel, error) {
	tail := make([]byte, 4+len(labelEnd))
	at := size - int64(len(tail))
	if at < 0 {
		return UnverifiedLabel{}, damaged("label", "the file is too short")
	}
	if _, err := r.ReadAt(tail, at); err != nil {
		return UnverifiedLabel{}, damaged("label", "it cannot be read")
	}
	length := int64(binary.BigEndian.Uint32(tail))
	if string(tail[4:]) != labelEnd || length > maxLabel || length > at {
		return UnverifiedLabel{}, damaged("label", "the file does not end with one: it was cut, or is none of a tamga node")
	}
	token := make([]byte, length)
	if _, err := r.ReadAt(token, at-length); err != nil {
		return UnverifiedLabel{}, damaged("label", "it cannot be read")
	}
	u := UnverifiedLabel{token: string(token), at: at - length}
	parsed, err := jose.Parse(u.token)
	if err == nil {
		err = jose.DecodeClaims(parsed.Payload(), &u.label)
	}
	if err != nil {
		return UnverifiedLabel{}, damaged("label", "%v", err)
	}
	return u, nil
}

// ErrForeign: a file says that it is of another node.
var ErrForeign = errors.New("the file is of another node")

// Verify makes a label of u that the node of this Entity Configuration signed. Errors:
// [ErrDamaged], [ErrSignature].
func (u UnverifiedLabel) Verify(configuration string) (Label, error) {
	s, err := parseSigner(configuration)
	if err != nil {
		return Label{}, err
	}
	return u.verify(s)
}

func (u UnverifiedLabel) verify(s signer) (Label, error) {
	var l Label
	if err := s.claims("label", u.token, labelType, &l); err != nil {
		return Label{}, err
	}
	return l, u.fits(l, s)
}

// verifyFormer does what verify does with the keys that the node has retired, and returns
// the ID of the one that signed.
func (u UnverifiedLabel) verifyFormer(s signer, former []historicalkeys.Key) (Label, string, error) {
	var l Label
	_, key, err := s.former(former, func(one signer) (_ time.Time, err error) {
		l, err = u.verify(one)
		return l.Created, err
	})
	if err != nil {
		return Label{}, "", err
	}
	return l, key, nil
}

// former is the signer with the one of the keys that it has retired that signed something,
// at the time that signed returns, and the ID of that key: [ErrSignature] when none did
// while it was in use.
func (s signer) former(keys []historicalkeys.Key, signed func(signer) (time.Time, error)) (signer, string, error) {
	for _, k := range keys {
		one := signer{entity: s.entity, keys: jose.NewKeySet(k.Key)}
		at, err := signed(one)
		if errors.Is(err, ErrSignature) || err == nil && !k.HeldAt(at) {
			continue
		}
		return one, k.Key.KeyID(), err
	}
	return signer{}, "", ErrSignature
}

// fits reports whether a label that the node signed is that of this file.
func (u UnverifiedLabel) fits(l Label, s signer) error {
	switch {
	case l.EntityID != s.entity:
		return fmt.Errorf("%w: it names another entity", ErrSignature)
	case l.Size != u.at || l.Kind != KindBackup && l.Kind != KindEscrow || !l.Keys.valid():
		return damaged("label", "not of this file")
	}
	return nil
}

// HistoricalKeys is the file in which a node lists the federation keys that it has
// retired (federation/trust/historicalkeys), signed, beside its [EntityConfiguration].
const HistoricalKeys = "historical-keys.jwt"

// Signer is what is published of the node whose files are looked at.
type Signer struct {
	Configuration string // its Entity Configuration; empty, where a file is opened: the one that is in it
	Historical    string // its [HistoricalKeys]; empty: it has retired none
}

// parse verifies both.
func (o Signer) parse() (s signer, former []historicalkeys.Key, err error) {
	if s, err = parseSigner(o.Configuration); err != nil || o.Historical == "" {
		return s, nil, err
	}
	// No clock here: a list of the future is no worse than a clock that is behind.
	if former, err = historicalkeys.Verify(o.Historical, trust.EntityID(s.entity), s.keys, forever); err != nil {
		return s, nil, fmt.Errorf("%s: %w", HistoricalKeys, err)
	}
	return s, former, nil
}

// forever is later than any time in a list.
var forever = time.Unix(1<<40, 0)

// inspect reads a file whole and returns its label, when the node signed it and the file
// is as it was. It needs no identity and learns nothing of what is inside. Of a label that
// was signed under a federation key which the node has retired since, when it still had
// it, former is the key's ID. Errors: [ErrDamaged], [ErrForeign], [ErrSignature].
func inspect(file string, s signer, keys []historicalkeys.Key) (l Label, former string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return Label{}, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Label{}, "", err
	}
	u, err := ReadLabel(f, info.Size())
	if err == nil && u.EntityID() != s.entity {
		err = ErrForeign
	}
	if err == nil {
		l, err = u.verify(s)
	}
	if errors.Is(err, ErrSignature) {
		l, former, err = u.verifyFormer(s, keys)
	}
	if err == nil {
		sum := sha256.New()
		if _, err = io.Copy(sum, io.NewSectionReader(f, 0, u.at)); err == nil {
			err = l.compare(sum)
		}
	}
	return l, former, err
}

func (l Label) compare(sum hash.Hash) error {
	if !bytes.Equal(sum.Sum(nil), l.SHA256) {
		return damaged("label", "the file is not the one that it was made for")
	}
	return nil
}

// measured counts and hashes what goes through it to a file that a label is made for.
type measured struct {
	to   io.Writer
	sum  hash.Hash
	size int64
}

func newMeasured(to io.Writer) *measured { return &measured{to: to, sum: sha256.New()} }

func (m *measured) Write(b []byte) (int, error) {
	n, err := m.to.Write(b)
	m.sum.Write(b[:n])
	m.size += int64(n)
	return n, err
}

// end writes the label behind what was written.
func (m *measured) end(l Label, key jose.PrivateKey) error {
	l.Size, l.SHA256 = m.size, m.sum.Sum(nil)
	payload, err := json.Marshal(l)
	if err != nil {
		return err
	}
	token, err := jose.Sign(key, labelType, payload)
	if err != nil {
		return err
	}
	out := binary.BigEndian.AppendUint32([]byte(token), uint32(len(token)))
	_, err = m.to.Write(append(out, labelEnd...))
	return err
}
