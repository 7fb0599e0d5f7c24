package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"strings"

	"filippo.io/age"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// EntityConfiguration is the file in which a node publishes its keys, with which the
// manifest and the checkpoints are verified.
const EntityConfiguration = "entity-configuration.jwt"

// reader pulls records out of a file.
type reader struct {
	of       Kind
	in       *bufio.Reader
	at       string // where it is, for errors
	now      *Part
	sum      hash.Hash
	parts    []Part
	token    []byte // the manifest, once it is reached
	peeked   bool   // the header of the next frame was read:
	kind     byte
	length   uint32
	progress func(string, uint64)
}

func newReader(f io.Reader, identities []age.Identity, kind Kind) (*reader, error) {
	plain, err := age.Decrypt(bufio.NewReaderSize(f, 64<<10), identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, ErrIdentity
	}
	if err != nil {
		return nil, damaged("header", "%v", err)
	}
	return readPlain(plain, kind)
}

// readPlain reads what is inside the age file.
func readPlain(plain io.Reader, kind Kind) (*reader, error) {
	r := &reader{of: kind, in: bufio.NewReaderSize(plain, 64<<10), at: "header"}
	b := make([]byte, len(kind.magic()))
	if err := r.fill(b); err != nil {
		return nil, err
	}
	if string(b) != kind.magic() {
		return nil, damaged("header", "not a %s of a tamga node, or of another version", kind)
	}
	return r, nil
}

func (r *reader) fill(b []byte) error {
	_, err := io.ReadFull(r.in, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(r.at, "the file ends here")
	}
	if err != nil {
		// age authenticates its stream in pieces of 64 KiB.
		return damaged(r.at, "altered here or up to 64 KiB further on")
	}
	return nil
}

// peek reads the header of the next frame.
func (r *reader) peek() error {
	if r.peeked {
		return nil
	}
	var head [5]byte
	if err := r.fill(head[:]); err != nil {
		return err
	}
	r.kind, r.length, r.peeked = head[0], binary.BigEndian.Uint32(head[1:]), true
	if r.length > maxRecord {
		return damaged(r.at, "a record of %d bytes", r.length)
	}
	return nil
}

func (r *reader) body(into []byte) ([]byte, error) {
	r.peeked = false
	if cap(into) < int(r.length) {
		into = make([]byte, r.length)
	}
	into = into[:r.length]
	return into, r.fill(into)
}

// part goes on to the next part and returns its name, "" when the manifest was
// reached, which ends the file.
func (r *reader) part() (string, error) {
	if err := r.peek(); err != nil {
		return "", err
	}
	switch {
	case r.kind == kindPart && r.length < 128 && len(r.parts) < maxParts:
		b, err := r.body(nil)
		if err != nil {
			return "", err
		}
		r.at = string(b)
		if !r.of.validPart(r.at) {
			return "", damaged("header", "a part has an unknown name")
		}
		r.now, r.sum = &Part{Name: r.at}, sha256.New()
		return r.at, nil
	case r.kind == kindManifest:
		r.at = "manifest"
		b, err := r.body(nil)
		if err != nil {
			return "", err
		}
		r.token = b
		if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
			return "", damaged("manifest", "it is not the end of the file")
		}
		return "", nil
	}
	return "", damaged(r.at, "not followed by a part or the manifest")
}

func (k Kind) validPart(name string) bool {
	file, isFile := strings.CutPrefix(name, filePrefix)
	if k == KindEscrow {
		return isFile && fileName.MatchString(file)
	}
	return name == partGallery || isFile && fileName.MatchString(file) || ledgerName.MatchString(strings.TrimSuffix(name, suffixHead))
}

// records yields the records of the part, each valid until the next one.
func (r *reader) records() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var b []byte
		for {
			err := r.peek()
			if err == nil && r.kind != kindRecord {
				r.now.SHA256 = r.sum.Sum(nil)
				r.parts = append(r.parts, *r.now)
				return
			}
			if err == nil {
				b, err = r.body(b)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			r.now.count(r.sum, b)
			if r.progress != nil && r.now.Records%progressEvery == 0 {
				r.progress(r.at, r.now.Records)
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// one returns the only record of the part.
func (r *reader) one() (out []byte, err error) {
	n := 0
	for b, err := range r.records() {
		if err != nil {
			return nil, err
		}
		out = bytes.Clone(b)
		n++
	}
	if n != 1 {
		return nil, damaged(r.at, "%d records, want one", n)
	}
	return out, nil
}

// Checked is a backup that was read whole and is what its manifest says.
type Checked struct {
	Manifest  Manifest
	file      string
	ids       []age.Identity
	verifiers map[string]lognote.Verifier // by the ledger's name
	heads     map[string][]byte
}

// Check reads the file once and writes nothing. configuration is the node's Entity
// Configuration from an independent source; when it is empty, the one in the backup
// is taken, which says only that the backup is in one piece, not whose it is. Errors:
// [ErrDamaged], [ErrIdentity], [ErrSignature].
func Check(ctx context.Context, file string, ids []age.Identity, by Signer, progress func(string, uint64)) (*Checked, error) {
	c := &Checked{file: file, ids: ids, heads: make(map[string][]byte), verifiers: make(map[string]lognote.Verifier)}
	if err := c.check(ctx, by, progress); err != nil {
		return nil, fmt.Errorf("checking backup: %w", err)
	}
	return c, nil
}

func (c *Checked) check(ctx context.Context, by Signer, progress func(string, uint64)) error {
	f, err := os.Open(c.file)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := openSealed(f, KindBackup)
	if err != nil {
		return err
	}
	var inside string
	r, err := s.walk(ctx, c.ids, progress, func(name string, r *reader) error {
		switch {
		case name == filePrefix+EntityConfiguration:
			b, err := r.one()
			inside = strings.TrimSpace(string(b))
			return err
		case strings.HasSuffix(name, suffixHead):
			b, err := r.one()
			c.heads[strings.TrimSuffix(name, suffixHead)] = b
			return err
		}
		for _, err := range r.records() {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var keys []string
	if c.Manifest, keys, err = s.authenticate(r, inside, by); err != nil {
		return err
	}
	return c.checkLedgers(keys)
}

// compare says which part is not what the manifest says.
func compare(want, got []Part) error {
	for i := range want {
		if i >= len(got) || got[i].Name != want[i].Name {
			return damaged(want[i].Name, "the manifest lists it, and it is not in its place")
		}
		if got[i].Records != want[i].Records || got[i].Bytes != want[i].Bytes || !bytes.Equal(got[i].SHA256, want[i].SHA256) {
			return damaged(want[i].Name, "not what the manifest says")
		}
	}
	if len(got) > len(want) {
		return damaged(got[len(want)].Name, "the manifest does not list it")
	}
	return nil
}

// checkLedgers compares what the manifest says of the ledgers with their checkpoints.
func (c *Checked) checkLedgers(keys []string) error {
	if len(c.Manifest.Ledgers) == 0 || len(c.heads) != len(c.Manifest.Ledgers) {
		return damaged("manifest", "it does not list the ledgers that are there")
	}
	for _, l := range c.Manifest.Ledgers {
		named, err := lognote.Rename(l.Origin, keys)
		if err != nil {
			return damaged("manifest", "ledger %s: %v", l.Name, err)
		}
		v, err := lognote.NewVerifier(l.Origin, named)
		if err != nil {
			return damaged("manifest", "ledger %s: %v", l.Name, err)
		}
		head, err := v.Checkpoint(c.heads[l.Name])
		if err != nil {
			return damaged(l.Name+suffixHead, "%v", err)
		}
		if head.Size != l.Size || !bytes.Equal(head.Root[:], l.Root) {
			return damaged(l.Name+suffixHead, "not the one that the manifest names")
		}
		c.verifiers[l.Name] = v
	}
	return nil
}
