package keyring

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Vault opens and seals what the store has of subjects. It is safe for concurrent use.
type Vault struct {
	node  string
	index [32]byte
	ring  atomic.Pointer[envelope.Ring] // replaced by use
}

// New is the vault of a node whose records are named by index.
func New(node string, index [32]byte, ring *envelope.Ring) *Vault {
	v := &Vault{node: node, index: index}
	v.ring.Store(ring)
	return v
}

// Use replaces the ring of KEKs. That of before may be wiped at once.
func (v *Vault) Use(r *envelope.Ring) { v.ring.Store(r) }

// Current is the generation that keys are wrapped under now.
func (v *Vault) Current() uint32 { return v.ring.Load().Current() }

// Ring is the ring of KEKs. It may be replaced and wiped at any time.
func (v *Vault) Ring() *envelope.Ring { return v.ring.Load() }

// Replace does what Use does unless was has been replaced by then, and reports whether.
func (v *Vault) Replace(was, r *envelope.Ring) bool { return v.ring.CompareAndSwap(was, r) }

// withRing runs f with the ring, and again when that was replaced and wiped meanwhile.
func (v *Vault) withRing(f func(*envelope.Ring) error) error {
	for {
		r := v.ring.Load()
		err := f(r)
		if !errors.Is(err, envelope.ErrNoKey) || v.ring.Load() == r {
			return err
		}
	}
}

// keyring is the stored entry of one subject: its key, wrapped, and under that
// key the list of its records. Its [Stamp] is kept in an entry of its own and bound by
// the list's AAD. So an older keyring does not open, and Badger losing one of the two
// entries is damage, not an unknown subject.
type keyring struct {
	_      struct{} `cbor:",toarray"`
	DEK    []byte
	Sealed []byte
}

const (
	recordVersion = 1
	listModality  = "record-list"
	listFormat    = "tamga-record-list-1"
)

// recordAAD names, beside the format, the generation of the protection that the record
// is stored under.
func (v *Vault) recordAAD(p pseudonym.Pseudonym, r Record) envelope.AAD {
	format := r.Format
	if r.Generation != 0 {
		format += "/protected/" + strconv.FormatUint(uint64(r.Generation), 10)
	}
	return envelope.AAD{Node: v.node, Pseudonym: p[:], Modality: r.Modality, Format: format,
		Version: recordVersion, KeyGeneration: r.KeyGen}
}

// listAAD binds the record list to the generation its key is wrapped under now,
// and to its stamp.
func (v *Vault) listAAD(p pseudonym.Pseudonym, dek envelope.DEK, s Stamp) envelope.AAD {
	return envelope.AAD{Node: v.node, Pseudonym: p[:], Modality: listModality,
		Format:  listFormat + "/born/" + strconv.FormatUint(uint64(s.Born), 10),
		Version: s.Wrote, KeyGeneration: dek.Generation()}
}

// lookUp finds the two entries of a subject: [ErrUnknown] when there is
// neither.
func lookUp(txn store.Reader, p pseudonym.Pseudonym) (s Stamp, k keyring, err error) {
	if err := txn.Fetch(StampRow(p), Row(p)); err != nil {
		return Stamp{}, keyring{}, err
	}
	v, vErr := txn.Get(StampRow(p))
	sealed, kErr := txn.Get(Row(p))
	if errors.Is(vErr, store.ErrNotFound) && errors.Is(kErr, store.ErrNotFound) {
		return Stamp{}, keyring{}, ErrUnknown
	}
	if err := errors.Join(vErr, kErr); err != nil {
		return Stamp{}, keyring{}, err
	}
	if s, err = ParseStamp(v); err != nil {
		return Stamp{}, keyring{}, err
	}
	return s, k, cbor.Unmarshal(sealed, &k)
}

// Load opens a subject's key and record list. [ErrUnknown] when there is
// none, and [envelope.ErrGeneration], which is damage to who should have the KEK, when
// that is not there; the caller wipes the subject otherwise.
func (v *Vault) Load(txn store.Reader, p pseudonym.Pseudonym) (Subject, error) {
	st, k, err := lookUp(txn, p)
	if errors.Is(err, ErrUnknown) {
		return Subject{}, err
	}
	if err != nil {
		return Subject{}, store.Damaged("reading keyring", err)
	}
	var dek envelope.DEK
	err = v.withRing(func(r *envelope.Ring) (err error) {
		dek, err = r.UnwrapDEK(p[:], k.DEK)
		return err
	})
	if errors.Is(err, envelope.ErrGeneration) {
		return Subject{}, fmt.Errorf("unwrapping subject key: %w: %w", store.ErrDamaged, err)
	}
	if err != nil {
		return Subject{}, store.Damaged("unwrapping subject key", err)
	}
	s := Subject{P: p, Stamp: st, dek: dek, wrapped: k.DEK}
	if err := v.openList(&s, k.Sealed); err != nil {
		dek.Wipe()
		return Subject{}, store.Damaged("opening record list", err)
	}
	return s, nil
}

func (v *Vault) openList(s *Subject, sealed []byte) error {
	plain, err := s.dek.Open(v.listAAD(s.P, s.dek, s.Stamp), sealed)
	if err != nil {
		return err
	}
	defer clear(plain)
	if err := cbor.Unmarshal(plain, &s.List); err != nil {
		return err
	}
	if s.List.Element.Pseudonym() != s.P {
		return errors.New("it is of another pseudonym")
	}
	return nil
}

// Seal is the value of the row of s's keyring, with the stamp that it has from now on.
func (v *Vault) Seal(s Subject, now Stamp) ([]byte, error) {
	plain, err := cbor.Marshal(s.List)
	if err != nil {
		return nil, fmt.Errorf("encoding record list: %w", err)
	}
	defer clear(plain)
	sealed, err := s.dek.Seal(v.listAAD(s.P, s.dek, now), plain)
	if err != nil {
		return nil, fmt.Errorf("sealing record list: %w", err)
	}
	b, err := cbor.Marshal(keyring{DEK: s.wrapped, Sealed: sealed})
	if err != nil {
		return nil, fmt.Errorf("encoding keyring: %w", err)
	}
	return b, nil
}

// GenerationOf is the generation under which a keyring is wrapped. Its errors are
// [store.ErrDamaged].
func GenerationOf(row store.Row) (uint32, error) {
	var k keyring
	if err := cbor.Unmarshal(row.Value, &k); err != nil {
		return 0, store.Damaged("reading keyring", err)
	}
	if len(k.DEK) != envelope.WrappedSize || len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
		return 0, store.Damaged("reading keyring", errors.New("key of the wrong length"))
	}
	return binary.BigEndian.Uint32(k.DEK), nil
}

// RecordRow is where the record in a slot of the subject with this home lies. It
// hides which subject a record belongs to from who has no root key.
func (v *Vault) RecordRow(home pseudonym.Pseudonym, slot uint32) []byte {
	mac := hmac.New(sha256.New, v.index[:])
	mac.Write([]byte("tamga/v1/gallery-record\x00"))
	mac.Write(home[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, slot))
	return mac.Sum([]byte("r"))
}

// SealRecord seals a record of s, to lie in the place that info says, and has info name the
// generation that it is sealed under.
func (v *Vault) SealRecord(s Subject, info *Record, data []byte) ([]byte, error) {
	info.KeyGen = s.dek.Generation()
	sealed, err := s.dek.Seal(v.recordAAD(s.Home(), *info), data)
	if err != nil {
		return nil, fmt.Errorf("sealing record: %w", err)
	}
	return sealed, nil
}

// OpenRecord opens what lies in the place of the record that info describes. Two
// records of one modality and format open under the same AAD, so the digest says
// whether this one is in its place.
func (v *Vault) OpenRecord(s Subject, info Record, sealed []byte) ([]byte, error) {
	plain, err := s.dek.Open(v.recordAAD(s.Home(), info), sealed)
	if errors.Is(err, envelope.ErrNoKey) {
		return nil, err
	}
	if err != nil {
		return nil, store.Damaged("decrypting it", err)
	}
	if digest := sha256.Sum256(plain); !bytes.Equal(digest[:], info.Digest) {
		clear(plain)
		return nil, fmt.Errorf("%w: it stands in the place of another", store.ErrDamaged)
	}
	return plain, nil
}

// ConsentPrefix begins the rows of those who are held by a consent.
func (v *Vault) ConsentPrefix(consent [32]byte) []byte {
	mac := hmac.New(sha256.New, v.index[:])
	mac.Write([]byte("tamga/v1/gallery-held-by\x00"))
	mac.Write(consent[:])
	return mac.Sum([]byte("h"))
}

// ConsentRows are the rows that say of the subject at p which consent holds it: one, or none.
func (v *Vault) ConsentRows(consent [32]byte, p pseudonym.Pseudonym) [][]byte {
	if consent == ([32]byte{}) {
		return nil
	}
	return [][]byte{append(v.ConsentPrefix(consent), p[:]...)}
}

// Found reports whether the rows that say which consent holds a subject are there.
func (v *Vault) Found(txn store.Reader, s Subject) (bool, error) {
	for _, row := range v.ConsentRows(s.List.Consent, s.P) {
		if _, err := txn.Get(row); errors.Is(err, store.ErrNotFound) {
			return false, nil
		} else if err != nil {
			return false, store.Damaged("reading who is held by a consent", err)
		}
	}
	return true, nil
}
