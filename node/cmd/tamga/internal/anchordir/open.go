// Package anchordir opens the folder of a Trust Anchor or an Intermediate, and serves it.
package anchordir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchorfile"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/internal/throng"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/rotation"
	"github.com/tamga-id/tamga/node/subordinates"
)

// Key is the family of an anchor's federation key.
const Key keys.Family = "federation-key"

// Opened is a Trust Anchor or Intermediate with its key, or a node that vouches for
// others.
type Opened struct {
	*authority.Authority
	Author   *membership.Author // nil but for a Trust Anchor
	below    *membership.Author // of an Intermediate, nil for others
	Settings Settings
	sum      [sha256.Size]byte // of keystore and settings as they were opened
	Key      jose.PrivateKey
	Root     custody.Root // opens the keystore again when it changed; to be wiped
	Node     bool
}

// Update signs the next listing when members changed, and returns its number, 0 where
// there is none.
func (o Opened) Update() (uint64, error) {
	if o.Author == nil {
		return 0, nil
	}
	l, err := o.Author.Update()
	return l.Sequence, err
}

// Spreads says how members learn of a change.
func (o Opened) Spreads() string {
	if o.Author == nil {
		return "members hear of it within a minute, from the node when it runs or the Intermediate when it serves"
	}
	return "an anchor that serves tells its members within a minute; another has to run tamga anchor publish"
}

// Open opens the anchor of a folder with its key, or the node in it.
func Open(a *cli.App, at Flags) (Opened, error) {
	dir := at.Dir
	if dir == "" {
		return Opened{}, fault.Usage("--dir is needed: the folder that `tamga anchor init` made")
	}
	if _, err := os.Stat(filepath.Join(dir, node.ConfigFile)); err == nil {
		return openSuperior(a, at)
	}
	if _, err := readAnchorSettings(dir); err != nil {
		return Opened{}, err
	}
	if at.from.Module != "" || len(at.from.Shares)+len(at.from.Identities) > 0 {
		return Opened{}, fault.Usage("a passphrase opens an anchor's key; shares and tokens are for a node's folder")
	}
	pass, err := a.Secret(at.from.SecretFlags, "Passphrase of the anchor's key")
	if err != nil {
		return Opened{}, err
	}
	root, err := custody.Open(filepath.Join(dir, anchorfile.Root), pass)
	if err != nil {
		return Opened{}, fmt.Errorf("opening trust anchor: %w", err)
	}
	o, err := At(dir, root)
	if err != nil {
		root.Wipe()
	}
	return o, err
}

// openSuperior opens what a node says of those below it.
func openSuperior(a *cli.App, at Flags) (Opened, error) {
	root, err := rootkey.Open(a, at.Dir, at.from)
	if err != nil {
		return Opened{}, err
	}
	s, key, err := subordinates.Open(at.Dir, root, time.Now)
	if err != nil {
		root.Wipe()
		return Opened{}, err
	}
	return Opened{Authority: s, Key: key, Root: root, Node: true}, nil
}

func readAnchorSettings(dir string) (Settings, error) {
	var s Settings
	b, err := os.ReadFile(filepath.Join(dir, anchorfile.Settings))
	if err != nil {
		return s, fmt.Errorf("opening trust anchor: %w", err)
	}
	if err := jose.DecodeClaims(b, &s); err != nil {
		return s, fmt.Errorf("opening trust anchor: %s is not what `tamga anchor init` wrote", anchorfile.Settings)
	}
	return s, nil
}

// anchorSum tells whether keystore or settings of dir are others than before. It goes by what
// they hold: of two replacements in a row the second may get the first one's inode back.
func anchorSum(dir string) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	for _, name := range []string{anchorfile.Keystore, anchorfile.Settings} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return sum, err
		}
		one := sha256.Sum256(b)
		h.Write(one[:])
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// At opens the anchor of dir with an open root key.
func At(dir string, root custody.Root) (Opened, error) {
	sum, err := anchorSum(dir)
	if err != nil {
		return Opened{}, fmt.Errorf("opening trust anchor: %w", err)
	}
	s, err := readAnchorSettings(dir)
	if err != nil {
		return Opened{}, err
	}
	store, err := custody.OpenKeystore(filepath.Join(dir, anchorfile.Keystore), root)
	if err != nil {
		return Opened{}, fmt.Errorf("opening trust anchor: %w", err)
	}
	secrets := make(map[string][]byte)
	defer WipeAll(secrets)
	for _, name := range store.Names() {
		if secrets[name], err = store.Secret(name); err != nil {
			return Opened{}, fmt.Errorf("opening trust anchor: %w", err)
		}
	}
	key, others, err := Keys(secrets)
	if err != nil {
		return Opened{}, fmt.Errorf("opening trust anchor: %w", err)
	}
	cfg := authority.Config{EntityID: trust.EntityID(s.EntityID), Key: key, Keys: others, Superiors: s.Superiors,
		MarkRules: trust.MarkRules{Issuers: s.MarkIssuers, Owners: s.MarkOwners},
		Dir:       filepath.Join(dir, anchorfile.Members), OrganizationName: s.Name, Clock: time.Now}
	present := jose.NewKeySet(append([]jose.PublicKey{key.Public()}, others.Keys()...)...)
	if cfg.History, err = rotation.ReadHistory(filepath.Join(dir, backup.HistoricalKeys), cfg.EntityID, present, time.Now()); err != nil {
		return Opened{}, fmt.Errorf("opening trust anchor: %w", err)
	}
	if len(s.Superiors) > 0 {
		cfg.Lifetime = intermediateLifetime
	}
	authority, err := authority.New(cfg)
	if err != nil {
		return Opened{}, err
	}
	o := Opened{Authority: authority, Settings: s, sum: sum, Key: key, Root: root}
	if len(s.Superiors) > 0 {
		o.below, err = membership.NewAuthor(membership.AuthorConfig{Authority: authority, Key: key, Clock: time.Now})
		return o, err
	}
	o.Author, err = membership.NewAuthor(membership.AuthorConfig{Authority: authority, Key: key, File: filepath.Join(dir, anchorfile.Listing),
		Rollover: filepath.Join(dir, anchorfile.Rollover), Clock: time.Now})
	return o, err
}

// intermediateLifetime is for how long an Intermediate's Entity Configuration holds: who
// believes it is decided by its superior's statements, which hold for a day.
const intermediateLifetime = 366 * 24 * time.Hour

// handler serves what the anchor says.
func (o Opened) handler() http.Handler {
	if o.Author == nil {
		return endpoint.Handler(trust.EntityID(o.Settings.EntityID), o.below.Answer)
	}
	return o.Author.Handler()
}

// Keys are the federation key that signs and the others that are announced.
func Keys(secrets map[string][]byte) (jose.PrivateKey, jose.KeySet, error) {
	g, err := keys.Of(secrets, Key)
	if err != nil {
		return jose.PrivateKey{}, jose.KeySet{}, err
	}
	var current jose.PrivateKey
	var others []jose.PublicKey
	for i, seed := range g.Ordered() {
		k, err := jose.NewPrivateKey(seed)
		if err != nil {
			return jose.PrivateKey{}, jose.KeySet{}, err
		}
		if i == 0 {
			current = k
		} else {
			others = append(others, k.Public())
		}
	}
	return current, jose.NewKeySet(others...), nil
}

// WipeAll overwrites what a keystore held.
func WipeAll(secrets map[string][]byte) {
	for _, s := range secrets {
		clear(s)
	}
}

// Serve serves until ctx ends, with another key as soon as the keystore holds one.
func Serve(ctx context.Context, a *cli.App, dir string, anchor Opened) error {
	l, err := net.Listen("tcp", anchor.Settings.Listen)
	if err != nil {
		return fmt.Errorf("serving statements: %w", err)
	}
	l = throng.Bound(l, throng.Total, throng.Each)
	var handler atomic.Pointer[http.Handler]
	use := func(o Opened) { h := o.handler(); handler.Store(&h) }
	use(anchor)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: throng.Idle, MaxHeaderBytes: 16 << 10}
	a.Say("serving %s on http://%s, %d members", anchor.Settings.EntityID, l.Addr(), len(anchor.List()))
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	g.Go(func() error {
		for ctx.Err() == nil {
			refetching(ctx, a, dir, anchor)
			if ctx.Err() != nil {
				return nil
			}
			next, err := At(dir, anchor.Root)
			if err != nil {
				a.Say("taking up the changed keystore or settings: %v", err)
				continue
			}
			anchor = next
			use(anchor)
			a.Say("changed keystore or settings taken up")
		}
		return nil
	})
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving statements: %w", err)
		}
		return nil
	})
	return g.Wait()
}

// refetching keeps members' Entity Configurations fresh until keystore or settings are
// replaced.
func refetching(ctx context.Context, a *cli.App, dir string, anchor Opened) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error {
		return anchor.Run(ctx, refetchEvery, func(err error) {
			if err != nil {
				a.Say("fetching members' Entity Configurations anew: %v", err)
			}
		})
	})
	every := time.NewTicker(keystoreEvery)
	defer every.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-every.C:
			if now, err := anchorSum(dir); err == nil && now != anchor.sum {
				cancel()
			}
		}
	}
	_ = g.Wait()
}

const (
	// refetchEvery is how often an anchor looks whether a member's Entity Configuration
	// nears its end and, where it was told a location, fetches it anew.
	refetchEvery = 10 * time.Minute
	// keystoreEvery is how often a serving anchor looks whether its keystore is another.
	keystoreEvery = 2 * time.Second
)
