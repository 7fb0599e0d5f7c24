package node

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/undo"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

// Enrol stores subjects durably, after saying so in the ledger: see [registrar.Witnessed].
func (n *Node) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return n.registrar.Enrol(ctx, batch)
}

// Plan says what Enrol would do, and changes nothing.
func (n *Node) Plan(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return n.registrar.Plan(ctx, batch)
}

// Undo takes a batch back, after saying so in the ledger.
func (n *Node) Undo(ctx context.Context, batch string) (undo.Done, error) {
	return n.registrar.Undo(ctx, batch)
}

// Erase destroys all that is held of a subject, after saying in the ledger that somebody
// is erased.
func (n *Node) Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error) {
	return n.registrar.Erase(ctx, id)
}

// CopyGallery makes another store hold what the gallery does, after saying so in the
// ledger. See [gallery.Gallery.CopyTo].
func (n *Node) CopyGallery(ctx context.Context, to config.Store, progress func(rows uint64)) (snapshot.Copied, error) {
	if err := n.reading.Enter(ctx); err != nil {
		return snapshot.Copied{}, fmt.Errorf("copying gallery: %w", err)
	}
	defer n.reading.Leave()
	return n.registrar.Copy(ctx, n.cfg, to, progress)
}

// CheckGallery begins to read everything that the gallery holds, or joins in, and returns
// while Run does it.
func (n *Node) CheckGallery() checkup.Progress { return n.checks.Begin() }

// GalleryCheck reports from memory how far the check is.
func (n *Node) GalleryCheck() checkup.Progress { return n.checks.State() }

// VerifyLedger recomputes the running node's ledger: see [ledgers.Audit].
func (n *Node) VerifyLedger(ctx context.Context) (ledger.Report, error) {
	return ledgers.Audit(ctx, n.ledger, n.keys.Ledger.Origin())
}

// Renewal reports from memory how far the renewal of templates is.
func (n *Node) Renewal() registrar.Renewal { return n.rotation.Renewal() }

// RenewTemplates begins to renew the stored templates: see [live.Keys.RenewTemplates].
func (n *Node) RenewTemplates(ctx context.Context) (registrar.Renewal, error) {
	return n.rotation.RenewTemplates(ctx)
}

// Retirements reports, by key, how far the retirements are that are under way.
func (n *Node) Retirements() map[keys.Family]rotation.Retirement { return n.rotation.Retirements() }

// TakeUpKeys puts the keys of a changed keystore into use now: see [live.Keys.TakeUp].
func (n *Node) TakeUpKeys(ctx context.Context) (map[keys.Family]rotation.Retirement, error) {
	return n.rotation.TakeUp(ctx)
}

// Finality is that of an erasure that was just carried out.
func (n *Node) Finality() registrar.Finality { return n.rotation.Finality() }

// Replicas are the other nodes of the gallery's store, as last seen.
func (n *Node) Replicas() []presence.Other { return n.rotation.Replicas() }

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
