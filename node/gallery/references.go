package gallery

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// References is what the gallery holds of one subject in one modality. Its
// records are opened one at a time by Each and wiped afterwards. Close it.
type References struct {
	Holder  string    // thumbprint of the subject's consent key, empty for none
	Known   bool      // whether the subject is enrolled at all
	Absent  []Absence // what of this modality could not be captured
	g       *Gallery
	p       pseudonym.Pseudonym
	dek     envelope.DEK
	records []recordInfo
}

// Len is how many records there are.
func (r References) Len() int { return len(r.records) }

// References looks a subject up. An identifier under which no one is enrolled
// gives References with Known false and no error. Errors: [ErrDamaged],
// [ErrClosed] and pseudonym.ErrIdentifier.
func (g *Gallery) References(id pseudonym.Identifier, modality string) (References, error) {
	p, err := g.pseudonyms.Pseudonym(id)
	if err != nil {
		return References{}, fmt.Errorf("looking up subject: %w", err)
	}
	var s subject
	err = g.view(func(txn store.Reader) (err error) {
		if err := g.notBehind(txn, p); err != nil {
			return err
		}
		s, err = g.load(txn, p)
		return err
	})
	if errors.Is(err, ErrUnknownSubject) {
		return References{}, nil
	}
	if err != nil {
		return References{}, fmt.Errorf("looking up subject: %w", err)
	}
	r := References{Holder: s.list.Holder, Known: true, g: g, p: p, dek: s.dek}
	for _, info := range s.list.Records {
		if info.Modality == modality {
			r.records = append(r.records, info)
		}
	}
	for _, a := range s.list.Absent {
		if a.What.Modality == modality {
			r.Absent = append(r.Absent, a.What)
		}
	}
	return r, nil
}

// Each opens the records one by one and calls visit with each in clear; the bytes
// are wiped when visit returns and must not be kept. It stops at the first error.
func (r References) Each(visit func(Template) error) error {
	for _, info := range r.records {
		plain, err := r.open(info)
		if err != nil {
			return fmt.Errorf("opening record: %w", err)
		}
		err = visit(Template{Modality: info.Modality, Format: info.Format, Position: info.Position, Data: plain})
		clear(plain)
		if err != nil {
			return err
		}
	}
	return nil
}

// open reads one record. Two records of one modality and format open under the same
// AAD, so the digest says whether this one is in its place.
func (r References) open(info recordInfo) ([]byte, error) {
	var sealed []byte
	err := r.g.view(func(txn store.Reader) (err error) {
		sealed, err = txn.Get(r.g.recordKey(r.p, info.Slot))
		return err
	})
	if err != nil {
		return nil, damaged("reading it", err)
	}
	plain, err := r.dek.Open(r.g.recordAAD(r.p, info), sealed)
	if errors.Is(err, envelope.ErrNoKey) {
		return nil, err
	}
	if err != nil {
		return nil, damaged("decrypting it", err)
	}
	if digest := sha256.Sum256(plain); !bytes.Equal(digest[:], info.Digest) {
		clear(plain)
		return nil, fmt.Errorf("%w: it stands in the place of another", ErrDamaged)
	}
	return plain, nil
}

// Close forgets the subject's key. The zero value needs no Close.
func (r References) Close() { r.dek.Wipe() }

// Format prints a constant whatever the verb.
func (References) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "references(redacted)") }

// LogValue is a constant.
func (References) LogValue() slog.Value { return slog.StringValue("references(redacted)") }
