package node

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/recovery"
)

var (
	// ErrRecovery: the folder was restored, or declared to be older than it was, and
	// nobody has accepted yet what is missing. Such a node serves nothing.
	ErrRecovery = errors.New("the node is in recovery: entries of its ledger may be missing, and two operators must accept that")
	// ErrNotInRecovery: there is nothing to accept.
	ErrNotInRecovery = errors.New("nothing is missing as far as is known: the node is not in recovery")
)

// recoveryFile marks a node in recovery, and holds the claim.
func recoveryFile(cfg config.Config) string { return filepath.Join(cfg.DataDir, "recovery.json") }

// checkRecovery refuses a node in recovery.
func checkRecovery(cfg config.Config) error {
	switch _, err := os.Lstat(recoveryFile(cfg)); {
	case err == nil:
		return fmt.Errorf("opening node: %w", ErrRecovery)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("opening node: %w", err)
	}
	return nil
}

// Restore makes dir, which must not exist, the folder of the node of a backup and its key
// escrow, in recovery. It appears under its name when it is complete. The file erasures, empty for
// none, is a later list of erasures of its gallery (erasure.File) than the one
// in the backup: whoever is on it is erased again before anybody is served.
func Restore(ctx context.Context, c *backup.Checked, keys *backup.Escrow, dir, erasures string, progress func(part string, records uint64)) (recovery.Claim, error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return recovery.Claim{}, fmt.Errorf("restoring backup: %s: %w", dir, fs.ErrExist)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return recovery.Claim{}, fmt.Errorf("restoring backup: %w", err)
	}
	partial := dir + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(filepath.Dir(dir), 0o700)); err != nil { // partial of a restore that was killed
		return recovery.Claim{}, fmt.Errorf("restoring backup: %w", err)
	}
	if err := c.Restore(ctx, partial, keys, progress); err != nil {
		return recovery.Claim{}, err
	}
	l := c.Manifest.Ledger()
	claim := recovery.Claim{EntityID: c.Manifest.EntityID, Why: "restored", Kept: recovery.Head{Origin: l.Origin, Size: l.Size, Root: l.Root}}
	b, err := claim.Marshal()
	if err == nil {
		err = writeNew(filepath.Join(partial, backup.DataDir, filepath.Base(recoveryFile(config.Config{}))), b, 0o600)
	}
	if err == nil {
		err = c.Audit(ctx, partial)
	}
	if err == nil && erasures != "" {
		err = laterErasures(erasures, erasure.File(galleryDir(config.Config{DataDir: filepath.Join(partial, backup.DataDir)})))
	}
	if err == nil {
		err = durable.Folders(filepath.Join(partial, backup.DataDir))
	}
	if err == nil {
		err = os.Rename(partial, dir)
	}
	if err == nil {
		err = durable.Folders(filepath.Dir(dir))
	}
	if err != nil {
		return recovery.Claim{}, errors.Join(fmt.Errorf("restoring backup: %w", err), os.RemoveAll(partial))
	}
	return claim, nil
}

// ErrErasures: a list of erasures does not go on from the one in the backup.
var ErrErasures = errors.New("the list of erasures is not a later one of this gallery")

// laterErasures puts a later list in the place of the one that the backup brought. That
// each entry was sealed by this gallery shows when it is opened.
func laterErasures(from, to string) error {
	later, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("reading list of erasures: %w", err)
	}
	was, err := os.ReadFile(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading list of erasures: %w", err)
	}
	if !bytes.HasPrefix(later, was) {
		return ErrErasures
	}
	return replace(to, later)
}

// head is a checkpoint of one of the node's ledgers.
type head struct {
	recovery.Head
	number int
	note   string
}

// newer reports whether h was signed after other.
func (h head) newer(other head) bool {
	return h.number > other.number || h.number == other.number && h.Size > other.Size
}

// recoverer works on the folder of a node that does not run.
type recoverer struct {
	cfg  config.Config
	keys []string // the ledger's public ones
}

func newRecoverer(configFile string) (recoverer, error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return recoverer{}, err
	}
	b, err := os.ReadFile(filepath.Join(filepath.Dir(configFile), EntityConfigurationFile))
	if err != nil {
		return recoverer{}, fmt.Errorf("reading entity configuration: %w", err)
	}
	token := strings.TrimSpace(string(b))
	s, err := trust.ParseStatement(token)
	if err == nil {
		_, err = jose.Verify(token, "entity-statement+jwt", s.Keys())
	}
	if err != nil {
		return recoverer{}, fmt.Errorf("reading entity configuration: %w", err)
	}
	m, err := s.Metadata()
	if err != nil || m.TamgaNode == nil || m.TamgaNode.Ledger == nil {
		return recoverer{}, errors.New("reading entity configuration: it names no ledger")
	}
	return recoverer{cfg, m.TamgaNode.Ledger.Keys}, nil
}

// verifier is of the node's ledger of that number.
func (r recoverer) verifier(number int) (ledger.Verifier, error) {
	name := origin(r.cfg.EntityID, number)
	keys, err := ledger.Rename(name, r.keys)
	if err != nil {
		return ledger.Verifier{}, err
	}
	return ledger.NewVerifier(name, keys)
}

// maxLedgers bounds for how many later ledgers a checkpoint is tried.
const maxLedgers = 64

// read verifies a checkpoint of the current ledger or a later one.
func (r recoverer) read(open func(ledger.Verifier) ([]byte, error)) (head, error) {
	first := ledgerNumber(r.cfg)
	var last error
	for n := first; n < first+maxLedgers; n++ {
		v, err := r.verifier(n)
		if err != nil {
			return head{}, err
		}
		note, err := open(v)
		if err == nil {
			var c ledger.Checkpoint
			if c, err = v.Checkpoint(note); err == nil {
				return head{recovery.Head{Origin: v.Origin(), Size: c.Size, Root: c.Root[:]}, n, string(note)}, nil
			}
		}
		if last = err; !errors.Is(err, ledger.ErrOrigin) {
			break
		}
	}
	return head{}, last
}

// Learn finds out what is missing from the ledger of a node that does not run: from
// the checkpoint file outside the data folder, from what was learnt before, and from
// the file checkpoint that somebody kept, empty for none: a signed note, a
// verification's result with a receipt, or another copy of the checkpoint file. It
// puts the node in recovery unless nothing is known to be missing: [ErrNotInRecovery].
func Learn(ctx context.Context, configFile, checkpoint string) (recovery.Claim, error) {
	r, err := newRecoverer(configFile)
	if err != nil {
		return recovery.Claim{}, err
	}
	c, err := r.learn(ctx, checkpoint)
	if err != nil {
		return recovery.Claim{}, fmt.Errorf("learning what is missing: %w", err)
	}
	return c, nil
}

func (r recoverer) learn(ctx context.Context, checkpoint string, notes ...string) (recovery.Claim, error) {
	number := ledgerNumber(r.cfg)
	v, err := r.verifier(number)
	if err != nil {
		return recovery.Claim{}, err
	}
	audit, err := ledger.Verify(ctx, LedgerDir(r.cfg), v, nil)
	if err != nil {
		return recovery.Claim{}, err
	}
	kept := head{recovery.Head{Origin: v.Origin(), Size: audit.Size, Root: audit.Root[:]}, number, ""}
	claim := recovery.Claim{EntityID: r.cfg.EntityID, Why: "rolled_back", Kept: kept.Head}
	var newest head
	before, err := r.claim()
	marked := err == nil
	switch {
	case marked:
		claim.Why = before.Why
		if before.Checkpoint != "" {
			newest, err = r.read(func(ledger.Verifier) ([]byte, error) { return []byte(before.Checkpoint), nil })
		}
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return recovery.Claim{}, err
	}
	outside, err := r.read(func(v ledger.Verifier) ([]byte, error) { return ledger.ReadOutside(r.cfg.Recovery.CheckpointFile, v) })
	if err == nil && outside.newer(newest) {
		newest = outside
	}
	if checkpoint != "" {
		given, err := r.given(checkpoint)
		if err != nil {
			return recovery.Claim{}, fmt.Errorf("checkpoint: %w", err)
		}
		if given.newer(newest) {
			newest = given
		}
	}
	for _, note := range notes { // of peers
		if seen, err := r.read(func(ledger.Verifier) ([]byte, error) { return []byte(note), nil }); err == nil && seen.newer(newest) {
			newest = seen
		}
	}
	stale := newest.newer(kept) || newest.note != "" && newest.Size == kept.Size && newest.number == number && string(newest.Root) != string(kept.Root)
	if !marked && !stale && (err == nil || checkpoint == "") {
		return recovery.Claim{}, ErrNotInRecovery
	}
	claim.Newest, claim.Checkpoint = newest.Head, newest.note
	claim.Next = origin(r.cfg.EntityID, max(newest.number, number)+1)
	return claim, r.mark(claim)
}

// given is the checkpoint in a file that somebody kept.
func (r recoverer) given(file string) (head, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return head{}, err
	}
	note := receiptCheckpoint(b)
	return r.read(func(v ledger.Verifier) ([]byte, error) {
		if _, err := v.Checkpoint(note); err == nil {
			return note, nil
		}
		return ledger.ReadOutside(file, v)
	})
}

// receiptCheckpoint is the checkpoint in the result of a verification, or b itself.
func receiptCheckpoint(b []byte) []byte {
	var result struct {
		Receipt struct {
			Checkpoint string `json:"checkpoint"`
		} `json:"receipt"`
	}
	if json.Unmarshal(b, &result) != nil || result.Receipt.Checkpoint == "" {
		return b
	}
	if raw, err := base64.StdEncoding.DecodeString(result.Receipt.Checkpoint); err == nil {
		return raw
	}
	return []byte(result.Receipt.Checkpoint)
}

func (r recoverer) claim() (recovery.Claim, error) {
	b, err := os.ReadFile(recoveryFile(r.cfg))
	if err != nil {
		return recovery.Claim{}, err
	}
	return recovery.Parse(b)
}

// mark puts the node in recovery.
func (r recoverer) mark(c recovery.Claim) error {
	b, err := c.Marshal()
	if err != nil {
		return err
	}
	return replace(recoveryFile(r.cfg), b)
}

// FinishRecovery ends the recovery of a node that does not run: the acceptances must
// be of the claim in its folder, by two operators of its configuration. A ledger of
// another origin begins, whose first entry is the claim with its acceptances; the one
// before is never written to again. It may be done again after a crash.
func FinishRecovery(ctx context.Context, configFile string, root custody.Root, acceptances []string, now func() time.Time) (recovery.Claim, error) {
	r, err := newRecoverer(configFile)
	if err != nil {
		return recovery.Claim{}, err
	}
	claim, err := r.claim()
	if errors.Is(err, fs.ErrNotExist) {
		return recovery.Claim{}, fmt.Errorf("finishing recovery: %w", ErrNotInRecovery)
	}
	if err == nil {
		err = r.finish(ctx, filepath.Dir(configFile), root, claim, acceptances, now)
	}
	if err != nil {
		return recovery.Claim{}, fmt.Errorf("finishing recovery: %w", err)
	}
	return claim, nil
}

func (r recoverer) finish(ctx context.Context, dir string, root custody.Root, claim recovery.Claim, acceptances []string, now func() time.Time) error {
	text, err := claim.Marshal()
	if err != nil {
		return err
	}
	operators, err := r.operators()
	if err != nil {
		return err
	}
	signers, err := recovery.Verify(text, acceptances, operators)
	if err != nil {
		return err
	}
	number := ledgerNumber(r.cfg)
	if origin(r.cfg.EntityID, number) != claim.Next { // else it was done, and the mark is what is left
		next := number + 1
		for origin(r.cfg.EntityID, next) != claim.Next {
			if next++; next > number+maxLedgers+1 {
				return errors.New("the claim names a ledger that is not this node's")
			}
		}
		evidence, err := recovery.Evidence(text, acceptances)
		if err != nil {
			return err
		}
		k, err := openKeys(dir, Roots{Node: root}, r.cfg.EntityID, next)
		if err != nil {
			return err
		}
		defer k.wipe()
		if err := r.begin(ctx, next, k.ledger, gapLeaf(r.cfg.EntityID, claim, evidence, signers, now()), now); err != nil {
			return err
		}
	}
	return os.Remove(recoveryFile(r.cfg))
}

// begin makes the ledger of that number with its first entry. It has its name only
// when it is complete.
func (r recoverer) begin(ctx context.Context, number int, signer ledger.Signer, leaf protocol.Leaf, now func() time.Time) error {
	final := filepath.Join(r.cfg.DataDir, ledgerName(number))
	partial := final + ".partial"
	_, tally := gallery.OutsideFiles(r.cfg.Recovery.CheckpointFile)
	// What was outside is of the state before; the claim has the content of its checkpoint.
	for _, path := range []string{partial, r.cfg.Recovery.CheckpointFile, tally} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	b, err := leaf.Marshal()
	if err != nil {
		return err
	}
	l, err := ledger.Open(ctx, ledger.Config{Dir: partial, Outside: r.cfg.Recovery.CheckpointFile, Signer: signer, Now: now})
	if err != nil {
		return err
	}
	_, err = l.Append(ctx, b)
	if err = errors.Join(err, l.Close()); err != nil {
		return err
	}
	return os.Rename(partial, final)
}

// gapLeaf is the entry about a gap. In place of a Query's hash it has the root that
// the lost entries hashed to.
func gapLeaf(entity string, c recovery.Claim, evidence []byte, signers []string, at time.Time) protocol.Leaf {
	var root protocol.Hash
	copy(root[:], c.Newest.Root)
	leaf := protocol.NewLeaf(protocol.LeafGap, protocol.Envelope{
		Issuer: entity, Audience: entity, Purpose: "recovery", LegalBasis: "legal_obligation", Operation: c.Why,
		Officer: fmt.Sprintf("accepted-by-%d-operators", len(signers)),
	}, root, protocol.Verdict{}, at)
	leaf.Evidence = string(evidence)
	return leaf
}

// operators are the public keys that the configuration lists.
func (r recoverer) operators() ([]jose.PublicKey, error) {
	var keys []jose.PublicKey
	for _, path := range r.cfg.Recovery.Operators {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading operator's key: %w", err)
		}
		var k jose.PublicKey
		if err := json.Unmarshal(b, &k); err != nil {
			return nil, fmt.Errorf("reading operator's key: %s: %w", filepath.Base(path), err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}
