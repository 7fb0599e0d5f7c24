package gallery

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/dgraph-io/badger/v4"
	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Template is one biometric reference as it was imported: a validated record of
// the format it names.
type Template struct {
	Modality string
	Format   string
	Position uint8
	Data     []byte
}

// Enrolment is what is known of one subject. Holder is the RFC 7638 thumbprint of
// the person's consent key, empty when the person has none.
type Enrolment struct {
	Subject   pseudonym.Identifier
	Holder    string
	Templates []Template
}

// Format prints a constant whatever the verb.
func (Enrolment) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "enrolment(redacted)") }

// LogValue is a constant.
func (Enrolment) LogValue() slog.Value { return slog.StringValue("enrolment(redacted)") }

// keyring is the stored entry of one subject: its key, wrapped, and under that
// key the list of its records.
type keyring struct {
	_      struct{} `cbor:",toarray"`
	DEK    []byte
	Sealed []byte
}

type manifest struct {
	_       struct{} `cbor:",toarray"`
	Holder  string
	Records []recordInfo
}

type recordInfo struct {
	_        struct{} `cbor:",toarray"`
	Slot     uint32
	Modality string
	Format   string
	Position uint8
	Digest   []byte // SHA-256 of the record: an import that repeats it changes nothing
	KeyGen   uint32 // key generation that the record's AAD names
}

const (
	recordVersion    = 1
	manifestModality = "record-list"
	manifestFormat   = "tamga-record-list-1"
)

func (g *Gallery) aad(p pseudonym.Pseudonym, modality, format string, generation uint32) envelope.AAD {
	return envelope.AAD{Node: g.node, Pseudonym: p[:], Modality: modality, Format: format,
		Version: recordVersion, KeyGeneration: generation}
}

// manifestAAD binds the record list to the generation its key is wrapped under now.
func (g *Gallery) manifestAAD(p pseudonym.Pseudonym, dek envelope.DEK) envelope.AAD {
	return g.aad(p, manifestModality, manifestFormat, dek.Generation())
}

// load opens a subject's key and record list. ErrUnknownSubject when there is none.
func (g *Gallery) load(txn *badger.Txn, p pseudonym.Pseudonym) (envelope.DEK, manifest, error) {
	var none envelope.DEK
	item, err := txn.Get(keyringKey(p))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return none, manifest{}, ErrUnknownSubject
	}
	if err != nil {
		return none, manifest{}, fmt.Errorf("reading keyring: %w: %v", ErrDamaged, err)
	}
	var k keyring
	if err := item.Value(func(v []byte) error { return cbor.Unmarshal(v, &k) }); err != nil {
		return none, manifest{}, fmt.Errorf("reading keyring: %w", ErrDamaged)
	}
	dek, err := g.ring.UnwrapDEK(p[:], k.DEK)
	if err != nil {
		return none, manifest{}, fmt.Errorf("unwrapping subject key: %w: %v", ErrDamaged, err)
	}
	plain, err := dek.Open(g.manifestAAD(p, dek), k.Sealed)
	if err != nil {
		return none, manifest{}, fmt.Errorf("opening record list: %w: %v", ErrDamaged, err)
	}
	defer clear(plain)
	var m manifest
	if err := cbor.Unmarshal(plain, &m); err != nil {
		return none, manifest{}, fmt.Errorf("opening record list: %w", ErrDamaged)
	}
	return dek, m, nil
}

// References is what the gallery holds of one subject in one modality. Its
// records are opened one at a time by Each and wiped afterwards.
type References struct {
	Holder   string
	Known    bool // whether the subject is enrolled at all
	g        *Gallery
	p        pseudonym.Pseudonym
	modality string
	dek      envelope.DEK
	records  []recordInfo
}

// Len is how many records there are.
func (r References) Len() int { return len(r.records) }

// References looks a subject up. An identifier under which no one is enrolled
// gives References with Known false and no error.
func (g *Gallery) References(id pseudonym.Identifier, modality string) (References, error) {
	p, err := g.pseudonyms.Pseudonym(id)
	if err != nil {
		return References{}, fmt.Errorf("looking up subject: %w", err)
	}
	r := References{g: g, p: p, modality: modality}
	err = g.db.View(func(txn *badger.Txn) error {
		dek, m, err := g.load(txn, p)
		if err != nil {
			return err
		}
		r.Known, r.Holder, r.dek = true, m.Holder, dek
		for _, info := range m.Records {
			if info.Modality == modality {
				r.records = append(r.records, info)
			}
		}
		return nil
	})
	if errors.Is(err, ErrUnknownSubject) {
		return r, nil
	}
	if err != nil {
		return References{}, fmt.Errorf("looking up subject: %w", err)
	}
	return r, nil
}

// Each opens the records one by one and calls visit with each in clear; the bytes
// are wiped when visit returns and must not be kept. It stops at the first error.
func (r References) Each(visit func(Template) error) error {
	if !r.Known {
		return nil
	}
	return r.g.db.View(func(txn *badger.Txn) error {
		for _, info := range r.records {
			item, err := txn.Get(r.g.recordKey(r.p, info.Slot))
			if err != nil {
				return fmt.Errorf("reading record: %w: %v", ErrDamaged, err)
			}
			var plain []byte
			err = item.Value(func(v []byte) error {
				plain, err = r.dek.Open(r.g.aad(r.p, info.Modality, info.Format, info.KeyGen), v)
				return err
			})
			if err != nil {
				return fmt.Errorf("opening record: %w: %v", ErrDamaged, err)
			}
			err = visit(Template{Modality: info.Modality, Format: info.Format, Position: info.Position, Data: plain})
			clear(plain)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Close forgets the subject's key.
func (r References) Close() {
	if r.Known {
		r.dek.Wipe()
	}
}
