package ledger

import (
	"errors"
	"fmt"
)

var (
	// ErrTampered means that the folder does not hold what its signed
	// checkpoints say. Every such error is a *[TamperError].
	ErrTampered = errors.New("ledger tampered with")
	// ErrRolledBack is the case of ErrTampered in which acknowledged entries are
	// missing from the end: the store is older than the checkpoint beside it.
	ErrRolledBack = errors.New("ledger rolled back")
	// ErrOutdated means that the folder does not contain a tree that is known from
	// outside of it to have been signed: it was put back to an earlier state.
	ErrOutdated = errors.New("the ledger folder is older than the checkpoint kept outside of it")
	// ErrForgotten means that the checkpoint kept outside the folder is missing or
	// does not hold, so nobody can tell whether the folder is the latest.
	ErrForgotten = errors.New("the checkpoint kept outside the ledger folder is missing or damaged")
	// ErrLocked means that another process, or this one, has the folder open.
	ErrLocked = errors.New("ledger is in use")
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("ledger is closed")
	// ErrFailed means that an earlier commit failed and its outcome is unknown;
	// close the log and open it again.
	ErrFailed = errors.New("ledger stopped after a failed commit")
	// ErrOutcomeUnknown accompanies a context error when the leaf was already
	// being written: it may or may not be in the log. A context error without it
	// means that the leaf is not in the log.
	ErrOutcomeUnknown = errors.New("the leaf may have been appended")
	// ErrNoSpace means that the disk is nearly full. Nothing was written.
	ErrNoSpace = errors.New("not enough free disk space")
	// ErrRange means that an index or size lies beyond the end of the log.
	ErrRange = errors.New("beyond the end of the log")
)

// advice is what an operator has to do when the store cannot be believed.
const advice = "keep the folder untouched as evidence, restore the ledger from a replica or backup, " +
	"and compare its checkpoint with those your peers hold in receipts"

// TamperError says where the folder stops agreeing with what was signed. It
// matches [ErrTampered], and [ErrRolledBack] as well when RolledBack is set.
type TamperError struct {
	// Entry is the index of the first bad entry, or -1 when the damage cannot be
	// pinned to one.
	Entry int64
	// Part names what is damaged: a file, or a kind of record.
	Part string
	// Rule says what does not hold.
	Rule string
	// RolledBack is set when entries that were acknowledged are gone.
	RolledBack bool
}

// Error describes the damage and says what to do about it.
func (e *TamperError) Error() string {
	where := e.Part
	if e.Entry >= 0 {
		where = fmt.Sprintf("entry %d: %s", e.Entry, e.Part)
	}
	kind := ErrTampered
	if e.RolledBack {
		kind = ErrRolledBack
	}
	return fmt.Sprintf("%v: %s: %s; %s", kind, where, e.Rule, advice)
}

// Is makes errors.Is(err, ErrTampered) and errors.Is(err, ErrRolledBack) work.
func (e *TamperError) Is(target error) bool {
	return target == ErrTampered || e.RolledBack && target == ErrRolledBack
}

// tampered builds an error about a part of the folder as a whole.
func tampered(part, format string, args ...any) error {
	return &TamperError{Entry: -1, Part: part, Rule: fmt.Sprintf(format, args...)}
}

// tamperedEntry builds an error about one entry.
func tamperedEntry(index uint64, part, rule string) error {
	return &TamperError{Entry: int64(index), Part: part, Rule: rule}
}

// rolledBack builds the error for a store that lost acknowledged entries.
func rolledBack(have, want uint64) error {
	return &TamperError{
		Entry:      int64(have),
		Part:       "missing",
		Rule:       fmt.Sprintf("the store ends at %d entries, %d were acknowledged", have, want),
		RolledBack: true,
	}
}
