package holder

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

const (
	evaluatePath = "/v1/evaluate"
	sizeAsked    = pseudonym.RequestSize + pseudonym.RequestSize // public key of the share, request
	// burst is how many seconds' worth of answers may be asked for at once.
	burst = 10
	// counted is how often the counts are logged.
	counted = time.Minute
	// DefaultRate is how many answers a second a holder gives: 10^9 guesses take a thief of
	// the node's keys half a year, and show in the counts of every minute.
	DefaultRate = 64
)

// Options say how a holder answers.
type Options struct {
	Clients []ed25519.PublicKey // whom it answers: the keys of the node's TLS certificates
	Rate    float64             // answers a second; 0: DefaultRate
	Log     *slog.Logger
	Now     func() time.Time
}

// Counts are what a holder did since it was started.
type Counts struct {
	Answered uint64 // requests
	Refused  uint64 // because they were too many
	Other    uint64 // because they were malformed, or of another share
}

// limiter is a token bucket.
type limiter struct {
	mu     sync.Mutex
	rate   float64
	tokens float64
	last   time.Time
	counts Counts
}

func (l *limiter) take(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.last) {
		l.tokens = min(l.rate*burst, l.tokens+l.rate*now.Sub(l.last).Seconds())
		l.last = now
	}
	if l.tokens < 1 {
		l.counts.Refused++
		return false
	}
	l.tokens--
	return true
}

func (l *limiter) count(f func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.counts)
}

func (l *limiter) now() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Serve answers the clients at l until ctx ends, and closes l. It returns [ErrNotJoined]
// for a holder without a share.
func (f *Folder) Serve(ctx context.Context, l net.Listener, o Options) error {
	if f.share == nil {
		return errors.Join(ErrNotJoined, l.Close())
	}
	held, err := f.shares()
	if err != nil {
		return errors.Join(fmt.Errorf("serving: %w", err), l.Close())
	}
	config, err := tlsConfig(f.tls, o.Clients)
	if err != nil {
		return errors.Join(fmt.Errorf("serving: %w", err), l.Close())
	}
	config.ClientAuth = tls.RequireAnyClientCert
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	limit := &limiter{rate: o.Rate, tokens: o.Rate * burst, last: o.Now()}
	b := newBounded(l)
	s := &http.Server{Handler: handler(held, limit, o.Now), TLSConfig: config, ConnState: b.seen, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 4 << 10, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	var wg sync.WaitGroup
	ended := make(chan struct{})
	wg.Go(func() {
		defer func() { _ = s.Close() }()
		every := time.NewTicker(counted)
		defer every.Stop()
		for before := (Counts{}); ; {
			select {
			case <-ctx.Done():
				report(ctx, o.Log, limit.now(), before)
				return
			case <-ended:
				return
			case <-every.C:
				held.look() // a share that was retired goes
				before = report(ctx, o.Log, limit.now(), before)
			}
		}
	})
	err = s.ServeTLS(b, "", "")
	close(ended)
	wg.Wait()
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// report logs how much was done since before. It says nothing of whom.
func report(ctx context.Context, log *slog.Logger, now, before Counts) Counts {
	if now != before {
		log.InfoContext(ctx, "evaluations", slog.Uint64("answered", now.Answered-before.Answered), slog.Uint64("too_many", now.Refused-before.Refused),
			slog.Uint64("malformed", now.Other-before.Other), slog.Uint64("total", now.Answered))
	}
	return now
}

// share is what answers requests, and the public key that it answers for.
type share interface {
	Evaluate(request []byte) ([]byte, error)
	public32() []byte
}

type ownShare struct{ pseudonym.Key }

func (s ownShare) public32() []byte { return s.Public().Bytes() }

// held are the shares that a holder answers with.
type held struct {
	f *Folder

	mu     sync.Mutex
	shares []share
	looked time.Time
}

// shares loads those that the folder has.
func (f *Folder) shares() (*held, error) {
	h := &held{f: f}
	for _, b := range [][]byte{f.share, f.before} {
		if b == nil {
			continue
		}
		k, err := f.key(b)
		if err != nil {
			return nil, err
		}
		h.shares = append(h.shares, k)
	}
	return h, nil
}

// of is the share of that public key, nil when there is none. One that was made or retired
// while the holder runs is found in its keystore.
func (h *held) of(public []byte, now time.Time) share {
	h.mu.Lock()
	defer h.mu.Unlock()
	for again := false; ; again = true {
		for _, s := range h.shares {
			if string(s.public32()) == string(public) {
				return s
			}
		}
		if again || now.Sub(h.looked) < time.Second {
			return nil
		}
		h.looked = now
		h.reread()
	}
}

func (h *held) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reread()
}

// reread looks into the keystore again. What cannot be read stays as it was.
func (h *held) reread() {
	store, err := custody.OpenKeystore(filepath.Join(h.f.dir, keystoreFile), h.f.root)
	if err != nil {
		return
	}
	fresh := &Folder{key: h.f.key}
	if fresh.readShares(store) != nil {
		return
	}
	if now, err := fresh.shares(); err == nil {
		h.shares = now.shares
	}
}

// handler takes the public key of a share and a request, 32 bytes each, and answers as
// [pseudonym.Key.Evaluate] does.
func handler(held *held, limit *limiter, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+evaluatePath, func(w http.ResponseWriter, r *http.Request) {
		if !limit.take(now()) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		out, status := answer(held, r.Body, now())
		limit.count(func(c *Counts) {
			if status == http.StatusOK {
				c.Answered++
			} else {
				c.Other++
			}
		})
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(status)
		_, _ = w.Write(out)
	})
	return mux
}

func answer(held *held, body io.Reader, now time.Time) ([]byte, int) {
	b, err := io.ReadAll(io.LimitReader(body, sizeAsked+1))
	if err != nil || len(b) != sizeAsked {
		return nil, http.StatusBadRequest
	}
	s := held.of(b[:pseudonym.RequestSize], now)
	if s == nil {
		return nil, http.StatusConflict
	}
	out, err := s.Evaluate(b[pseudonym.RequestSize:])
	if err != nil {
		return nil, http.StatusBadRequest
	}
	return out, http.StatusOK
}

// tlsConfig is of who has the key and speaks with those of the peers' keys.
func tlsConfig(key ed25519.PrivateKey, peers []ed25519.PublicKey) (*tls.Config, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		// Keys are pinned below; there is no authority whose word would count.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) > 0 {
				k, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
				if ok && slices.ContainsFunc(peers, func(p ed25519.PublicKey) bool { return k.Equal(p) }) {
					return nil
				}
			}
			return errStranger
		},
	}, nil
}

var errStranger = errors.New("the peer's key is not the one that is expected")
