package gallery

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Place is where the gallery has a subject, for who found one without an identifier:
// [Gallery.WhoIs] takes it. It holds until the subject is erased, and not again if it is enrolled
// anew, or the pseudonym key is replaced: it is a pseudonym, so it prints as a constant, and the commit
// (4, big endian) that made the subject.
type Place [len(pseudonym.Pseudonym{}) + 4]byte

// placeOf is where a subject is.
func placeOf(s keyring.Subject) (at Place) {
	binary.BigEndian.PutUint32(at[copy(at[:], s.P[:]):], s.Stamp.Born)
	return at
}

// Format prints a constant whatever the verb.
func (Place) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "place(redacted)") }

// LogValue is a constant.
func (Place) LogValue() slog.Value { return slog.StringValue("place(redacted)") }

// Place is where the subject is; the zero Place of one who is unknown.
func (r References) Place() Place { return placeOf(r.s) }

// Bounds of one page of [Gallery.Everybody]: what is in memory of a gallery at a time, and brought by
// a database at once.
const (
	pageSubjects = 256
	pageRecords  = 256 // and those of one subject more
)

// Everybody hands visit all subjects who have something in a modality, page by page, each
// sealed as [Gallery.References] gives it. Their keys are wiped when visit returns, so that it
// must not keep them. The gallery is read in so many parts at once, 1 to 256; pages of one part come one after the
// other. It reports how many subjects it came across, whatever they have, and
// how many there were at least: with fewer seen, not everybody was. A subject enrolled or
// erased meanwhile may be missed. Errors: that of visit, of ctx, [ErrDamaged], [ErrClosed].
func (g *Gallery) Everybody(ctx context.Context, modality string, parts int, visit func(part int, page []References) error) (seen, least int64, err error) {
	if parts < 1 || parts > 256 {
		return 0, 0, errors.New("looking at everybody: in 1 to 256 parts")
	}
	least = g.Subjects()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	counts, errs := make([]int64, parts), make([]error, parts)
	var all sync.WaitGroup
	for i := range parts {
		all.Go(func() {
			of := span{i * 256 / parts, (i + 1) * 256 / parts}
			counts[i], errs[i] = g.visitPart(ctx, of, modality, func(page []References) error { return visit(i, page) })
			if errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	for i, e := range errs {
		seen += counts[i]
		if e != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = e // the first that is not for another's sake
		}
	}
	if err != nil {
		return seen, least, fmt.Errorf("looking at everybody: %w", err)
	}
	return seen, min(least, g.Subjects()), nil
}

// span is the subjects whose pseudonyms begin with a byte of from on and below to.
type span struct{ from, to int }

// before is the key after which they come, nil for the first.
func (s span) before() []byte {
	if s.from == 0 {
		return nil
	}
	last := pseudonym.Pseudonym(bytes.Repeat([]byte{0xff}, len(pseudonym.Pseudonym{})))
	last[0] = byte(s.from - 1)
	return keyring.Row(last)
}

func (g *Gallery) visitPart(ctx context.Context, of span, modality string, visit func([]References) error) (seen int64, err error) {
	for after := of.before(); ; {
		if err := ctx.Err(); err != nil {
			return seen, err
		}
		page, n, last, err := g.page(after, of.to, modality)
		if err == nil && len(page) > 0 {
			err = visit(page)
		}
		for _, r := range page {
			r.Close()
		}
		if err != nil {
			return seen, err
		}
		seen += n
		if last == nil {
			return seen, nil
		}
		after = last
	}
}

// page is the subjects after a key and before a first byte, how many were looked at, and the key to go on after,
// nil at the end. It is read again when a KEK was destroyed under it.
func (g *Gallery) page(after []byte, to int, modality string) (page []References, n int64, last []byte, err error) {
	for {
		ring := g.set.Vault.Ring()
		err = g.set.Line.View(func(txn store.Reader) (err error) {
			page, n, last, err = g.readPage(txn, after, to, modality)
			return err
		})
		if err == nil {
			return page, n, last, nil
		}
		if !errors.Is(err, envelope.ErrGeneration) || g.set.Vault.Ring() == ring {
			return nil, 0, nil, err
		}
	}
}

func (g *Gallery) readPage(txn store.Reader, after []byte, to int, modality string) (page []References, n int64, last []byte, err error) {
	who, last, err := pageOf(txn, after, to)
	if err != nil {
		return nil, 0, nil, err
	}
	var rows [][]byte
	for _, p := range who {
		rows = append(rows, keyring.StampRow(p), keyring.Row(p))
	}
	if err := txn.Fetch(rows...); err != nil {
		return nil, 0, nil, store.Damaged("reading keyrings", err)
	}
	wanted, records := make([][][]byte, len(who)), 0
	defer func() {
		if err != nil {
			for _, r := range page {
				r.Close()
			}
			page = nil
		}
	}()
	for i, p := range who {
		s, err := g.set.Load(txn, p)
		if err != nil {
			return page, 0, nil, err
		}
		page = append(page, References{Holder: s.List.Holder, Class: s.List.Class, Known: true, g: g, s: s})
		wanted[i] = g.recordRows(s, modality)
		if records += len(wanted[i]); records >= pageRecords && i+1 < len(who) {
			last = keyring.Row(p)
			break
		}
	}
	n = int64(len(page))
	if err := txn.Fetch(slices.Concat(wanted...)...); err != nil {
		return page, 0, nil, store.Damaged("reading records", err)
	}
	some := page[:0]
	for i, r := range page {
		if len(wanted[i]) == 0 {
			r.Close()
			continue
		}
		if r.records, err = g.sealedRecords(txn, r.s, modality); err != nil {
			page = append(some, page[i:]...)
			return page, 0, nil, err
		}
		some = append(some, r)
	}
	return some, n, last, nil
}

// referencesAt is what the subject under a pseudonym has in a modality.
func (g *Gallery) referencesAt(txn store.Reader, p pseudonym.Pseudonym, modality string) (References, error) {
	s, err := g.set.Load(txn, p)
	if err != nil {
		return References{}, err
	}
	records, err := g.sealedRecords(txn, s, modality)
	if err != nil {
		s.Wipe()
		return References{}, err
	}
	return References{Holder: s.List.Holder, Class: s.List.Class, Known: true, g: g, s: s, records: records}, nil
}

// pageOf is who the next subjects are, and the key to go on after, nil at the end.
func pageOf(txn store.Reader, after []byte, to int) (who []pseudonym.Pseudonym, last []byte, err error) {
	for row, err := range txn.Scan([]byte("k"), after) {
		if err != nil {
			return nil, nil, err
		}
		if len(who) == pageSubjects {
			return who, last, nil
		}
		if len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
			return nil, nil, fmt.Errorf("reading keyring: %w: key of the wrong length", ErrDamaged)
		}
		if int(row.Key[1]) >= to {
			break
		}
		last = bytes.Clone(row.Key)
		who = append(who, pseudonym.Pseudonym(row.Key[1:]))
	}
	return who, nil, nil
}

// What an identifier that is kept lies under in the subject's list: a record like a
// template, sealed under the subject's key, in backups as that and gone with it.
const (
	identifierModality = "identifier"
	identifierFormat   = "tamga-identifier-1"
	identifierSize     = 64 // always, so that its length tells nothing
)

// identifierOf is the record with a subject's identifier: jurisdiction, type and value with
// a zero byte behind each, and zeros.
func identifierOf(id pseudonym.Identifier) (protected, error) {
	id, err := id.Normalize()
	if err != nil {
		return protected{}, err
	}
	data := make([]byte, identifierSize)
	if copy(data, id.Jurisdiction+"\x00"+id.Type+"\x00"+id.Value+"\x00") == identifierSize {
		return protected{}, ErrTooMuch
	}
	return protected{Template: Template{Modality: identifierModality, Format: identifierFormat, Data: data}}, nil
}

func parseIdentifier(data []byte) (pseudonym.Identifier, error) {
	parts := bytes.Split(data, []byte{0})
	if len(data) != identifierSize || len(parts) < 4 {
		return pseudonym.Identifier{}, fmt.Errorf("reading identifier: %w", ErrDamaged)
	}
	given := pseudonym.Identifier{Jurisdiction: string(parts[0]), Type: string(parts[1]), Value: string(parts[2])}
	id, err := given.Normalize()
	if err != nil || id != given {
		return pseudonym.Identifier{}, fmt.Errorf("reading identifier: %w", ErrDamaged)
	}
	return id, nil
}

// Who is what the gallery has of the subject at a place beside samples. It prints as a constant.
type Who struct {
	Subject pseudonym.Identifier // zero when it keeps none, see [Config].Identifiers
	Class   string               // as References have it
}

// Named reports whether there is an identifier.
func (w Who) Named() bool { return w.Subject != (pseudonym.Identifier{}) }

// Format prints a constant whatever the verb.
func (Who) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "who(redacted)") }

// LogValue is a constant.
func (Who) LogValue() slog.Value { return slog.StringValue("who(redacted)") }

// WhoIs is who the subject at a place is. [ErrUnknownSubject] when nobody is there any more, and
// otherwise the errors of [Gallery.References].
func (g *Gallery) WhoIs(at Place) (who Who, err error) {
	var r References
	for {
		ring := g.set.Vault.Ring()
		err = g.set.Line.View(func(txn store.Reader) (err error) {
			r, err = g.referencesAt(txn, pseudonym.Pseudonym(at[:len(pseudonym.Pseudonym{})]), identifierModality)
			return err
		})
		if !errors.Is(err, envelope.ErrGeneration) || g.set.Vault.Ring() == ring {
			break
		}
	}
	if err == nil {
		defer r.Close()
		if r.Place() != at {
			return Who{}, fmt.Errorf("looking up candidate: %w", ErrUnknownSubject)
		}
		who.Class = r.Class
		err = r.Each(func(t Template) (err error) {
			who.Subject, err = parseIdentifier(t.Data)
			return err
		})
	}
	if err != nil {
		return Who{}, fmt.Errorf("looking up candidate: %w", err)
	}
	return who, nil
}
