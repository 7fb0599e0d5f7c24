package endpoint

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/historicalkeys"
)

// defaultConfigurationLifetime outlives a long weekend without anybody at the
// authority, and bounds how long a lost federation key speaks.
const defaultConfigurationLifetime = 14 * 24 * time.Hour

// PublisherConfig is what a node publishes about itself.
type PublisherConfig struct {
	// Key is the Entity's federation key; required, never a protocol key.
	Key jose.PrivateKey
	// Configuration is what is signed; its times are ignored.
	Configuration trust.EntityConfiguration
	// Lifetime of each signed statement; zero means 14 days. A statement is signed
	// anew when half of it has passed, so an authority that asks less often than
	// that serves chains that run out.
	Lifetime time.Duration
	// History are the federation keys used before; optional.
	History []historicalkeys.Key
	// Clock is required.
	Clock func() time.Time
}

// Publisher answers for a node's own Entity Configuration ([Publisher.Answer]), which
// [Handler] serves over HTTP and [ServeFrame] over libp2p. Safe for concurrent use.
type Publisher struct {
	key           jose.PrivateKey
	configuration trust.EntityConfiguration // immutable after New
	lifetime      time.Duration
	clock         func() time.Time
	history       []historicalkeys.Key

	mu      sync.Mutex
	token   string    // the last signed statement
	issued  time.Time // when that was
	renewAt time.Time // when token is to be replaced
}

// NewPublisher checks that the configuration is one an authority would enrol, and
// signs it once.
func NewPublisher(cfg PublisherConfig) (*Publisher, error) {
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultConfigurationLifetime
	}
	if cfg.Clock == nil || cfg.Lifetime < time.Minute {
		return nil, errors.New("configuring publisher: clock missing or lifetime under a minute")
	}
	if m := cfg.Configuration.Metadata.TamgaNode; m != nil {
		if err := m.Check(); err != nil {
			return nil, fmt.Errorf("configuring publisher: %s: %w", trust.TypeNode, err)
		}
		if m.SharesKey(cfg.Configuration.Keys) || m.SharesKey(jose.NewKeySet(cfg.Key.Public())) {
			return nil, errors.New("configuring publisher: a federation key is also a protocol key")
		}
	}
	p := &Publisher{key: cfg.Key, configuration: cfg.Configuration, lifetime: cfg.Lifetime, clock: cfg.Clock, history: cfg.History}
	if _, err := p.Token(); err != nil {
		return nil, fmt.Errorf("configuring publisher: %w", err)
	}
	return p, nil
}

// Token is the current Entity Configuration, signed anew when half of its life has
// passed.
func (p *Publisher) Token() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	// One that was issued in the future, before the clock was put right, nobody accepts.
	if p.token != "" && now.Before(p.renewAt) && !now.Before(p.issued) {
		return p.token, nil
	}
	c := p.configuration
	c.IssuedAt, c.ExpiresAt = now, now.Add(p.lifetime)
	token, err := trust.SignEntityConfiguration(p.key, c)
	if err != nil {
		return "", err
	}
	p.token, p.issued, p.renewAt = token, now, now.Add(p.lifetime/2)
	return token, nil
}

// Answer answers what a node answers: its Entity Configuration, and which federation
// keys it used before.
func (p *Publisher) Answer(r Request) Response {
	var token string
	var err error
	switch r.Operation {
	case Configuration:
		token, err = p.Token()
	case HistoricalKeys:
		token, err = historicalkeys.Sign(p.key, p.configuration.Entity, p.history, p.clock())
	default:
		return Response{Code: NotFound}
	}
	if err != nil {
		return Response{Code: ServerError}
	}
	return Response{Body: token}
}
