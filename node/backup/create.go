package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node/gallery"
)

// Source is the node that a backup is made of. Every field but Progress is required.
type Source struct {
	EntityID     string
	Jurisdiction string
	Gallery      Gallery
	Ledgers      []LedgerSource // the current one last
	// Files returns the files of the folder under the names they will have. It is
	// called before and after everything else is read.
	Files    func() ([]File, error)
	Key      jose.PrivateKey // the federation key
	Now      time.Time
	Progress func(part string, records uint64) // now and then; nil for none
}

// Gallery is what a backup needs of a gallery.
type Gallery interface {
	// Snapshot visits every row as of one moment, and says how many subjects they hold.
	Snapshot(ctx context.Context, visit func(gallery.Row) error) (subjects uint64, err error)
}

// Log is what a backup needs of a ledger.
type Log interface {
	// Checkpoint is the latest signed one; entries up to its size can be read.
	Checkpoint() []byte
	// Entries returns up to n leaves from start on.
	Entries(start uint64, n int) ([][]byte, error)
}

// LedgerSource is one ledger of the node.
type LedgerSource struct {
	Name     string
	Log      Log
	Verifier ledger.Verifier
}

// File is one small file.
type File struct {
	Name string
	Data []byte
}

// Create writes a backup to w and returns its manifest once all is written. With an
// error what was written is no backup. It does not close or sync w.
func Create(ctx context.Context, w io.Writer, to []age.Recipient, s Source) (Manifest, error) {
	m, err := create(ctx, w, to, s)
	if err != nil {
		return Manifest{}, fmt.Errorf("creating backup: %w", err)
	}
	return m, nil
}

func create(ctx context.Context, to io.Writer, recipients []age.Recipient, s Source) (Manifest, error) {
	if len(recipients) < minRecipients {
		return Manifest{}, ErrRecipients
	}
	sealed, err := age.Encrypt(to, recipients...)
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: %v", ErrRecipients, err)
	}
	w := &writer{out: bufio.NewWriterSize(sealed, 64<<10), progress: s.Progress}
	w.manifest = Manifest{EntityID: s.EntityID, Jurisdiction: s.Jurisdiction, Created: s.Now.UTC().Truncate(time.Second)}
	w.raw([]byte(magic))
	before, err := s.Files()
	if err != nil {
		return Manifest{}, err
	}
	if err := w.gallery(ctx, s.Gallery); err != nil {
		return Manifest{}, err
	}
	for _, l := range s.Ledgers {
		if err := w.ledger(ctx, l); err != nil {
			return Manifest{}, err
		}
	}
	after, err := s.Files()
	if err != nil {
		return Manifest{}, err
	}
	// A key that was made or destroyed meanwhile would leave rows that do not open.
	if !same(before, after) {
		return Manifest{}, ErrChanged
	}
	for _, f := range after {
		if !fileName.MatchString(f.Name) {
			return Manifest{}, fmt.Errorf("a file has a name that a backup does not take")
		}
		w.part(filePrefix + f.Name)
		w.record(f.Data)
	}
	return w.finish(sealed, s.Key)
}

func same(a, b []File) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !bytes.Equal(a[i].Data, b[i].Data) {
			return false
		}
	}
	return true
}

// writer frames records. Its first error stays.
type writer struct {
	out      *bufio.Writer
	err      error
	manifest Manifest
	now      *Part // being written
	sum      hash.Hash
	progress func(string, uint64)
}

const progressEvery = 4096

func (w *writer) raw(b []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(b)
	}
}

func (w *writer) frame(kind byte, b []byte) {
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(b)))
	w.raw(head[:])
	w.raw(b)
}

// end closes the part that is being written.
func (w *writer) end() {
	if w.now == nil {
		return
	}
	w.now.SHA256 = w.sum.Sum(nil)
	w.manifest.Parts = append(w.manifest.Parts, *w.now)
	w.now = nil
}

func (w *writer) part(name string) {
	w.end()
	w.now, w.sum = &Part{Name: name}, sha256.New()
	w.frame(kindPart, []byte(name))
}

func (w *writer) record(b []byte) error {
	if len(b) > maxRecord {
		w.err = errors.Join(w.err, fmt.Errorf("%s: a record is longer than %d bytes", w.now.Name, maxRecord))
	}
	w.frame(kindRecord, b)
	w.now.count(w.sum, b)
	if w.progress != nil && w.now.Records%progressEvery == 0 {
		w.progress(w.now.Name, w.now.Records)
	}
	return w.err
}

// count adds a record to what the manifest will say of the part.
func (p *Part) count(sum hash.Hash, b []byte) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(b)))
	sum.Write(length[:])
	sum.Write(b)
	p.Records++
	p.Bytes += uint64(len(b))
}

func (w *writer) gallery(ctx context.Context, g Gallery) (err error) {
	w.part(partGallery)
	var b []byte
	w.manifest.Subjects, err = g.Snapshot(ctx, func(r gallery.Row) error {
		b = binary.BigEndian.AppendUint16(b[:0], uint16(len(r.Key)))
		b = append(append(b, r.Key...), r.Value...)
		return w.record(b)
	})
	return err
}

func (w *writer) ledger(ctx context.Context, l LedgerSource) error {
	head := l.Log.Checkpoint()
	c, err := l.Verifier.Checkpoint(head)
	if err != nil {
		return err
	}
	w.part(l.Name + suffixHead)
	if err := w.record(head); err != nil {
		return err
	}
	w.part(l.Name)
	const step = 256
	for at := uint64(0); at < c.Size; {
		leaves, err := l.Log.Entries(at, int(min(step, c.Size-at)))
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		for _, leaf := range leaves {
			if err := w.record(leaf); err != nil {
				return err
			}
		}
		at += uint64(len(leaves))
	}
	w.manifest.Ledgers = append(w.manifest.Ledgers, Ledger{Name: l.Name, Origin: l.Verifier.Origin(), Size: c.Size, Root: c.Root[:]})
	return nil
}

func (w *writer) finish(sealed io.WriteCloser, key jose.PrivateKey) (Manifest, error) {
	w.end()
	payload, err := json.Marshal(w.manifest)
	if err != nil {
		return Manifest{}, err
	}
	token, err := jose.Sign(key, manifestType, payload)
	if err != nil {
		return Manifest{}, err
	}
	w.frame(kindManifest, []byte(token))
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err == nil {
		w.err = sealed.Close()
	}
	return w.manifest, w.err
}
