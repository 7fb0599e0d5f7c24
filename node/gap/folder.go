package gap

import (
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

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/recovery"
)

var (
	// ErrRecovery: the folder was restored, or declared to be older than it was, and
	// nobody has accepted yet what is missing. Such a node serves nothing.
	ErrRecovery = errors.New("the node is in recovery: entries of its ledger may be missing, and two operators must accept that")
	// ErrNotInRecovery: there is nothing to accept.
	ErrNotInRecovery = errors.New("nothing is missing as far as is known: the node is not in recovery")
)

// Why a node is in recovery, but for restored ones.
const (
	rolledBack = "rolled_back" // more was signed than there is, as somebody knows
	forgotten  = "forgotten"   // the checkpoint file is lost, and nobody can tell
)

// File marks a node in recovery, and holds the claim.
func File(cfg config.Config) string { return filepath.Join(cfg.DataDir, "recovery.json") }

// Refuse is [ErrRecovery] of a node in recovery.
func Refuse(cfg config.Config) error {
	switch _, err := os.Lstat(File(cfg)); {
	case err == nil:
		return fmt.Errorf("opening node: %w", ErrRecovery)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("opening node: %w", err)
	}
	return nil
}

// Head is a checkpoint of one of the node's ledgers.
type Head struct {
	recovery.Head
	Number int
	Note   string
	Keys   []string // of a member's: those that it was verified under
}

// Newer reports whether h was signed after other.
func (h Head) Newer(other Head) bool {
	return h.Number > other.Number || h.Number == other.Number && h.Size > other.Size
}

// Folder is the data folder of a node that does not run.
type Folder struct {
	cfg  config.Config
	keys []string // the ledger's public ones
}

// NewFolder is that of the node with a configuration and an Entity Configuration in a file.
func NewFolder(cfg config.Config, entityConfiguration string) (Folder, error) {
	b, err := os.ReadFile(entityConfiguration)
	if err != nil {
		return Folder{}, fmt.Errorf("reading entity configuration: %w", err)
	}
	token := strings.TrimSpace(string(b))
	s, err := trust.ParseStatement(token)
	if err == nil {
		_, err = jose.Verify(token, "entity-statement+jwt", s.Keys())
	}
	if err != nil {
		return Folder{}, fmt.Errorf("reading entity configuration: %w", err)
	}
	m, err := s.Metadata()
	if err != nil || m.TamgaNode == nil || m.TamgaNode.Ledger == nil {
		return Folder{}, errors.New("reading entity configuration: it names no ledger")
	}
	return Folder{cfg, m.TamgaNode.Ledger.Keys}, nil
}

// Verifier is of the node's ledger of that number.
func (r Folder) Verifier(number int) (lognote.Verifier, error) {
	name := ledgers.Origin(r.cfg.EntityID, number)
	keys, err := lognote.Rename(name, r.keys)
	if err != nil {
		return lognote.Verifier{}, err
	}
	return lognote.NewVerifier(name, keys)
}

// maxLedgers bounds for how many later ledgers a checkpoint is tried.
const maxLedgers = 64

// read verifies a checkpoint of the current ledger or a later one.
func (r Folder) read(open func(lognote.Verifier) ([]byte, error)) (Head, error) {
	first := ledgers.Number(r.cfg)
	var last error
	for n := first; n < first+maxLedgers; n++ {
		v, err := r.Verifier(n)
		if err != nil {
			return Head{}, err
		}
		note, err := open(v)
		if err == nil {
			var c lognote.Checkpoint
			if c, err = v.Checkpoint(note); err == nil {
				return Head{recovery.Head{Origin: v.Origin(), Size: c.Size, Root: c.Root[:]}, n, string(note), nil}, nil
			}
		}
		if last = err; !errors.Is(err, lognote.ErrOrigin) {
			break
		}
	}
	return Head{}, last
}

// Learn finds out what is missing from the ledger: from the checkpoint file outside the data
// folder, from what was learnt before, from notes, checkpoints that others have seen, and from
// the file checkpoint that somebody kept, empty for none: a signed note, a verification's
// result with a receipt, or another copy of the checkpoint file. It puts the node in recovery
// unless the checkpoint file is there and nothing is known to be missing: [ErrNotInRecovery].
// That also ends a recovery for no other reason than that the file was lost.
func (r Folder) Learn(ctx context.Context, checkpoint string, notes ...string) (recovery.Claim, error) {
	c, err := r.learn(ctx, checkpoint, notes...)
	if err != nil {
		return recovery.Claim{}, fmt.Errorf("learning what is missing: %w", err)
	}
	return c, nil
}

func (r Folder) learn(ctx context.Context, checkpoint string, notes ...string) (recovery.Claim, error) {
	number := ledgers.Number(r.cfg)
	v, err := r.Verifier(number)
	if err != nil {
		return recovery.Claim{}, err
	}
	audit, err := ledger.Verify(ctx, ledgers.Dir(r.cfg), v, nil)
	if err != nil {
		return recovery.Claim{}, err
	}
	kept := Head{recovery.Head{Origin: v.Origin(), Size: audit.Size, Root: audit.Root[:]}, number, "", nil}
	claim := recovery.Claim{EntityID: r.cfg.EntityID, Why: rolledBack, Kept: kept.Head}
	var newest Head
	before, err := r.claim()
	marked := err == nil
	switch {
	case marked:
		claim.Why = before.Why
		if before.Checkpoint != "" {
			newest, err = r.read(func(lognote.Verifier) ([]byte, error) { return []byte(before.Checkpoint), nil })
		}
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return recovery.Claim{}, err
	}
	outside, err := r.read(func(v lognote.Verifier) ([]byte, error) { return ledger.ReadOutside(r.cfg.Recovery.CheckpointFile, v) })
	if err == nil && outside.Newer(newest) {
		newest = outside
	}
	if checkpoint != "" {
		given, err := r.given(checkpoint)
		if err != nil {
			return recovery.Claim{}, fmt.Errorf("checkpoint: %w", err)
		}
		if given.Newer(newest) {
			newest = given
		}
	}
	for _, note := range notes { // of peers
		if seen, err := r.read(func(lognote.Verifier) ([]byte, error) { return []byte(note), nil }); err == nil && seen.Newer(newest) {
			newest = seen
		}
	}
	stale := newest.Newer(kept) || newest.Note != "" && newest.Size == kept.Size && newest.Number == number && string(newest.Root) != string(kept.Root)
	switch lost := err != nil && kept.Size > 0; {
	case stale && claim.Why == forgotten:
		claim.Why = rolledBack
	case !stale && !marked && lost:
		claim.Why = forgotten
	case !stale && (!marked || claim.Why == forgotten && !lost): // the file is back, and opening the node compares with it
		return recovery.Claim{}, errors.Join(ErrNotInRecovery, r.unmark())
	}
	claim.Newest, claim.Checkpoint = newest.Head, newest.Note
	claim.Next = ledgers.Origin(r.cfg.EntityID, max(newest.Number, number)+1)
	return claim, r.mark(claim)
}

// given is the checkpoint in a file that somebody kept.
func (r Folder) given(file string) (Head, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Head{}, err
	}
	note := receiptCheckpoint(b)
	return r.read(func(v lognote.Verifier) ([]byte, error) {
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

func (r Folder) claim() (recovery.Claim, error) {
	b, err := os.ReadFile(File(r.cfg))
	if err != nil {
		return recovery.Claim{}, err
	}
	return recovery.Parse(b)
}

// unmark ends a recovery in which nothing was accepted.
func (r Folder) unmark() error {
	err := os.Remove(File(r.cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (r Folder) mark(c recovery.Claim) error { return Mark(r.cfg, c) }

// Mark puts the node in recovery.
func Mark(cfg config.Config, c recovery.Claim) error {
	b, err := c.Marshal()
	if err != nil {
		return err
	}
	return durable.Replace(File(cfg), b)
}

// Finish ends the recovery: the acceptances must be of the claim in the folder, by two
// operators of the configuration. A ledger of another origin begins, with the signer of that
// number, whose first entry is the claim with its acceptances; nothing is appended to the one
// before any more. It may be done again after a crash; signer is called each time, when the
// acceptances were verified, and its error leaves the node in recovery.
func (r Folder) Finish(ctx context.Context, acceptances []string, signer func(number int) (lognote.Signer, error), now func() time.Time) (recovery.Claim, error) {
	claim, err := r.claim()
	if errors.Is(err, fs.ErrNotExist) {
		return recovery.Claim{}, fmt.Errorf("finishing recovery: %w", ErrNotInRecovery)
	}
	if err == nil {
		err = r.finish(ctx, claim, acceptances, signer, now)
	}
	if err != nil {
		return recovery.Claim{}, fmt.Errorf("finishing recovery: %w", err)
	}
	return claim, nil
}

func (r Folder) finish(ctx context.Context, claim recovery.Claim, acceptances []string, signer func(number int) (lognote.Signer, error), now func() time.Time) error {
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
	number := ledgers.Number(r.cfg)
	next := number
	for ledgers.Origin(r.cfg.EntityID, next) != claim.Next {
		if next++; next > number+maxLedgers+1 {
			return errors.New("the claim names a ledger that is not this node's")
		}
	}
	s, err := signer(next)
	if err != nil {
		return err
	}
	if next != number { // else it was done, and the mark is what is left
		evidence, err := recovery.Evidence(text, acceptances)
		if err != nil {
			return err
		}
		if err := r.begin(ctx, next, s, gapLeaf(r.cfg.EntityID, claim, evidence, signers, now()), now); err != nil {
			return err
		}
	}
	return os.Remove(File(r.cfg))
}

// begin makes the ledger of that number with its first entry. It has its name only
// when it is complete.
func (r Folder) begin(ctx context.Context, number int, signer lognote.Signer, leaf protocol.Leaf, now func() time.Time) error {
	final := filepath.Join(r.cfg.DataDir, ledgers.Name(number))
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

func (r Folder) operators() ([]jose.PublicKey, error) { return Operators(r.cfg) }

// Operators are the public keys that the configuration lists.
func Operators(cfg config.Config) ([]jose.PublicKey, error) {
	var keys []jose.PublicKey
	for _, path := range cfg.Recovery.Operators {
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
