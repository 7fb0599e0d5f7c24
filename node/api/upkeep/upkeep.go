// Package upkeep is what the operator of a running node does by the API to keep it: the keys,
// the stored templates, checks and copies of the gallery, backups, and the ledger.
package upkeep

import (
	"context"
	"io"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

// Node is what the operations need of a node. Every method is safe for concurrent use.
type Node interface {
	Keys
	Stores
	Backups
}

// Keys is what they need of its keys.
type Keys interface {
	// RenewTemplates begins to renew the stored face templates, or joins in, and returns
	// meanwhile.
	RenewTemplates(ctx context.Context) (registrar.Renewal, error)
	// Renewal reports from memory how far that is.
	Renewal() registrar.Renewal
	// TakeUpKeys puts a changed keystore into use, begins what it says is to be retired,
	// and returns meanwhile.
	TakeUpKeys(ctx context.Context) (map[keys.Family]rotation.Retirement, error)
	// Retirements reports from memory how far those are that are under way.
	Retirements() map[keys.Family]rotation.Retirement
	// Replicas are the other nodes of the gallery's store, from memory.
	Replicas() []presence.Other
}

// Stores is what they need of its gallery and ledger.
type Stores interface {
	// CopyGallery makes another store hold what the gallery does; again after an error,
	// the rest.
	CopyGallery(ctx context.Context, to config.Store, progress func(rows uint64)) (snapshot.Copied, error)
	// CheckGallery begins to read everything that the gallery holds, or joins in, and
	// returns meanwhile.
	CheckGallery() checkup.Progress
	// GalleryCheck reports from memory how far that is.
	GalleryCheck() checkup.Progress
	// VerifyLedger recomputes the node's ledger; an error that matches
	// ledger.ErrTampered is a finding.
	VerifyLedger(ctx context.Context) (ledger.Report, error)
}

// Backups is what they need of its backups.
type Backups interface {
	// Backup streams an encrypted backup to w after recording that in the ledger; with
	// an error what was written is none.
	Backup(ctx context.Context, w io.Writer, recipients []string, progress func(part string, records uint64)) (backup.Manifest, error)
	// Escrow makes a key escrow after recording that in the ledger.
	Escrow(ctx context.Context, recipients []string) ([]byte, backup.Manifest, error)
}

// maxBackupBody bounds a body: 32 recipients; a post-quantum one has 2 KiB.
const maxBackupBody = 128 << 10

// Routes are those of the operations.
func Routes() []guard.Route {
	return []guard.Route{
		// Every row is read three times.
		{Method: "POST", Path: "/v1/gallery/copy", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10, Timeout: 12 * time.Hour},
		{Method: "POST", Path: renewalPath, Who: guard.Operator},
		{Method: "GET", Path: renewalPath, Who: guard.Operator},
		{Method: "POST", Path: keysPath, Who: guard.Operator},
		{Method: "GET", Path: keysPath, Who: guard.Operator},
		{Method: "POST", Path: checkPath, Who: guard.Operator},
		{Method: "GET", Path: checkPath, Who: guard.Operator},
		// A long ledger takes minutes to recompute, and more than a server's usual
		// time to answer.
		{Method: "POST", Path: "/v1/ledger/verifications", Who: guard.Operator, Timeout: 15 * time.Minute},
		// As long as the slowest disk that it is written to takes.
		{Method: "POST", Path: "/v1/backups", Content: "application/json", Who: guard.Operator, MaxBody: maxBackupBody, Timeout: 12 * time.Hour},
		{Method: "POST", Path: "/v1/escrows", Content: "application/json", Who: guard.Operator, MaxBody: maxBackupBody},
	}
}

// service holds the operations. It is immutable.
type service struct {
	node    Node
	ledgers chan struct{} // room for one: recomputing a ledger reads all of it
	backups chan struct{} // room for one: a backup reads everything
	copies  chan struct{} // room for one: two copies into one store would mix
}

// Register adds the operations to b. Whoever reads all of the ledger takes what is in ledgers, which has
// room for one.
func Register(b *operation.Book, n Node, ledgers chan struct{}) {
	s := service{n, ledgers, make(chan struct{}, 1), make(chan struct{}, 1)}
	s.renewing(b)
	s.keys(b)
	s.checking(b)
	s.copying(b)
	s.ledgerVerification(b)
	s.backup(b)
	s.escrow(b)
}
