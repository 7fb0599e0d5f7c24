package holder

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

const (
	// patience bounds one request: a holder is on a network of the agency's own, and the
	// traveller waits.
	patience = 3 * time.Second
	// pause is how long a holder that did not answer is left alone.
	pause = 5 * time.Second
	// queueing bounds how long a request waits for a holder whose rate is used up, so that
	// an import goes as fast as the holders answer, and again is how long between tries.
	queueing = 5 * time.Second
	again    = 200 * time.Millisecond
)

var (
	errPaused  = errors.New("it did not answer a moment ago")
	errTooMany = errors.New("it answers no more requests for now: its rate is used up")
	errShare   = errors.New("it has another share than the committee says")
)

// Failure is what is told of a holder that was asked in vain.
type Failure struct {
	Holder string // name
	Lies   bool   // it answered, and wrongly
	Err    error
}

// Client asks a committee. It is safe for concurrent use.
type Client struct {
	// Immutable after NewClient.
	committee Committee
	holders   []*peer
	key       pseudonym.Key
	queueing  time.Duration

	mu   sync.Mutex
	told func(Failure) // Guarded by mu.
}

type peer struct {
	http *http.Client
	url  string

	mu    sync.Mutex
	until time.Time // it is left alone. Guarded by mu.
	bad   bool      // its failure was told. Guarded by mu.
}

// ClientKey is the key of a node's TLS certificate, from a seed of its own: holders
// answer whoever has it.
func ClientKey(seed [32]byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed[:]) }

// NewClient makes a client of the node with that key. It connects when it asks first.
func NewClient(c Committee, key ed25519.PrivateKey) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("making client: %w", err)
	}
	cl := &Client{committee: c, queueing: queueing, told: func(Failure) {}}
	for _, m := range c.Holders {
		config, err := tlsConfig(key, []ed25519.PublicKey{m.Key})
		if err != nil {
			return nil, fmt.Errorf("making client: %w", err)
		}
		cl.holders = append(cl.holders, &peer{url: "https://" + m.Address + evaluatePath, http: &http.Client{Timeout: patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: patience}}})
	}
	t, err := c.Terms()
	if err == nil {
		cl.key, err = pseudonym.NewShared(t, cl.ask, cl.failed)
	}
	if err != nil {
		return nil, fmt.Errorf("making client: %w", err)
	}
	return cl, nil
}

// Key is the key that the committee holds, which asks through the client.
func (c *Client) Key() pseudonym.Key { return c.key }

// Everyone asks every holder, and not only as many as are needed, for the pseudonym of id:
// [pseudonym.ErrHolders] names those who do not answer as they should.
func (c *Client) Everyone(id pseudonym.Identifier) error {
	t, err := c.committee.Terms()
	if err != nil {
		return err
	}
	t.Threshold = len(t.Holders)
	all, err := pseudonym.NewShared(t, c.ask, c.failed)
	if err == nil {
		_, err = all.Element(id)
	}
	return err
}

// Watch has told called when a holder begins to fail, and each time one lies.
func (c *Client) Watch(told func(Failure)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = told
}

// Close ends idle connections.
func (c *Client) Close() {
	for _, p := range c.holders {
		p.http.CloseIdleConnections()
	}
}

// ask is the [pseudonym.Ask] of the client. It returns within queueing and patience.
func (c *Client) ask(holder int, request []byte) ([]byte, error) {
	for end := time.Now().Add(c.queueing); ; {
		out, err := c.askOnce(holder, request)
		if !errors.Is(err, errTooMany) || !time.Now().Before(end) {
			return out, err
		}
		time.Sleep(again)
	}
}

func (c *Client) askOnce(holder int, request []byte) ([]byte, error) {
	p := c.holders[holder-1]
	if p.paused() {
		return nil, errPaused
	}
	resp, err := p.http.Post(p.url, "application/octet-stream", bytes.NewReader(append(bytes.Clone(c.committee.Holders[holder-1].Public), request...)))
	if err != nil {
		p.leave()
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, pseudonym.ResponseSize+1))
	switch {
	case err != nil:
		p.leave()
		return nil, err
	case resp.StatusCode == http.StatusTooManyRequests:
		return nil, errTooMany
	case resp.StatusCode == http.StatusConflict:
		return nil, errShare
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers with status %d", resp.StatusCode)
	}
	p.works()
	return b, nil
}

func (p *peer) paused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.until)
}

func (p *peer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(pause)
}

func (p *peer) works() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad = false
}

// failed tells of a holder that fails once, until it works again, and of each lie.
func (c *Client) failed(e *pseudonym.HolderError) {
	p := c.holders[e.Holder-1]
	p.mu.Lock()
	again := p.bad && !e.Lies()
	p.bad = true
	p.mu.Unlock()
	if again || errors.Is(e.Err, errPaused) {
		return
	}
	c.mu.Lock()
	told := c.told
	c.mu.Unlock()
	told(Failure{Holder: c.committee.Holders[e.Holder-1].Name, Lies: e.Lies(), Err: e.Err})
}
