package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

// Attention is a word for something that an operator has to look after.
type Attention string

// The words.
const (
	// KEKOverdue: a KEK is older than kek.retention allows, so that backups open who was
	// erased longer ago.
	KEKOverdue Attention = "kek_overdue"
	// EscrowStale: the key escrow could not be written anew, and may hold destroyed keys.
	EscrowStale Attention = "escrow_stale"
	// LedgerContradicted: a peer's receipts contradict each other, so that its ledger was
	// put back to an earlier state, or is not the same for everybody.
	LedgerContradicted Attention = "ledger_contradicted"
)

// Text says what it is about and what to do.
func (a Attention) Text() string {
	switch a {
	case KEKOverdue:
		return "a KEK is older than kek.retention allows, or seems to be from the future, and backups open who was erased longer ago: compare the clock, and see `tamga key list`, and the node's log"
	case EscrowStale:
		return "the key escrow (backup.escrow_file) could not be written anew and may hold destroyed keys: see the node's log"
	case LedgerContradicted:
		return "a peer's ledger contradicts what it has shown before (TMG-ANS-0003): phone its operator; the evidence is in data/contradictions, and the log says whose it is; move the files away once it is settled"
	}
	return string(a)
}

// ages is what a running node knows of what has to be looked after.
type ages struct {
	mu    sync.Mutex
	state map[Attention]bool
}

// note remembers whether something has to be looked after, and reports whether that is
// new.
func (a *ages) note(what Attention, is bool) (changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == nil {
		a.state = make(map[Attention]bool)
	}
	changed = a.state[what] != is
	a.state[what] = is
	return changed
}

// Attentions are all there are.
func Attentions() []Attention { return []Attention{KEKOverdue, EscrowStale, LedgerContradicted} }

// Attention lists what somebody has to look after, from memory.
func (n *Node) Attention() []Attention {
	n.ages.mu.Lock()
	defer n.ages.mu.Unlock()
	out := []Attention{}
	for _, what := range Attentions() {
		if n.ages.state[what] {
			out = append(out, what)
		}
	}
	return out
}

// aging replaces and retires KEKs as kek.retention says, and keeps the key escrow of the
// configuration as new as the keys. What fails is tried again.
func (n *Node) aging(ctx context.Context) {
	roots, err := n.currentRoots()
	if err != nil {
		n.log.WarnContext(ctx, "ages of keys not looked at", slog.String("cause", err.Error()))
		return
	}
	defer roots.Wipe()
	changed := false
	if n.cfg.KEK.Retention != 0 {
		changed = n.age(ctx, roots)
	}
	// The escrow has a new KEK before anything is wrapped under it.
	if n.cfg.Backup.EscrowFile != "" {
		written, err := folder.KeepEscrow(n.cfg, n.dir, n.source().Keys.Federations, n.now())
		if written != "" {
			n.log.InfoContext(ctx, "key escrow written anew")
		}
		n.attend(ctx, EscrowStale, err != nil, err)
	}
	if !changed {
		return
	}
	if err := n.reload(ctx); err != nil {
		n.notTakenUp(ctx, err)
	}
	n.retirements.rouse()
}

// attend says in the log when something has to be looked after, and when not any more.
func (n *Node) attend(ctx context.Context, what Attention, is bool, err error) {
	if !n.ages.note(what, is) {
		return
	}
	attributes := []any{slog.String("what", string(what))}
	if err != nil {
		attributes = append(attributes, slog.String("cause", err.Error()))
	}
	if is {
		n.log.ErrorContext(ctx, "needs attention", attributes...)
	} else {
		n.log.InfoContext(ctx, "needs no attention any more", attributes...)
	}
}

var (
	errNothingDue = errors.New("nothing is due")
	errClock      = errors.New("the current KEK began in the future: compare the clock; if it is right, rotate the KEK by hand once")
	errShared     = errors.New("other nodes share the database: rotate the KEK by hand, and copy the keystore to them")
)

// age does what is due with the KEK and reports whether it changed the keystore. While
// others share the store it does not: their keystores are copied by their operators.
func (n *Node) age(ctx context.Context, roots keystore.Roots) (changed bool) {
	others, unknown := n.gallery.Replicas(time.Now()) // by the clock that they were seen by
	var a keys.Age
	change := func(secrets map[string][]byte) error {
		g, err := keys.Of(secrets, keys.KEK)
		if err != nil {
			return err
		}
		if a = g.Age(n.cfg.KEK.Retention, n.now()); unknown != nil {
			return unknown // and what is overdue is said all the same
		}
		if len(others) > 0 {
			return errShared
		}
		return advance(secrets, g, a, n.now())
	}
	secrets, err := keystore.OpenSecrets(n.dir, roots.Node)
	if err == nil {
		err = change(secrets)
		keystore.WipeSecrets(secrets)
	}
	if err == nil { // what was done to a copy; seldom, so that no command finds the keystore locked
		err = roots.Update(n.dir, keys.KEK, change)
	}
	switch {
	case err == nil: // whether it came about shows next time
		n.log.InfoContext(ctx, "KEK replaced or retired by its age")
		return true
	case !errors.Is(err, errNothingDue) && !errors.Is(err, errShared) && !errors.Is(err, errClock) && !errors.Is(err, custody.ErrBusy):
		n.log.WarnContext(ctx, "KEK not replaced or retired", slog.String("cause", err.Error()))
	}
	cause := err
	if errors.Is(err, errNothingDue) {
		cause = nil
	}
	n.attend(ctx, KEKOverdue, rotation.Overdue(a, n.now()), cause)
	return false
}

// advance does what is due to the secrets, or returns errNothingDue.
func advance(secrets map[string][]byte, g keys.Generations, a keys.Age, now time.Time) error {
	if a.Doubt {
		return errClock
	}
	due := false
	if a.Keep > max(g.Keep, g.Oldest()) {
		if _, err := keys.Mark(secrets, keys.KEK, a.Keep); err != nil {
			return err
		}
		due = true
	}
	if !a.Rotate.After(now) {
		if _, err := keys.Prepare(secrets, keys.KEK); err != nil && !errors.Is(err, keys.ErrPrepared) {
			return err
		}
		if _, err := keys.Activate(secrets, keys.KEK, now); err != nil {
			return err
		}
		due = true
	}
	if !due {
		return errNothingDue
	}
	return nil
}

// Finality is that of an erasure that was just carried out.
func (n *Node) Finality() registrar.Finality {
	return registrar.FinalityOf(n.cfg.KEK.Retention, n.family(keys.KEK).Current, n.now())
}
