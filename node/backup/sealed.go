package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

// sealed is a file whose label was read.
type sealed struct {
	kind  Kind
	at    io.ReaderAt
	label UnverifiedLabel
	sum   hash.Hash
}

func newSealed(at io.ReaderAt, size int64, kind Kind) (*sealed, error) {
	u, err := ReadLabel(at, size)
	if err == nil && u.Kind() != kind {
		err = fmt.Errorf("%w: not a %s", ErrKind, kind)
	}
	if err != nil {
		return nil, err
	}
	return &sealed{kind, at, u, sha256.New()}, nil
}

func openSealed(f *os.File, kind Kind) (*sealed, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return newSealed(f, info.Size(), kind)
}

// walk goes through the parts of the file; visit must read the part's records to
// their end.
func (s *sealed) walk(ctx context.Context, ids []age.Identity, progress func(string, uint64), visit func(string, *reader) error) (*reader, error) {
	in := io.TeeReader(io.NewSectionReader(s.at, 0, s.label.at), s.sum)
	r, err := newReader(in, ids, s.kind)
	if err != nil {
		return nil, err
	}
	r.progress = progress
	for {
		name, err := r.part()
		if err == nil && name == "" {
			_, err = io.Copy(io.Discard, in)
			return r, err
		}
		if err == nil {
			err = visit(name, r)
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
}

// authenticate verifies the manifest, that it is of what r has read to its end, and the
// label, and returns the manifest with the ledger's public keys, of the Entity Configuration
// inside, which the manifest vouches for: the node may have others by now.
func (s *sealed) authenticate(r *reader, inside string, of Signer) (m Manifest, keys []string, err error) {
	if of.Configuration == "" {
		of.Configuration = inside
	}
	by, former, err := of.parse()
	if err != nil {
		return Manifest{}, nil, err
	}
	read := func(by signer) (time.Time, error) {
		m = Manifest{}
		err := by.claims("manifest", strings.TrimSpace(string(r.token)), s.kind.manifestType(), &m)
		return m.Created, err
	}
	if _, err = read(by); errors.Is(err, ErrSignature) {
		by, _, err = by.former(former, read)
	}
	if err != nil {
		return Manifest{}, nil, err
	}
	if m.EntityID != by.entity {
		return Manifest{}, nil, fmt.Errorf("%w: it names another entity", ErrSignature)
	}
	if err := compare(m.Parts, r.parts); err != nil {
		return Manifest{}, nil, err
	}
	label, err := s.label.verify(by)
	if err == nil {
		err = label.compare(s.sum)
	}
	if err == nil && (!label.Keys.equal(m.Keys) || !label.Created.Equal(m.Created)) {
		err = damaged("label", "not what the manifest says")
	}
	if err != nil {
		return Manifest{}, nil, err
	}
	then, err := parseSigner(inside)
	if err == nil && then.entity != m.EntityID {
		err = damaged(filePrefix+EntityConfiguration, "of another entity")
	}
	return m, then.ledger, err
}

// signer is the node of an Entity Configuration.
type signer struct {
	entity string
	keys   jose.KeySet
	ledger []string // public keys
}

func parseSigner(configuration string) (signer, error) {
	s, err := trust.ParseStatement(configuration)
	if err == nil {
		_, err = jose.Verify(configuration, "entity-statement+jwt", s.Keys())
	}
	if err != nil {
		return signer{}, damaged(filePrefix+EntityConfiguration, "%v", err)
	}
	meta, err := s.Metadata()
	if err != nil || meta.TamgaNode == nil || meta.TamgaNode.Ledger == nil {
		return signer{}, damaged(filePrefix+EntityConfiguration, "it names no ledger")
	}
	return signer{string(s.Subject()), s.Keys(), meta.TamgaNode.Ledger.Keys}, nil
}

// claims verifies the token that is in this part and decodes what it says.
func (s signer) claims(part, token, typ string, v any) error {
	payload, err := jose.Verify(token, typ, s.keys)
	if errors.Is(err, jose.ErrKey) || errors.Is(err, jose.ErrSignature) {
		return ErrSignature
	}
	if err == nil {
		err = jose.DecodeClaims(payload, v)
	}
	if err != nil {
		return damaged(part, "%v", err)
	}
	return nil
}
