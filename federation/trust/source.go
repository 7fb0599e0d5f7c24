package trust

import (
	"context"
	"errors"
)

// Three outcomes that callers must keep apart when an Entity is not accepted.
var (
	// ErrNotMember: whoever had to know was asked, and the Entity is no member.
	ErrNotMember = errors.New("not a member of the federation")
	// ErrExpired: the Entity was a member; its last verified chain has run out.
	ErrExpired = errors.New("trust chain expired")
	// ErrUndetermined: it could not be found out. Neither a yes nor a no.
	ErrUndetermined = errors.New("membership could not be determined")
)

// Source fetches what Entities publish. What it returns is unverified: it comes
// from whoever answered. Implementations bound time and bytes of every call,
// do not retry, and are safe for concurrent use. An error that matches
// [ErrNotMember] means that the superior answered and knows no such subordinate;
// every other error means that nothing was learnt.
type Source interface {
	// EntityConfiguration fetches id's own statement.
	EntityConfiguration(ctx context.Context, id EntityID) (string, error)
	// SubordinateStatement fetches superior's statement about subject.
	SubordinateStatement(ctx context.Context, superior, subject EntityID) (string, error)
	// List fetches the Entity Identifiers of superior's immediate subordinates.
	List(ctx context.Context, superior EntityID) ([]EntityID, error)
	// Resolve fetches resolver's resolve response about subject under anchor.
	Resolve(ctx context.Context, resolver, subject, anchor EntityID) (string, error)
	// MarkStatus fetches issuer's status response about a Trust Mark.
	MarkStatus(ctx context.Context, issuer EntityID, mark string) (string, error)
}
