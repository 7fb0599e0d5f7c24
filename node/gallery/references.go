package gallery

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// References is what the gallery holds of one subject in one modality. Its
// records are opened one at a time by Each and wiped afterwards. Close it.
type References struct {
	Holder  string    // thumbprint of the subject's consent key, empty for none
	Class   string    // what the subject is in law, as it was last said; empty for nothing said
	Known   bool      // whether the subject is enrolled at all
	Absent  []Absence // what of this modality could not be captured
	g       *Gallery
	s       keyring.Subject
	records []sealedRecord
}

// sealedRecord is a record as it lay in the store when the subject was looked up:
// read together with the list that names it, since a renewal replaces both.
type sealedRecord struct {
	info   keyring.Record
	sealed []byte
}

// Len is how many records there are.
func (r References) Len() int { return len(r.records) }

// References looks a subject up. An identifier under which no one is enrolled
// gives References with Known false and no error. Errors: [ErrDamaged],
// [ErrClosed] and pseudonym.ErrIdentifier.
func (g *Gallery) References(id pseudonym.Identifier, modality string) (References, error) {
	var s keyring.Subject
	var records []sealedRecord
	err := g.set.ViewOf(id, func(txn store.Reader, who naming.Named) (err error) {
		if s, err = g.set.Find(txn, who); err != nil {
			return err
		}
		if records, err = g.sealedRecords(txn, s, modality); err != nil {
			s.Wipe()
		}
		return err
	})
	if errors.Is(err, ErrUnknownSubject) {
		return References{}, nil
	}
	if err != nil {
		return References{}, fmt.Errorf("looking up subject: %w", err)
	}
	r := References{Holder: s.List.Holder, Class: s.List.Class, Known: true, g: g, s: s, records: records}
	for _, a := range s.List.Absent {
		if a.What.Modality == modality {
			r.Absent = append(r.Absent, a.What)
		}
	}
	return r, nil
}

// recordRows is where a subject's records of a modality lie.
func (g *Gallery) recordRows(s keyring.Subject, modality string) (keys [][]byte) {
	for _, info := range s.List.Records {
		if info.Modality == modality {
			keys = append(keys, g.set.Vault.RecordRow(s.Home(), info.Slot))
		}
	}
	return keys
}

func (g *Gallery) sealedRecords(txn store.Reader, s keyring.Subject, modality string) (out []sealedRecord, err error) {
	if err := txn.Fetch(g.recordRows(s, modality)...); err != nil {
		return nil, store.Damaged("reading record", err)
	}
	for _, info := range s.List.Records {
		if info.Modality != modality {
			continue
		}
		sealed, err := txn.Get(g.set.Vault.RecordRow(s.Home(), info.Slot))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, store.Damaged("reading record", err)
		}
		out = append(out, sealedRecord{info, sealed}) // one that is missing does not open
	}
	return out, nil
}

// Each opens the records one by one and calls visit with each in clear; the bytes
// are wiped when visit returns and must not be kept. It stops at the first error.
func (r References) Each(visit func(Template) error) error {
	for _, record := range r.records {
		plain, err := r.g.set.Vault.OpenRecord(r.s, record.info, record.sealed)
		if err != nil {
			return fmt.Errorf("opening record: %w", err)
		}
		err = visit(Template{Modality: record.info.Modality, Format: record.info.Format, Position: record.info.Position, Data: plain})
		clear(plain)
		if err != nil {
			return err
		}
	}
	return nil
}

// Close forgets the subject's key. The zero value needs no Close.
func (r References) Close() { r.s.Wipe() }

// Format prints a constant whatever the verb.
func (References) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "references(redacted)") }

// LogValue is a constant.
func (References) LogValue() slog.Value { return slog.StringValue("references(redacted)") }
