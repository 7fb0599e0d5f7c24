package node

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/holding"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/stores"
)

// EnrolTokenFile holds the token of the operator, who may enrol; an officer's system
// has TokenFile, and may only ask.
const EnrolTokenFile = "enrol-token"

// Enrol stores subjects durably, after saying so in the ledger: how many and when,
// no more. Adding a face to somebody's record
// is how an insider would make an impostor match, so it leaves a trace.
func (n *Node) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return n.grounds.Enrol(batch, func(good []gallery.Enrolment) ([]gallery.Result, error) {
		return enrolWitnessed(ctx, n.gallery, n.ledger, n.cfg.EntityID, n.now, n.log, good)
	})
}

// Plan says what Enrol would do, and changes nothing.
func (n *Node) Plan(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return n.grounds.Enrol(batch, func(good []gallery.Enrolment) ([]gallery.Result, error) { return n.gallery.Plan(ctx, good) })
}

// Undo takes a batch back, after saying so in the ledger.
func (n *Node) Undo(ctx context.Context, batch string) (gallery.Undone, error) {
	return undoWitnessed(ctx, n.gallery, n.ledger, n.cfg.EntityID, n.now, batch)
}

// Erase destroys all that is held of a subject, after saying in the ledger that somebody
// is erased.
func (n *Node) Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error) {
	return eraseWitnessed(ctx, n.gallery, n.ledger, n.cfg.EntityID, n.now, id)
}

// CopyGallery makes another store hold what the gallery does, after saying so in the
// ledger. See [gallery.Gallery.CopyTo].
func (n *Node) CopyGallery(ctx context.Context, to config.Store, progress func(rows uint64)) (gallery.Copied, error) {
	if err := n.reading.enter(ctx); err != nil {
		return gallery.Copied{}, fmt.Errorf("copying gallery: %w", err)
	}
	defer n.reading.leave()
	return copyWitnessed(ctx, n.gallery, n.ledger, n.cfg, n.now, to, progress)
}

// Registrar enrols into the gallery of a node that is not running.
type Registrar struct {
	cfg     config.Config
	dir     string
	keys    keystore.Set
	gallery *gallery.Gallery
	ledger  *ledger.Log
	grounds *holding.Grounds
	entity  string
	now     func() time.Time
}

// OpenRegistrar opens gallery and ledger of the node that configFile describes.
func OpenRegistrar(ctx context.Context, configFile string, passphrase []byte) (*Registrar, error) {
	root, err := keystore.OpenRoot(filepath.Dir(configFile), passphrase, time.Now())
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return OpenRegistrarUnsealed(ctx, configFile, keystore.Roots{Node: root})
}

// OpenRegistrarUnsealed does what OpenRegistrar does with root keys that are open
// already. The caller may wipe them afterwards.
func OpenRegistrarUnsealed(ctx context.Context, configFile string, roots keystore.Roots) (*Registrar, error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, err
	}
	if err := gap.Refuse(cfg); err != nil {
		return nil, err
	}
	r := &Registrar{cfg: cfg, dir: filepath.Dir(configFile), entity: cfg.EntityID, now: time.Now}
	if r.keys, err = keystore.Open(r.dir, roots, cfg.EntityID, ledgers.Number(cfg)); err != nil {
		return nil, err
	}
	if r.gallery, r.ledger, err = stores.Open(ctx, cfg, r.keys, r.now); err != nil {
		r.keys.Wipe()
		return nil, err
	}
	if r.grounds, err = openGrounds(r.cfg, r.keys, r.gallery, r.now); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Enrol does what Node.Enrol does.
func (r *Registrar) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return r.grounds.Enrol(batch, func(good []gallery.Enrolment) ([]gallery.Result, error) {
		return enrolWitnessed(ctx, r.gallery, r.ledger, r.entity, r.now, slog.New(slog.DiscardHandler), good)
	})
}

// Plan does what Node.Plan does.
func (r *Registrar) Plan(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return r.grounds.Enrol(batch, func(good []gallery.Enrolment) ([]gallery.Result, error) { return r.gallery.Plan(ctx, good) })
}

// Undo does what Node.Undo does.
func (r *Registrar) Undo(ctx context.Context, batch string) (gallery.Undone, error) {
	return undoWitnessed(ctx, r.gallery, r.ledger, r.entity, r.now, batch)
}

// Erase does what Node.Erase does.
func (r *Registrar) Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error) {
	return eraseWitnessed(ctx, r.gallery, r.ledger, r.entity, r.now, id)
}

// CopyGallery does what Node.CopyGallery does.
func (r *Registrar) CopyGallery(ctx context.Context, to config.Store, progress func(rows uint64)) (gallery.Copied, error) {
	return copyWitnessed(ctx, r.gallery, r.ledger, r.cfg, r.now, to, progress)
}

// EraseDamaged erases a subject that a check of the gallery lists as damaged under this
// handle, after saying so in the ledger.
func (r *Registrar) EraseDamaged(ctx context.Context, handle string) error {
	if err := witnessErasure(ctx, r.gallery, r.ledger, r.entity, r.now); err != nil {
		return err
	}
	return r.gallery.EraseDamaged(ctx, handle)
}

// Close releases both and wipes the keys that can be.
func (r *Registrar) Close() error {
	defer r.keys.Wipe()
	return stores.Close(r.gallery, r.ledger)
}

func enrolWitnessed(ctx context.Context, g *gallery.Gallery, l *ledger.Log, entity string, now func() time.Time, log *slog.Logger, batch []gallery.Enrolment) ([]gallery.Result, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	// An entry about what cannot happen would only be noise.
	if err := g.Ready(); err != nil {
		return nil, err
	}
	// The intent comes first: an enrolment without an entry must be impossible.
	leaf, err := enrolmentLeaf(entity, batch, now())
	if err != nil {
		return nil, err
	}
	receipt, err := l.Append(ctx, leaf)
	if err != nil {
		return nil, unwitnessed(err)
	}
	results, err := g.Enrol(ctx, batch)
	log.InfoContext(ctx, "enrolment", slog.Int("subjects", len(batch)), slog.Uint64("entry", receipt.Index), slog.Bool("stored", err == nil))
	return results, err
}

// unwitnessed is what an operation comes to whose entry could not be written. A full disk
// is not a broken ledger.
func unwitnessed(err error) error {
	if errors.Is(err, ledger.ErrNoSpace) {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	return &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err}
}

func undoWitnessed(ctx context.Context, g *gallery.Gallery, l *ledger.Log, entity string, now func() time.Time, batch string) (gallery.Undone, error) {
	if err := g.Ready(); err != nil {
		return gallery.Undone{}, err
	}
	leaf, err := operatorLeaf(entity, "undo", "import-"+batch, now())
	if err != nil {
		return gallery.Undone{}, err
	}
	if _, err := l.Append(ctx, leaf); err != nil {
		return gallery.Undone{}, unwitnessed(err)
	}
	return g.Undo(ctx, batch)
}

func eraseWitnessed(ctx context.Context, g *gallery.Gallery, l *ledger.Log, entity string, now func() time.Time, id pseudonym.Identifier) (int, error) {
	if err := witnessErasure(ctx, g, l, entity, now); err != nil {
		return 0, err
	}
	return g.Erase(ctx, id)
}

func witnessErasure(ctx context.Context, g *gallery.Gallery, l *ledger.Log, entity string, now func() time.Time) error {
	if err := g.Ready(); err != nil {
		return err
	}
	leaf, err := operatorLeaf(entity, "erase", "one-subject", now())
	if err != nil {
		return err
	}
	if _, err := l.Append(ctx, leaf); err != nil {
		return unwitnessed(err)
	}
	return nil
}

func copyWitnessed(ctx context.Context, g *gallery.Gallery, l *ledger.Log, cfg config.Config, now func() time.Time, to config.Store, progress func(uint64)) (done gallery.Copied, err error) {
	if to.Engine == config.EngineBadger && cfg.Store.Engine == config.EngineBadger {
		return done, fmt.Errorf("copying gallery: %w", gallery.ErrSameStore)
	}
	leaf, err := operatorLeaf(cfg.EntityID, "copy", "gallery-to-"+to.Engine, now())
	if err != nil {
		return done, err
	}
	cfg.Store = to
	target, err := stores.OpenStore(ctx, cfg)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := l.Append(ctx, leaf); err != nil {
		return done, &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err}
	}
	return g.CopyTo(ctx, target, progress)
}

// enrolmentLeaf is the entry about a batch: how many records, of which import.
func enrolmentLeaf(entity string, batch []gallery.Enrolment, at time.Time) ([]byte, error) {
	what := fmt.Sprintf("batch-of-%d", len(batch))
	if id := batch[0].Batch; id != "" {
		what += "-of-import-" + id
	}
	return operatorLeaf(entity, "enrol", what, at)
}

// operatorLeaf is an entry about the own gallery, under a random number, so that
// nothing in it can be computed from a person.
func operatorLeaf(entity, operation, what string, at time.Time) ([]byte, error) {
	var number protocol.Hash
	_, _ = rand.Read(number[:])
	return protocol.NewLeaf(protocol.LeafEnrolment, protocol.Envelope{
		Issuer: entity, Audience: entity, Purpose: "enrolment", LegalBasis: "legal_obligation", Operation: operation,
		Officer: what,
	}, number, protocol.Verdict{}, at).Marshal()
}

// CheckToken reports, in constant time, whether token is the API token, with which an
// officer's system asks.
func (n *Node) CheckToken(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(n.keys.Token)) == 1
}

// CheckEnrolToken reports, in constant time, whether token is the operator's.
func (n *Node) CheckEnrolToken(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(n.keys.EnrolToken)) == 1
}

// Prove answers a client's challenge with what only the holder of each token can
// compute, so that a client does not hand its token to whoever has taken the port.
func (n *Node) Prove(challenge []byte) (api, enrol []byte) {
	proof := func(token string) []byte {
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte("tamga/v1/api-proof\x00"))
		mac.Write(challenge)
		return mac.Sum(nil)
	}
	return proof(n.keys.Token), proof(n.keys.EnrolToken)
}
