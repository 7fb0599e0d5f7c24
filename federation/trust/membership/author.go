package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
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
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/disk"
	"github.com/tamga-id/tamga/federation/trust/membership/internal/rollover"
)

// ErrTooMany: the Anchor cannot list as many Entities, or with identifiers and reasons as
// long. What is meant for so many is an Intermediate for some of them.
var ErrTooMany = errors.New("a listing has no room for them")

// AuthorConfig configures an [Author]; all fields are required, but File and Rollover for an
// Intermediate, which has neither.
type AuthorConfig struct {
	Authority *authority.Authority
	// Key is the authority's federation key.
	Key jose.PrivateKey
	// File holds the last listing, so that the next one has the next number. Its loss is
	// the loss of the Anchor's word: members believe no listing with a lower number. The
	// listings of an Intermediate are numbered by the time instead, in milliseconds since 1970:
	// those below it can be many, and a backup that is put back must not silence it.
	File string
	// Rollover holds the authority's Entity Configurations that changed its keys, in order.
	// The one of now is added when it has others than the last.
	Rollover string
	Clock    func() time.Time
}

// Author is the side of the Anchor, or of an Intermediate: it signs listings and, of an Anchor,
// bundles. Safe for concurrent use.
type Author struct {
	cfg AuthorConfig // immutable after New
	id  trust.EntityID

	mu      sync.Mutex            // guards what follows
	from    []authority.Enrolment // what the bundle was made of
	marks   []authority.IssuedMark
	bundle  []byte
	entity  string // the Anchor's Entity Configuration in it
	former  string // and its historical keys
	tag     string // of bundle
	madeAt  time.Time
	renewAt time.Time
	report  Published
	said    Listing // of an Intermediate, signed last by this author
	token   string  // of said
}

// Published says what a bundle holds.
type Published struct {
	Listing Listing
	// Expired are members whom nobody can verify: the Anchor needs their newer Entity
	// Configurations.
	Expired []trust.EntityID
	// Until is when the first statement in it runs out; zero when it is about nobody.
	Until time.Time
	// Marks is how many Trust Marks' status is in it.
	Marks int
}

// NewAuthor returns the author of an authority's listings. From there on the authority
// enrols and suspends nobody for whom they have no room; see [ErrTooMany].
func NewAuthor(cfg AuthorConfig) (*Author, error) {
	if cfg.Authority == nil || cfg.Key.IsZero() || (cfg.File == "") != (cfg.Rollover == "") || cfg.Clock == nil {
		return nil, errors.New("opening author: authority, key, files and clock are required")
	}
	a := &Author{cfg: cfg, id: cfg.Authority.Anchor().EntityID}
	cfg.Authority.CheckWith(a.check)
	return a, nil
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

// of is the listing of members, with the first number that there is.
func (a *Author) of(members []authority.Enrolment) Listing {
	l := Listing{Anchor: a.id, Sequence: 1, IssuedAt: a.cfg.Clock().UTC().Truncate(time.Second)}
	for _, e := range members {
		if e.Suspended.IsZero() {
			l.Members = append(l.Members, e.Entity)
		} else {
			l.Suspended = append(l.Suspended, Suspension{Entity: e.Entity, Jurisdiction: e.Jurisdiction, Since: e.Suspended.Unix(), Reason: e.Reason})
		}
	}
	return l
}

// sign signs a listing that members can take over and hand on.
func (a *Author) sign(l Listing) (string, error) {
	if n := len(l.Members) + len(l.Suspended); n > maxMembers {
		return "", fmt.Errorf("%w: %d members and suspended, and a listing holds %d", ErrTooMany, n, maxMembers)
	}
	token, err := sign(a.cfg.Key, l)
	if errors.Is(err, jose.ErrTooLarge) {
		return "", fmt.Errorf("%w: a listing is of at most %d bytes, which the identifiers of %d members and suspended, and the reasons, exceed",
			ErrTooMany, jose.MaxTokenSize, len(l.Members)+len(l.Suspended))
	}
	if err != nil {
		return "", err
	}
	own, err := a.cfg.Authority.Configuration()
	if err != nil {
		return "", err
	}
	room := maxNotice - noticeOverhead
	if a.cfg.File == "" {
		room -= statementsRoom
	}
	if size := len(own) + len(token); size > room {
		return "", fmt.Errorf("%w: listing and Entity Configuration have %d bytes, and members hand on no more than %d", ErrTooMany, size, room)
	}
	return token, nil
}

// check refuses what no listing would have room for. It makes the longest numbers, so that
// none has to be refused later for its number.
func (a *Author) check(members []authority.Enrolment) error {
	l := a.of(members)
	l.Sequence = math.MaxUint64
	_, err := a.sign(l)
	return err
}

func (a *Author) updateLocked(members []authority.Enrolment) (Listing, string, error) {
	next := a.of(members)
	if a.cfg.File == "" {
		return a.timedLocked(next)
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
		// One that another key signed is signed anew before that key goes, and one that a
		// clock dated ahead when that is mended: members take it over then alone.
		if last.says(next) && signedBy(token, a.cfg.Key) {
			return last, token, nil
		}
		next.Sequence = last.Sequence + 1
	}
	token, err := a.sign(next)
	if err != nil {
		return Listing{}, "", err
	}
	return next, token, disk.Publish(a.cfg.File, []byte(token+"\n"))
}

// signedBy reports whether a verified token names the key as that of its signature.
func signedBy(token string, key jose.PrivateKey) bool {
	_, err := jose.Verify(token, listingType, jose.NewKeySet(key.Public()))
	return err == nil
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

// Announce records the authority's keys when they are others than before; durable on
// return. Call it after every change of keys.
func (a *Author) Announce() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	token, err := a.cfg.Authority.Configuration()
	if err == nil {
		_, err = a.rolloverLocked(token)
	}
	return err
}

// rolloverLocked returns the history of the authority's keys, with token at its end when
// that has others.
func (a *Author) rolloverLocked(token string) ([]string, error) {
	b, err := os.ReadFile(a.cfg.Rollover)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading history of keys: %w", err)
	}
	history := strings.Fields(string(b))
	s, err := trust.ParseStatement(token)
	if err != nil {
		return nil, err
	}
	if len(history) > 0 {
		last, err := trust.ParseStatement(history[len(history)-1])
		if err != nil {
			return nil, fmt.Errorf("reading history of keys: %w", err)
		}
		if rollover.SameKeys(last.Keys(), s.Keys()) {
			return history, nil
		}
		if s.IssuedAt().Before(last.IssuedAt()) {
			return nil, fmt.Errorf("changing keys: the clock is behind that of the last change, at %s; members would pass this one over", last.IssuedAt().UTC().Format(time.RFC3339))
		}
	}
	history = append(history, token)
	if len(history) > rollover.Max {
		history = history[len(history)-rollover.Max:]
	}
	return history, disk.Publish(a.cfg.Rollover, []byte(strings.Join(history, "\n")+"\n"))
}

// current makes the bundle again when members changed or a quarter of the life of what is
// in it has passed, and returns it with its tag.
func (a *Author) current() ([]byte, string, Published, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.cfg.Authority.Reload(); err != nil {
		return nil, "", Published{}, err
	}
	members, marks, now := a.cfg.Authority.List(), a.cfg.Authority.Marks(), a.cfg.Clock()
	if a.bundle != nil && now.Before(a.renewAt) && !now.Before(a.madeAt) && slices.EqualFunc(a.from, members, same) && slices.EqualFunc(a.marks, marks, sameMark) {
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
	history, err := a.rolloverLocked(p.Configuration)
	if err != nil {
		return nil, "", Published{}, err
	}
	if p.Resolved == nil {
		p.Resolved = []string{}
	}
	b, err := json.Marshal(Bundle{Version: bundleVersion, Notice: Notice{Configuration: p.Configuration, Listing: token}, Rollover: history, Resolved: p.Resolved, Statuses: p.Statuses, Historical: p.Historical})
	if err != nil {
		return nil, "", Published{}, fmt.Errorf("making bundle: %w", err)
	}
	sum := sha256.Sum256(b)
	a.from, a.marks, a.bundle, a.entity, a.former, a.tag = members, marks, b, p.Configuration, p.Historical, `"`+hex.EncodeToString(sum[:16])+`"`
	a.report = Published{Listing: l, Expired: p.Expired, Until: p.Until, Marks: len(p.Statuses)}
	a.madeAt, a.renewAt = now, now.Add(time.Hour) // the Entity Configuration may be another by then
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

// sameMark compares what of a mark's status is in a bundle.
func sameMark(a, b authority.IssuedMark) bool {
	return a.Token == b.Token && a.Revoked.Equal(b.Revoked)
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
// carries: the bundle, the Anchor's Entity Configuration, and its historical keys where its
// endpoint for them is. Files are replaced whole.
func (a *Author) Publish(dir string) (Published, error) {
	b, _, report, err := a.current()
	if err != nil {
		return Published{}, fmt.Errorf("publishing: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(filepath.FromSlash(WellKnown))), 0o755); err != nil {
		return Published{}, fmt.Errorf("publishing: %w", err)
	}
	a.mu.Lock()
	entity, former := a.entity, a.former
	a.mu.Unlock()
	err = disk.Publish(filepath.Join(dir, filepath.FromSlash(wellKnownConfiguration)), []byte(entity))
	if err == nil {
		err = disk.Publish(filepath.Join(dir, filepath.FromSlash(endpoint.HistoricalKeys.Path())), []byte(former))
	}
	if err == nil {
		err = disk.Publish(filepath.Join(dir, filepath.FromSlash(WellKnown)), b)
	}
	if err != nil {
		return Published{}, fmt.Errorf("publishing: %w", err)
	}
	return report, nil
}
