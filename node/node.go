package node

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/holding"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/internal/sparse"
	"github.com/tamga-id/tamga/node/internal/throng"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/line"
	"github.com/tamga-id/tamga/node/metrics"
	"github.com/tamga-id/tamga/node/pace"
	"github.com/tamga-id/tamga/node/peering"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/responder"
	"github.com/tamga-id/tamga/node/rows"
	"github.com/tamga-id/tamga/node/stores"
	"github.com/tamga-id/tamga/node/subordinates"
	"github.com/tamga-id/tamga/node/witness"
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
	calibrations responder.Calibrations
	keys         keystore.Set
	law          lawbook.Current
	laws         *lawbook.Book
	anchors      []trust.Anchor
	chain        ownChain
	gallery      *gallery.Gallery
	ledger       *ledger.Log
	rows         *rows.Rows
	consents     *consents.Book
	withdrawals  allowance // of those that members hand on
	registrar    registrar.Witnessed
	decoys       *decoy.Book
	offices      consent.Offices
	directory    *peering.Peers
	heads        *gap.Heads
	witness      *witness.Witness
	beginning    beginning
	line         *line.Line
	log          *slog.Logger
	now          func() time.Time
	started      time.Time
	api          net.Listener
	public       net.Listener // nil when the configuration names none
	scrape       net.Listener // nil when the configuration names none
	said         sparse.Lines // what peers can bring about at will
	metrics      *metrics.Metrics

	roots keystore.Roots // to read the keystores again when they changed

	// What depends on keys that rotate; replaced whole by install.
	responder atomic.Pointer[responder.Responder]
	requester atomic.Pointer[requester.Requester]
	publisher atomic.Pointer[endpoint.Publisher]
	superior  atomic.Pointer[membership.Author] // nil where the node vouches for nobody

	others atomic.Pointer[[]presence.Other] // that share the store

	listening atomic.Pointer[listening]
	addresses addresses

	ages        ages
	renewals    renewals
	retirements retirements
	checks      checks

	// reading is entered by what reads the whole gallery, or its files, for long,
	// so that no key is destroyed that it comes across.
	reading gate

	// takingUp guards what follows, and that one at a time takes up the keystore.
	takingUp sync.Mutex
	keystore keystoreDigests // of the files that are in use
	changed  bool            // it is another since rotating last looked

	makeRequester func(keystore.Set) *requester.Requester // immutable once listen returned
}

// Open opens the node that Init made in the folder of the configuration file: keys,
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
	// Those that the keystores are sealed under, if the ones before opened them: these may
	// be retired any time.
	if n.roots, err = roots.Current(n.dir, false); err != nil {
		return nil, err
	}
	if n.keystore, err = readDigests(n.dir, n.roots); err != nil {
		return nil, err
	}
	if n.keys, err = keystore.Open(n.dir, roots, cfg.EntityID, ledgers.Number(cfg)); err != nil {
		return nil, err
	}
	n.watchHolders(ctx, n.keys)
	n.addresses.wake = make(chan struct{}, 1)
	n.listening.Store(&listening{cfg.Listen.LibP2P, cfg.Listen.Advertise})
	n.checks.wake, n.checks.state.State = make(chan struct{}, 1), CheckIdle
	n.renewals.wake, n.retirements.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	n.renewals.state = registrar.Renewal{State: registrar.RenewalIdle, Generation: n.keys.Faces.Current()}
	if n.keys.UnfinishedRenewal() {
		n.renewals.resume(n.keys.Faces.Current())
	}
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
	if err = n.loadLaw(); err != nil {
		return err
	}
	if n.calibrations, err = loadCalibrations(n.cfg.Policy.Calibrations); err != nil {
		return err
	}
	if n.offices, err = holding.LoadOffices(n.cfg.Policy.Offices); err != nil {
		return err
	}
	n.anchors, err = loadAnchors(n.cfg.Trust.Anchors)
	return err
}

func (n *Node) openStores(ctx context.Context) (err error) {
	if n.gallery, n.ledger, err = stores.Open(ctx, n.cfg, n.keys, n.now); err != nil {
		return err
	}
	if n.rows, err = registrar.Rows(n.keys, n.gallery); err != nil {
		return err
	}
	if err = n.openConsents(ctx); err != nil {
		return err
	}
	if err = n.openDecoys(ctx); err != nil {
		return err
	}
	if err := n.proveLaw(); err != nil {
		return err
	}
	return n.shareLaws(ctx)
}

// AddressFile holds the host:port of a running node's API.
func AddressFile(cfg config.Config) string { return filepath.Join(cfg.DataDir, "api-address") }

// listen starts the libp2p host and binds the HTTP listeners.
func (n *Node) listen(o Overrides) (err error) {
	handlers := map[string]transport.Handler{
		transport.ProtocolTrust: func(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
			if reply, is := n.directory.TakeAnnouncement(ctx, from, frame); is {
				return reply, nil
			}
			return endpoint.ServeFrame(trust.EntityID(n.cfg.EntityID), n.answer, frame), nil
		},
	}
	if n.heads, err = gap.OpenHeads(n.cfg); err != nil {
		return err
	}
	n.beginning = newBeginning()
	n.witness = witness.New(witness.Config{Heads: n.heads, Dir: witness.Dir(n.cfg), Now: n.now, Log: n.log,
		Alarm: func(ctx context.Context, err error) { n.attend(ctx, LedgerContradicted, true, err) }})
	handlers[transport.ProtocolLedger] = n.serveHeads
	handlers[transport.ProtocolConsent] = n.serveConsent
	for p, h := range o.Protocols {
		handlers[p] = h
	}
	handlers[transport.ProtocolListing] = func(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
		return n.directory.Serve(ctx, from, frame)
	}
	handlers[transport.ProtocolQuery] = func(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
		n.directory.Heard(from)
		if err := n.beginning.over(ctx); err != nil {
			return nil, err
		}
		reply, err := n.responder.Load().Handle(ctx, from, frame)
		if o.Reply != nil && err == nil {
			reply = o.Reply(reply)
		}
		return reply, err
	}
	if n.directory, err = n.openDirectory(); err != nil {
		return err
	}
	n.metrics = metrics.New(n.facts)
	cfg := responder.Config{
		Self: trust.EntityID(n.cfg.EntityID), Country: n.cfg.Jurisdiction, Signing: n.keys.Signing,
		Sealing: n.keys.Sealing, Members: n.directory, Law: &n.law, Gallery: n.gallery,
		Ledger: n.ledger, Replay: new(responder.ReplayMemory), Calibrations: n.calibrations, Faces: n.keys.Faces, Now: n.now, Logger: n.log,
		Presented: n.directory.Presented, Consents: n.consents, Offices: n.offices, Decoys: n.decoys,
		Budgets: n.budgets(), Desk: n.desk(), Pace: pace.New(time.Duration(n.cfg.Limits.Quantum) * time.Millisecond), Answered: n.metrics.Answered,
	}
	if o.Responder != nil {
		o.Responder(&cfg)
	}
	n.responder.Store(responder.New(cfg))
	n.line, err = line.New(transport.Config{
		Seed: n.keys.LibP2P, Listen: n.cfg.Listen.LibP2P, Logger: n.log, Overloaded: protocol.Overloaded,
		MaxHandlers: n.cfg.Limits.Handlers, MaxRate: n.cfg.Limits.Rate, MaxBytes: n.cfg.Limits.Bytes, MaxMemory: n.cfg.Limits.Memory,
		Admit: n.directory.Admits, Also: n.directory.Also, Share: n.directory.Share, Unknown: n.directory.Unknown,
		Hybrid: func(p transport.PeerID) bool {
			m, ok := n.directory.Known(string(p))
			return ok && slices.Contains(m.KeyExchange, transport.HybridKeyExchange)
		},
	}, handlers)
	if err != nil {
		return err
	}
	var out requester.Exchanger = noting{n.line, n.directory}
	if o.Exchanger != nil {
		out = o.Exchanger(out)
	}
	n.makeRequester = func(k keystore.Set) *requester.Requester {
		return requester.New(requester.Config{
			Self: trust.EntityID(n.cfg.EntityID), Country: n.cfg.Jurisdiction, Signing: k.Signing,
			Directory: n.directory, Law: &n.law, Ledger: n.ledger, Exchanger: out, Now: n.now, Logger: n.log, Chain: n.queryChain, Proof: n.provingChain, Witness: n.witness,
			Withdrawn: n.withdrawn, Counts: n.ownCounts,
		})
	}
	n.requester.Store(n.makeRequester(n.keys))
	if n.api, err = net.Listen("tcp", n.cfg.Listen.API); err != nil {
		return fmt.Errorf("opening API listener: %w", err)
	}
	if n.cfg.Listen.Federation != "" {
		if n.public, err = net.Listen("tcp", n.cfg.Listen.Federation); err != nil {
			return fmt.Errorf("opening federation listener: %w", err)
		}
		n.public = throng.Bound(n.public, throng.Total, throng.Each)
	}
	if n.cfg.Listen.Metrics != "" {
		if n.scrape, err = net.Listen("tcp", n.cfg.Listen.Metrics); err != nil {
			return fmt.Errorf("opening metrics listener: %w", err)
		}
	}
	return nil
}

// publish makes the node's Entity Configuration with the addresses the host has now
// and the keys k, and writes it to its file.
func (n *Node) publish(k keystore.Set) error {
	c, err := entityConfiguration(n.cfg, k, n.law.Serves(n.now()), n.anchors, n.advertised())
	if err != nil {
		return err
	}
	p, err := newPublisher(k, c, n.now)
	if err != nil {
		return err
	}
	if n.cfg.Trust.Subordinates > 0 {
		s, err := subordinates.New(n.cfg, k.Federation, jose.NewKeySet(k.Announced[1:]...), p, n.now)
		if err != nil {
			return err
		}
		author, err := membership.NewAuthor(membership.AuthorConfig{Authority: s, Key: k.Federation, Clock: n.now})
		if err != nil {
			return err
		}
		n.superior.Store(author)
	}
	n.publisher.Store(p)
	token, err := p.Token()
	if err != nil {
		return nil // an anchor is told a location then, or asks for a new one
	}
	// The one to hand to the anchor when addresses changed or the last one ages.
	return durable.Replace(filepath.Join(n.dir, EntityConfigurationFile), []byte(token+"\n"))
}

// EntityConfiguration is the node's current Entity Configuration, signed.
func (n *Node) EntityConfiguration() (string, error) { return n.publisher.Load().Token() }

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

// favour keeps room for members' connections, so that strangers cannot take it.
func (n *Node) favour() {
	members := make(map[transport.PeerID][]string)
	for _, m := range n.Members() {
		if string(m.EntityID) != n.cfg.EntityID {
			for _, id := range m.IDs() {
				members[transport.PeerID(id)] = m.Addresses
			}
		}
	}
	n.line.Favour(members)
}

// Run serves until ctx ends. handler is the API; it is given the API listener.
func (n *Node) Run(ctx context.Context, handler http.Handler) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.refreshing(ctx) })
	g.Go(func() error { return n.directory.Run(ctx) })
	g.Go(func() error { return n.rotating(ctx) })
	g.Go(func() error { return n.addressing(ctx) })
	g.Go(func() error { return n.renewing(ctx) })
	g.Go(func() error { return n.keeping(ctx) })
	g.Go(func() error { return n.following(ctx) })
	g.Go(func() error { return n.checking(ctx) })
	g.Go(func() error {
		return n.heads.Run(ctx, func(err error) {
			n.log.WarnContext(ctx, "checkpoints of peers not kept", slog.String("cause", err.Error()))
		})
	})
	g.Go(func() error { return serve(ctx, n.api, handler, apiIdle) })
	if n.public != nil {
		g.Go(func() error {
			return serve(ctx, n.public, n.entity(), throng.Idle)
		})
	}
	if n.scrape != nil {
		g.Go(func() error { return serve(ctx, n.scrape, n.Metrics(), apiIdle) })
	}
	err := g.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// refreshing keeps membership current, and has members asked for this node's checkpoints then.
func (n *Node) refreshing(ctx context.Context) error {
	asked, err := n.begin(ctx)
	if err != nil {
		return err
	}
	over := sync.OnceFunc(func() { close(n.beginning.asked) })
	if asked {
		over()
	}
	refreshed := make(chan struct{}, 1)
	g, ctx := errgroup.WithContext(ctx)
	// Members that let this node wait delay no refresh.
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-refreshed:
			}
			if _, err := n.compareHeads(ctx); err != nil {
				return err
			}
			over()
			n.mindConsents(ctx)
		}
	})
	g.Go(func() error {
		for {
			if err := n.Refresh(ctx); err != nil && ctx.Err() == nil {
				n.log.WarnContext(ctx, "membership not refreshed", slog.String("cause", err.Error()))
			}
			select {
			case refreshed <- struct{}{}:
			default: // it is due already
			}
			n.attend(ctx, LedgerContradicted, n.witness.Standing(), nil)
			next := time.NewTimer(varied(n.cfg.Trust.Refresh))
			select {
			case <-ctx.Done():
			case <-next.C:
			case <-n.directory.Wake():
			}
			next.Stop()
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	})
	return g.Wait()
}

// varied is the interval give or take a tenth, so that nodes started together do not ask
// their superiors at the same moment for good.
func varied(every time.Duration) time.Duration {
	tenth := every / 10
	return every - tenth + rand.N(2*tenth+1)
}

// apiIdle is how long a connection of this machine waits for its next request.
const apiIdle = 2 * time.Minute

// serve runs an HTTP server with limits until ctx ends. A connection may be idle for so long.
func serve(ctx context.Context, l net.Listener, h http.Handler, idle time.Duration) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       idle,
		MaxHeaderBytes:    16 << 10,
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		quit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(quit)
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	<-done // handlers use the stores, which the caller closes next
	return nil
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
	if n.publisher.Load() != nil {
		_ = os.Remove(AddressFile(n.cfg))
	}
	errs = append(errs, stores.Close(n.gallery, n.ledger))
	n.keys.Wipe()
	n.roots.Wipe()
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

func loadCalibrations(files []string) (responder.Calibrations, error) {
	out := responder.Calibrations{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading calibration: %w", err)
		}
		c, err := calibration.Parse(b)
		if err == nil {
			err = out.Add(c)
		}
		if err != nil {
			return nil, fmt.Errorf("reading calibration %s: %w", filepath.Base(path), err)
		}
	}
	return out, nil
}

// ErrAnchorFile: the file of a Trust Anchor's keys is not the one that the configuration means.
var ErrAnchorFile = errors.New("reading trust anchor")

func loadAnchors(configured []config.Anchor) ([]trust.Anchor, error) {
	var out []trust.Anchor
	for _, c := range configured {
		b, err := os.ReadFile(c.KeysFile)
		if err != nil {
			return nil, fmt.Errorf("reading trust anchor: %w", err)
		}
		var a trust.Anchor
		if err := json.Unmarshal(b, &a); err != nil {
			return nil, fmt.Errorf("%w: %s is not what `tamga anchor init` wrote", ErrAnchorFile, c.KeysFile)
		}
		if string(a.EntityID) != c.EntityID {
			return nil, fmt.Errorf("%w: %s is of another entity than the configuration says", ErrAnchorFile, c.KeysFile)
		}
		if c.Location != "" {
			a.Location = c.Location
		}
		out = append(out, a)
	}
	return out, nil
}

// APIAddress is the host:port of the HTTP API.
func (n *Node) APIAddress() string { return n.api.Addr().String() }

// Exchange sends one frame to a peer over the node's own transport, for measurements.
func (n *Node) Exchange(ctx context.Context, to trust.Node, protocol string, frame []byte) ([]byte, error) {
	return n.line.Exchange(ctx, transport.PeerID(to.PeerID), to.Addresses, protocol, frame)
}
