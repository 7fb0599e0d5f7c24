package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
)

// AuthorConfig configures an [Author]; all fields are required.
type AuthorConfig struct {
	Authority *authority.Authority
	// Key is the authority's federation key.
	Key jose.PrivateKey
	// File holds the last listing, so that the next one has the next number. Its loss is
	// the loss of the Anchor's word: members believe no listing with a lower number.
	File  string
	Clock func() time.Time
}

// Author is the Anchor's side: it signs listings and bundles. Safe for concurrent use.
type Author struct {
	cfg AuthorConfig // immutable after New
	id  trust.EntityID

	mu      sync.Mutex            // guards what follows
	from    []authority.Enrolment // what the bundle was made of
	bundle  []byte
	entity  string // the Anchor's Entity Configuration in it
	tag     string // of bundle
	renewAt time.Time
	report  Published
}

// Published says what a bundle holds.
type Published struct {
	Listing Listing
	// Expired are members whom nobody can verify: the Anchor needs their newer Entity
	// Configurations.
	Expired []trust.EntityID
	// Until is when the first statement in it runs out; zero when it is about nobody.
	Until time.Time
}

// NewAuthor returns the author of an authority's listings.
func NewAuthor(cfg AuthorConfig) (*Author, error) {
	if cfg.Authority == nil || cfg.Key.IsZero() || cfg.File == "" || cfg.Clock == nil {
		return nil, errors.New("opening author: authority, key, file and clock are required")
	}
	return &Author{cfg: cfg, id: cfg.Authority.Anchor().EntityID}, nil
}

// Update signs the next listing when the authority vouches for others than the last one
// says; durable on return. It returns the listing in force. Call it after every change of
// members; [Author.Handler] and [Author.Publish] do so themselves.
func (a *Author) Update() (Listing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, _, err := a.updateLocked(a.cfg.Authority.List())
	return l, err
}

func (a *Author) updateLocked(members []authority.Enrolment) (Listing, string, error) {
	next := Listing{Anchor: a.id, Sequence: 1, IssuedAt: a.cfg.Clock().UTC().Truncate(time.Second)}
	for _, e := range members {
		if e.Suspended.IsZero() {
			next.Members = append(next.Members, e.Entity)
		} else {
			next.Suspended = append(next.Suspended, Suspension{Entity: e.Entity, Jurisdiction: e.Jurisdiction, Since: e.Suspended.Unix(), Reason: e.Reason})
		}
	}
	b, err := os.ReadFile(a.cfg.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Listing{}, "", fmt.Errorf("reading last listing: %w", err)
	}
	if err == nil {
		token := strings.TrimSpace(string(b))
		last, err := a.last(token)
		if err != nil {
			return Listing{}, "", err
		}
		if slices.Equal(last.Members, next.Members) && slices.Equal(last.Suspended, next.Suspended) {
			return last, token, nil
		}
		next.Sequence = last.Sequence + 1
		if last.IssuedAt.After(next.IssuedAt) {
			next.IssuedAt = last.IssuedAt // a clock that was put back
		}
	}
	token, err := sign(a.cfg.Key, next)
	if err != nil {
		return Listing{}, "", err
	}
	return next, token, replace(a.cfg.File, []byte(token+"\n"))
}

// last reads the listing signed last, under any key that the authority names.
func (a *Author) last(token string) (Listing, error) {
	p, err := a.cfg.Authority.Configuration()
	if err != nil {
		return Listing{}, err
	}
	s, err := trust.ParseStatement(p)
	if err != nil {
		return Listing{}, err
	}
	l, err := verifyListing(token, a.id, s.Keys())
	if err != nil {
		return Listing{}, fmt.Errorf("reading last listing %s: %w", filepath.Base(a.cfg.File), err)
	}
	return l, nil
}

// current makes the bundle again when members changed or a quarter of the life of what is
// in it has passed, and returns it with its tag.
func (a *Author) current() ([]byte, string, Published, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.cfg.Authority.Reload(); err != nil {
		return nil, "", Published{}, err
	}
	members, now := a.cfg.Authority.List(), a.cfg.Clock()
	if a.bundle != nil && now.Before(a.renewAt) && slices.EqualFunc(a.from, members, same) {
		return a.bundle, a.tag, a.report, nil
	}
	l, token, err := a.updateLocked(members)
	if err != nil {
		return nil, "", Published{}, err
	}
	p, err := a.cfg.Authority.Publish()
	if err != nil {
		return nil, "", Published{}, err
	}
	if p.Resolved == nil {
		p.Resolved = []string{}
	}
	b, err := json.Marshal(Bundle{Version: bundleVersion, Notice: Notice{p.Configuration, token}, Resolved: p.Resolved})
	if err != nil {
		return nil, "", Published{}, fmt.Errorf("making bundle: %w", err)
	}
	sum := sha256.Sum256(b)
	a.from, a.bundle, a.entity, a.tag = members, b, p.Configuration, `"`+hex.EncodeToString(sum[:16])+`"`
	a.report = Published{Listing: l, Expired: p.Expired, Until: p.Until}
	a.renewAt = now.Add(time.Hour) // the Entity Configuration may be another by then
	if quarter := now.Add(p.Until.Sub(now) / 4); !p.Until.IsZero() && quarter.Before(a.renewAt) {
		a.renewAt = quarter
	}
	return a.bundle, a.tag, a.report, nil
}

// same compares what of an enrolment is in a bundle.
func same(a, b authority.Enrolment) bool {
	return a.Entity == b.Entity && a.Configuration == b.Configuration && a.Lifetime == b.Lifetime &&
		a.EnrolledAt.Equal(b.EnrolledAt) && a.Suspended.Equal(b.Suspended) && a.Reason == b.Reason
}

// Handler serves the bundle at [WellKnown], and everything else by the authority's own
// handler.
func (a *Author) Handler() http.Handler {
	below := a.cfg.Authority.Handler()
	prefix := ""
	if u, err := url.Parse(string(a.id)); err == nil {
		prefix = strings.TrimRight(u.Path, "/")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimPrefix(r.URL.Path, prefix) != WellKnown || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			below.ServeHTTP(w, r)
			return
		}
		b, tag, _, err := a.current()
		if err != nil {
			http.Error(w, "the bundle could not be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	})
}

// Publish writes the Anchor as a folder of files that any web server serves, or a disk
// carries: the bundle and the Anchor's Entity Configuration. Files are replaced whole.
func (a *Author) Publish(dir string) (Published, error) {
	b, _, report, err := a.current()
	if err != nil {
		return Published{}, fmt.Errorf("publishing: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(filepath.FromSlash(WellKnown))), 0o755); err != nil {
		return Published{}, fmt.Errorf("publishing: %w", err)
	}
	a.mu.Lock()
	entity := a.entity
	a.mu.Unlock()
	err = replace(filepath.Join(dir, filepath.FromSlash(wellKnownConfiguration)), []byte(entity))
	if err == nil {
		err = replace(filepath.Join(dir, filepath.FromSlash(WellKnown)), b)
	}
	if err != nil {
		return Published{}, fmt.Errorf("publishing: %w", err)
	}
	return report, nil
}
