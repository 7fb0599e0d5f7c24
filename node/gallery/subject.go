package gallery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Template is one biometric reference as it was imported: a validated record of
// the format it names. It is data in clear; String and LogValue keep it out of logs.
type Template struct {
	Modality string // at most 64 bytes
	Format   string // at most 128 bytes
	Position uint8
	Data     []byte // 1 to MaxRecordSize bytes
}

// Enrolment is what is known of one subject. Holder is the RFC 7638 thumbprint of
// the person's consent key, empty when the person has none.
//
// Absences are what could not be captured; a subject may have nothing else. Batch, when
// there is one, is recorded with what the enrolment adds.
type Enrolment struct {
	Subject   pseudonym.Identifier
	Holder    string
	Templates []Template
	Absences  []Absence
	Batch     string  // at most 64 bytes
	IfKnown   IfKnown // what to do about a subject who is enrolled and would change
}

// Absence says that a biometric is not there, and why: a finding about a person,
// kept as confidentially as a template.
type Absence struct {
	_        struct{} `cbor:",toarray"`
	Modality string   // at most 64 bytes
	Position uint8    // 0 for the whole modality
	Reason   string   // at most 64 bytes, of the caller's vocabulary
}

// IfKnown is the duplicate policy. A subject counts as known when anything of it came
// from another batch, so that an import may bring a subject's records one by one.
type IfKnown uint8

// The policies. None of them touches a record that is there already.
const (
	Add    IfKnown = iota // add what is new
	Keep                  // leave the subject as it is: [Kept]
	Refuse                // fail with [ErrKnown]
)

// maxHolder bounds Enrolment.Holder; a thumbprint has 43 bytes.
const maxHolder = 128

// maxName bounds the names that an Enrolment brings.
const maxName = 64

const redactedTemplate = "template(redacted)"

// String is a constant.
func (Template) String() string { return redactedTemplate }

// GoString is a constant.
func (Template) GoString() string { return redactedTemplate }

// LogValue is a constant.
func (Template) LogValue() slog.Value { return slog.StringValue(redactedTemplate) }

// Format prints a constant whatever the verb.
func (Enrolment) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "enrolment(redacted)") }

// Format prints a constant whatever the verb.
func (Absence) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "absence(redacted)") }

// LogValue is a constant.
func (Absence) LogValue() slog.Value { return slog.StringValue("absence(redacted)") }

// LogValue is a constant.
func (Enrolment) LogValue() slog.Value { return slog.StringValue("enrolment(redacted)") }

// subject is one subject with its keyring open.
type subject struct {
	p       pseudonym.Pseudonym
	stamp   stamp // of the keyring, zero for a new subject
	dek     envelope.DEK
	wrapped []byte
	list    recordList
}

// home is the pseudonym that the subject's records are sealed under and found by: the
// first one, so that a new pseudonym leaves them where they are.
func (s subject) home() pseudonym.Pseudonym {
	if len(s.list.Former) > 0 {
		return s.list.Former[0]
	}
	return s.p
}

// keyring is the stored entry of one subject: its key, wrapped, and under that
// key the list of its records. Its [stamp] is kept in an entry of its own and bound by
// the list's AAD. So an older keyring does not open, and Badger losing one of the two
// entries is damage, not an unknown subject.
type keyring struct {
	_      struct{} `cbor:",toarray"`
	DEK    []byte
	Sealed []byte
}

type recordList struct {
	_       struct{} `cbor:",toarray"`
	Holder  string
	Batch   string // that brought Holder
	Records []recordInfo
	Absent  []absentInfo

	// What the pseudonym is of, the generation of the key, and the pseudonyms that the
	// subject had before, the first one first.
	Element pseudonym.Element
	Naming  uint32
	Former  []pseudonym.Pseudonym
}

type recordInfo struct {
	_        struct{} `cbor:",toarray"`
	Slot     uint32
	Modality string
	Format   string
	Position uint8
	Digest   []byte // SHA-256 of the record: shows a repeated import, and that the record is the one at this slot
	KeyGen   uint32 // key generation that the record's AAD names
	Batch    string // that brought it, empty for none

	// Of a record that is stored protected: the generation, and what tells a repeated
	// import, as Digest does for the others.
	Generation uint32
	Source     []byte
}

type absentInfo struct {
	_     struct{} `cbor:",toarray"`
	What  Absence
	Batch string
}

const (
	recordVersion = 1
	listModality  = "record-list"
	listFormat    = "tamga-record-list-1"
	stampSize     = 8
)

// stamp is what is known of a subject without any key of its own: which commit wrote
// the keyring, and which one enrolled the subject, when nobody was enrolled under the
// pseudonym. The second tells what of an older line of the gallery is still to be
// erased, so that neither a record that is added nor a key that is wrapped anew may
// change it.
type stamp struct{ wrote, born uint32 }

func (s stamp) number() uint64 { return uint64(s.born)<<32 | uint64(s.wrote) }

func (s stamp) row() []byte { return binary.BigEndian.AppendUint64(nil, s.number()) }

// by is the stamp that the subject has once the numbered commit wrote it.
func (s stamp) by(commit uint32) stamp {
	if s.born == 0 {
		s.born = commit
	}
	s.wrote = commit
	return s
}

func keyringKey(p pseudonym.Pseudonym) []byte { return append([]byte("k"), p[:]...) }

func stampKey(p pseudonym.Pseudonym) []byte { return append([]byte("v"), p[:]...) }

// recordKey hides which subject a record belongs to from who has no root key.
func (g *Gallery) recordKey(p pseudonym.Pseudonym, slot uint32) []byte {
	mac := hmac.New(sha256.New, g.index[:])
	mac.Write([]byte("tamga/v1/gallery-record\x00"))
	mac.Write(p[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, slot))
	return mac.Sum([]byte("r"))
}

// recordAAD names, beside the format, the generation of the protection that the record
// is stored under.
func (g *Gallery) recordAAD(p pseudonym.Pseudonym, r recordInfo) envelope.AAD {
	format := r.Format
	if r.Generation != 0 {
		format += "/protected/" + strconv.FormatUint(uint64(r.Generation), 10)
	}
	return envelope.AAD{Node: g.node, Pseudonym: p[:], Modality: r.Modality, Format: format,
		Version: recordVersion, KeyGeneration: r.KeyGen}
}

// listAAD binds the record list to the generation its key is wrapped under now,
// and to its stamp.
func (g *Gallery) listAAD(p pseudonym.Pseudonym, dek envelope.DEK, s stamp) envelope.AAD {
	return envelope.AAD{Node: g.node, Pseudonym: p[:], Modality: listModality,
		Format:  listFormat + "/born/" + strconv.FormatUint(uint64(s.born), 10),
		Version: s.wrote, KeyGeneration: dek.Generation()}
}

func stampOf(value []byte) (stamp, error) {
	if len(value) != stampSize {
		return stamp{}, ErrDamaged
	}
	n := binary.BigEndian.Uint64(value)
	return stamp{wrote: uint32(n), born: uint32(n >> 32)}, nil
}

// findStamp finds the stamp of a subject, whatever became of its keyring:
// [ErrUnknownSubject] when there is neither.
func findStamp(txn store.Reader, p pseudonym.Pseudonym) (stamp, error) {
	v, err := txn.Get(stampKey(p))
	if err == nil {
		return stampOf(v)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return stamp{}, err
	}
	if _, err := txn.Get(keyringKey(p)); !errors.Is(err, store.ErrNotFound) {
		return stamp{}, errors.Join(ErrDamaged, err)
	}
	return stamp{}, ErrUnknownSubject
}

// lookUp finds the two entries of a subject: [ErrUnknownSubject] when there is
// neither.
func lookUp(txn store.Reader, p pseudonym.Pseudonym) (s stamp, k keyring, err error) {
	if err := txn.Fetch(stampKey(p), keyringKey(p)); err != nil {
		return stamp{}, keyring{}, err
	}
	v, vErr := txn.Get(stampKey(p))
	sealed, kErr := txn.Get(keyringKey(p))
	if errors.Is(vErr, store.ErrNotFound) && errors.Is(kErr, store.ErrNotFound) {
		return stamp{}, keyring{}, ErrUnknownSubject
	}
	if err := errors.Join(vErr, kErr); err != nil {
		return stamp{}, keyring{}, err
	}
	if s, err = stampOf(v); err != nil {
		return stamp{}, keyring{}, err
	}
	return s, k, cbor.Unmarshal(sealed, &k)
}

// load opens a subject's key and record list. [ErrUnknownSubject] when there is
// none; the caller wipes the key otherwise.
func (g *Gallery) load(txn store.Reader, p pseudonym.Pseudonym) (subject, error) {
	st, k, err := lookUp(txn, p)
	if errors.Is(err, ErrUnknownSubject) {
		return subject{}, err
	}
	if err != nil {
		return subject{}, damaged("reading keyring", err)
	}
	var dek envelope.DEK
	err = g.withRing(func(r *envelope.Ring) (err error) {
		dek, err = r.UnwrapDEK(p[:], k.DEK)
		return err
	})
	if errors.Is(err, envelope.ErrGeneration) {
		return subject{}, g.lacks(txn, binary.BigEndian.Uint32(k.DEK), err)
	}
	if err != nil {
		return subject{}, damaged("unwrapping subject key", err)
	}
	s := subject{p: p, stamp: st, dek: dek, wrapped: k.DEK}
	if err := g.openList(&s, k.Sealed); err != nil {
		dek.Wipe()
		return subject{}, damaged("opening record list", err)
	}
	return s, nil
}

func (g *Gallery) openList(s *subject, sealed []byte) error {
	plain, err := s.dek.Open(g.listAAD(s.p, s.dek, s.stamp), sealed)
	if err != nil {
		return err
	}
	defer clear(plain)
	if err := cbor.Unmarshal(plain, &s.list); err != nil {
		return err
	}
	if s.list.Element.Pseudonym() != s.p {
		return errors.New("it is of another pseudonym")
	}
	return nil
}

// sealKeyring is the entry of s with the stamp that it has from now on.
func (g *Gallery) sealKeyring(s subject, now stamp) ([]byte, error) {
	plain, err := cbor.Marshal(s.list)
	if err != nil {
		return nil, fmt.Errorf("encoding record list: %w", err)
	}
	defer clear(plain)
	sealed, err := s.dek.Seal(g.listAAD(s.p, s.dek, now), plain)
	if err != nil {
		return nil, fmt.Errorf("sealing record list: %w", err)
	}
	b, err := cbor.Marshal(keyring{DEK: s.wrapped, Sealed: sealed})
	if err != nil {
		return nil, fmt.Errorf("encoding keyring: %w", err)
	}
	return b, nil
}
