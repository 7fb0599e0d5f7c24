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
	"slices"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/keys"
)

// Source is the node that a backup is made of. Every field but Progress is required.
type Source struct {
	EntityID     string
	Jurisdiction string
	Gallery      Gallery
	Ledgers      []LedgerSource // the current one last
	// Files returns the files of the folder, without keys, under the names they will
	// have. It is called before and after everything else is read.
	Files func() ([]File, error)
	// Templates returns the generations that stored templates may be protected by.
	Templates func() []uint32
	Key       jose.PrivateKey // the federation key
	Now       time.Time
	Progress  func(part string, records uint64) // now and then; nil for none
}

// Gallery is what a backup needs of a gallery.
type Gallery interface {
	// Snapshot visits every row as of one moment, and says what they hold and need.
	Snapshot(ctx context.Context, visit func(store.Row) error) (snapshot.Census, error)
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
	Verifier lognote.Verifier
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
	w, err := newWriter(to, recipients, KindBackup)
	if err != nil {
		return Manifest{}, err
	}
	w.progress = s.Progress
	w.manifest = Manifest{EntityID: s.EntityID, Jurisdiction: s.Jurisdiction, Created: s.Now.UTC().Truncate(time.Second)}
	before, err := s.Files()
	if err != nil {
		return Manifest{}, err
	}
	if err := w.gallery(ctx, s.Gallery, s.Templates); err != nil {
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
	return w.finish(s.Key)
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
	kind     Kind
	file     *measured
	sealed   io.WriteCloser
	out      *bufio.Writer
	err      error
	manifest Manifest
	now      *Part // being written
	sum      hash.Hash
	progress func(string, uint64)
}

const progressEvery = 4096

// newWriter begins a file of the kind.
func newWriter(to io.Writer, recipients []age.Recipient, kind Kind) (*writer, error) {
	if len(recipients) < minRecipients {
		return nil, ErrRecipients
	}
	w := &writer{kind: kind, file: newMeasured(to)}
	var err error
	if w.sealed, err = age.Encrypt(w.file, recipients...); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrRecipients, err)
	}
	w.out = bufio.NewWriterSize(w.sealed, 64<<10)
	w.raw([]byte(kind.magic()))
	return w, nil
}

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

func (w *writer) gallery(ctx context.Context, g Gallery, templates func() []uint32) error {
	w.part(partGallery)
	var b []byte
	protected := templates() // a generation may begin, or end, to be used around the moment
	census, err := g.Snapshot(ctx, func(r store.Row) error {
		b = binary.BigEndian.AppendUint16(b[:0], uint16(len(r.Key)))
		b = append(append(b, r.Key...), r.Value...)
		return w.record(b)
	})
	if err != nil {
		return err
	}
	protected = append(protected, templates()...)
	slices.Sort(protected)
	w.manifest.Subjects = census.Subjects
	w.manifest.Keys = Keys{keys.KEK: census.KEKs, keys.Pseudonym: census.Pseudonyms, keys.Template: slices.Compact(protected)}
	return nil
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

func (w *writer) finish(key jose.PrivateKey) (Manifest, error) {
	w.end()
	payload, err := json.Marshal(w.manifest)
	if err != nil {
		return Manifest{}, err
	}
	token, err := jose.Sign(key, w.kind.manifestType(), payload)
	if err != nil {
		return Manifest{}, err
	}
	w.frame(kindManifest, []byte(token))
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err == nil {
		w.err = w.sealed.Close()
	}
	if w.err == nil {
		m := w.manifest
		w.err = w.file.end(Label{Kind: w.kind, EntityID: m.EntityID, Created: m.Created, Keys: m.Keys}, key)
	}
	return w.manifest, w.err
}
