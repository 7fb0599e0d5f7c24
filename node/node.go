package node

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/addresses"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/entity"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/holding"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/internal/gate"
	"github.com/tamga-id/tamga/node/internal/sparse"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lawbook/inforce"
	"github.com/tamga-id/tamga/node/line"
	"github.com/tamga-id/tamga/node/metrics"
	"github.com/tamga-id/tamga/node/peering"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/responder"
	"github.com/tamga-id/tamga/node/rotation/live"
	"github.com/tamga-id/tamga/node/rows"
	"github.com/tamga-id/tamga/node/stores"
	"github.com/tamga-id/tamga/node/witness"
)

// Files of a node's folder.
const (
	ConfigFile              = config.File
	TokenFile               = config.TokenFile
	EnrolTokenFile          = config.EnrolTokenFile
	EntityConfigurationFile = config.EntityConfigurationFile
)

// Overrides replace parts of a node. Conformance mutants and fault tests use them;
// a real node has none.
type Overrides struct {
	Responder func(*responder.Config)                       // edits the responder's parts before it is made
	Reply     func(reply []byte) []byte                     // edits replies to Queries on their way out
	Protocols map[string]transport.Handler                  // further protocols to serve, for measurements
	Exchanger func(requester.Exchanger) requester.Exchanger // wraps the way out of Queries
	Now       func() time.Time
}

// Node is one country's running node. Open it, Run it, Close it.
type Node struct {
	// Immutable after Open.
	cfg          config.Config
	dir          string // of the configuration file
	calibrations comparison.Calibrations
	keys         keystore.Set // as they were opened, for what of them never changes
	rotation     *live.Keys
	law          *inforce.Law
	anchors      []trust.Anchor
	entity       *entity.Entity
	gallery      *gallery.Gallery
	ledger       *ledger.Log
	rows         *rows.Rows
	consents     *consents.Book
	withdrawals  allowance // of those that members hand on
	registrar    registrar.Witnessed
	decoys       *decoy.Book
	alarms       *alarms.Book
	offices      consent.Offices
	directory    *peering.Peers
	heads        *gap.Heads
	witness      *witness.Witness
	beginning    beginning
	line         *line.Line
	addresses    *addresses.Addresses
	log          *slog.Logger
	now          func() time.Time
	started      time.Time
	api          net.Listener
	public       net.Listener // nil when the configuration names none
	scrape       net.Listener // nil when the configuration names none
	said         sparse.Lines // what peers can bring about at will
	metrics      *metrics.Metrics

	// What depends on keys that rotate; replaced whole by install.
	responder atomic.Pointer[responder.Responder]
	requester atomic.Pointer[requester.Requester]

	attention *attention.Board
	checks    *checkup.Checks

	// reading is entered by what reads the whole gallery, or its files, for long,
	// so that no key is destroyed that it comes across.
	reading gate.Gate

	makeRequester func(keystore.Set) *requester.Requester // immutable once listen returned
}

// Open opens the node that founding.Init made in the folder of the configuration file: keys,
// gallery, ledger and trust cache, and starts listening to peers. On error nothing
// is left open.
func Open(ctx context.Context, configFile string, passphrase []byte, log *slog.Logger, o Overrides) (*Node, error) {
	if err := Check(configFile); err != nil {
		return nil, err
	}
	root, err := keystore.OpenRoot(filepath.Dir(configFile), passphrase, time.Now())
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return OpenUnsealed(ctx, configFile, keystore.Roots{Node: root}, log, o)
}

// OpenUnsealed does what Open does with root keys that are open already. The caller
// may wipe them afterwards.
func OpenUnsealed(ctx context.Context, configFile string, roots keystore.Roots, log *slog.Logger, o Overrides) (_ *Node, err error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, dir: filepath.Dir(configFile), log: log, now: o.Now}
	if n.now == nil {
		n.now = time.Now
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err = gap.Refuse(cfg); err != nil {
		return nil, err
	}
	if err = n.loadPublic(); err != nil {
		return nil, err
	}
	n.attention = attention.New(log)
	if n.rotation, err = live.Open(ctx, cfg, n.dir, roots, log); err != nil {
		return nil, err
	}
	n.keys = n.rotation.Set()
	if err = n.openStores(ctx); err != nil {
		return nil, err
	}
	if err = n.writeTokens(); err != nil {
		return nil, err
	}
	if err = n.listen(o); err != nil {
		return nil, err
	}
	if err = n.publish(n.keys); err != nil {
		return nil, err
	}
	n.favour() // those of the trust cache, before the first refresh
	n.started = n.now()
	// Local commands find the node by this file, whatever port it was given.
	if err = os.WriteFile(AddressFile(cfg), []byte(n.APIAddress()+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("opening node: %w", err)
	}
	return n, nil
}

// Check finds a node in recovery, and faults of its configuration, law, calibrations and Trust
// Anchors, so that they are said before anyone is asked for a passphrase or a share.
func Check(configFile string) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	if err := gap.Refuse(cfg); err != nil {
		return err
	}
	return (&Node{cfg: cfg}).loadPublic()
}

// loadPublic reads what n needs and is no secret.
func (n *Node) loadPublic() (err error) {
	if n.law, err = inforce.Open(n.cfg); err != nil {
		return err
	}
	if n.calibrations, err = loadCalibrations(n.cfg.Policy.Calibrations); err != nil {
		return err
	}
	if n.offices, err = holding.LoadOffices(n.cfg.Policy.Offices); err != nil {
		return err
	}
	if n.anchors, err = entity.ReadAnchors(n.cfg.Trust.Anchors); err != nil {
		return err
	}
	n.entity = entity.New(entity.Config{Node: n.cfg, File: filepath.Join(n.dir, EntityConfigurationFile), Anchors: n.anchors, Now: n.now,
		Statements: func() ([]string, bool) { return n.directory.Statements(trust.EntityID(n.cfg.EntityID)) },
		Tell:       func() { _ = n.directory.Tell(context.Background()) }}) // it is told again, and says then what is wrong
	return nil
}

func (n *Node) openStores(ctx context.Context) (err error) {
	if n.gallery, n.ledger, err = stores.Open(ctx, n.cfg, n.keys, n.now); err != nil {
		return err
	}
	n.rotation.Join(live.Config{Gallery: n.gallery, Ledger: n.ledger, Reading: &n.reading, Use: n.use, Attention: n.attention, Now: n.now})
	n.checks = checkup.New(n.gallery, &n.reading, n.log)
	if n.rows, err = registrar.Rows(n.keys, n.gallery); err != nil {
		return err
	}
	if err = n.openConsents(ctx); err != nil {
		return err
	}
	if err = n.openDecoys(ctx); err != nil {
		return err
	}
	return n.law.Prove(ctx, inforce.Config{Ledger: n.ledger, Origin: n.keys.Ledger.Origin(), Rows: n.rows, Announce: n.announce, Now: n.now, Log: n.log})
}

// publish publishes the node's Entity Configuration with the addresses the host has now
// and the keys k.
func (n *Node) publish(k keystore.Set) error {
	return n.entity.Publish(k, n.law.Current().Serves(n.now()), n.addresses.Advertised())
}

// publishAgain publishes what is true now.
func (n *Node) publishAgain() (err error) {
	n.rotation.With(func(k keystore.Set) { err = n.publish(k) })
	return err
}

// use puts keys that were replaced into use at the host, in what asks and answers, and in
// what peers are told.
func (n *Node) use(ctx context.Context, k keystore.Set) error {
	// Members admit the next peer ID since it was prepared.
	if k.PeerIDs[0] != n.line.Host().PeerID() {
		n.log.InfoContext(ctx, "going over to the next libp2p key", slog.String("peer", string(k.PeerIDs[0])))
		if err := n.line.Rekey(ctx, k.LibP2P); err != nil {
			return err
		}
	}
	n.responder.Store(n.responder.Load().WithKeys(k.Signing, k.Sealing))
	n.requester.Store(n.makeRequester(k))
	return n.publish(k)
}

// EntityConfiguration is the node's current Entity Configuration, signed.
func (n *Node) EntityConfiguration() (string, error) { return n.entity.Configuration() }

// Refresh asks the Trust Anchors who is a member now, and drops connections of
// those who are no longer.
func (n *Node) Refresh(ctx context.Context) error {
	report, err := n.directory.Refresh(ctx, n.now())
	for id, cause := range report.Failures {
		n.log.WarnContext(ctx, "member not refreshed", slog.String("entity", string(id)), slog.String("cause", cause.Error()))
	}
	for _, id := range report.Dropped {
		n.log.WarnContext(ctx, "no longer a member", slog.String("entity", string(id)))
	}
	n.witness.Forget(n.directory.Knows)
	n.line.Host().Recheck()
	n.favour()
	return err
}

// Close releases everything Open took. It may be called after a failed Open.
func (n *Node) Close() error {
	var errs []error
	for _, l := range []net.Listener{n.api, n.public, n.scrape} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if n.line != nil {
		errs = append(errs, n.line.Close())
	}
	if n.heads != nil {
		// What is lost of it others know, or it is seen again: a full disk is no reason not to end in order.
		if err := n.heads.Flush(); err != nil {
			n.log.Warn("checkpoints of peers not kept", slog.String("cause", err.Error()))
		}
	}
	if n.entity != nil && n.entity.Published() {
		_ = os.Remove(AddressFile(n.cfg))
	}
	errs = append(errs, stores.Close(n.gallery, n.ledger))
	if n.rotation != nil {
		n.rotation.Close()
	}
	return errors.Join(errs...)
}

// Verify asks another country's node. See requester.Requester.
func (n *Node) Verify(ctx context.Context, req requester.Request) (requester.Result, error) {
	return n.ask(ctx, func(r *requester.Requester) (requester.Result, error) { return r.Verify(ctx, req) })
}

// Jurisdiction is the country whose register the node holds.
func (n *Node) Jurisdiction() string { return n.cfg.Jurisdiction }

// Officer is the pseudonym of an officer: the same for the same account, and
// nothing that another node could resolve.
func (n *Node) Officer(account string) string {
	mac := hmac.New(sha256.New, n.keys.Officers)
	mac.Write([]byte("tamga/v1/officer\x00" + account))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// APIAddress is the host:port of the HTTP API.
func (n *Node) APIAddress() string { return n.api.Addr().String() }

// Exchange sends one frame to a peer over the node's own transport, for measurements.
func (n *Node) Exchange(ctx context.Context, to trust.Node, protocol string, frame []byte) ([]byte, error) {
	return n.line.Exchange(ctx, transport.PeerID(to.PeerID), to.Addresses, protocol, frame)
}

// writeTokens writes the files of the API tokens where there are none, as in a folder
// made of a backup.
func (n *Node) writeTokens() error {
	for name, token := range map[string]string{TokenFile: n.keys.Token, EnrolTokenFile: n.keys.EnrolToken} {
		path := filepath.Join(n.dir, name)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		if err := durable.WriteNew(path, []byte(token+"\n"), 0o600); err != nil {
			return fmt.Errorf("writing token: %w", err)
		}
	}
	return nil
}
