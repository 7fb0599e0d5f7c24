package membership

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/historicalkeys"
)

// pollTimeout bounds one poll of an Anchor: a bundle of a thousand members over a slow line.
const pollTimeout = 30 * time.Second

// fileScheme marks the location of an Anchor whose folder lies on a disk.
const fileScheme = "file://"

// Source answers for Anchors that publish a bundle from that, and for everybody else by
// the [trust.Source] beneath. Safe for concurrent use.
type Source struct {
	trust.Source
	anchors []trust.Anchor // immutable after New
	keeper  *Keeper
	client  *http.Client
	clock   func() time.Time

	// polling holds a token while the one poll of each Anchor runs, so that who waits for it heeds his context.
	polling []chan struct{}
	reading []chan file // by Anchor, guarded by polling: of a read that is under way still

	mu    sync.Mutex
	state map[trust.EntityID]state // guarded by mu
}

// state is what is known of one Anchor's bundle.
type state struct {
	etag     string
	modified time.Time // of a file
	size     int64
	notice   Notice
	resolved map[trust.EntityID]string
	statuses map[string]string // by Trust Mark
	former   string            // historical keys
	has      bool              // there is a bundle
	err      error             // of the last poll
}

var _ trust.Source = (*Source)(nil)

// errNoBundle: the Anchor was reached and has none.
var errNoBundle = errors.New("the Trust Anchor publishes no bundle")

// NewSource returns a source over beneath. client may be nil.
func NewSource(beneath trust.Source, anchors []trust.Anchor, k *Keeper, client *http.Client, clock func() time.Time) (*Source, error) {
	if beneath == nil || k == nil || clock == nil {
		return nil, errors.New("configuring source: source beneath, keeper and clock are required")
	}
	s := &Source{Source: beneath, anchors: anchors, keeper: k, clock: clock, client: &http.Client{}, state: make(map[trust.EntityID]state), polling: make([]chan struct{}, len(anchors)), reading: make([]chan file, len(anchors))}
	for i := range s.polling {
		s.polling[i] = make(chan struct{}, 1)
	}
	if client != nil {
		*s.client = *client
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("redirect refused") }
	return s, nil
}

// WithoutFiles returns the Anchors without locations on a disk, which only a [Source] reads.
func WithoutFiles(anchors []trust.Anchor) []trust.Anchor {
	out := make([]trust.Anchor, len(anchors))
	for i, a := range anchors {
		if strings.HasPrefix(a.Location, fileScheme) {
			a.Location = ""
		}
		out[i] = a
	}
	return out
}

// Poll reads the bundle of every Anchor when it has changed, all at a time, and returns the
// listings in it that are newer than what was held. It costs an Anchor one conditional
// request. The error joins what went wrong with single Anchors; what was known of them
// stays.
func (s *Source) Poll(ctx context.Context) ([]Listing, error) {
	news, faults := make([]Listing, len(s.anchors)), make([]error, len(s.anchors))
	var g errgroup.Group
	for i, a := range s.anchors {
		g.Go(func() error {
			news[i], _, faults[i] = s.PollAnchor(ctx, a.EntityID)
			return nil
		})
	}
	g.Wait()
	return slices.DeleteFunc(news, func(l Listing) bool { return l.Anchor == "" }), errors.Join(faults...)
}

// PollAnchor does so for one Anchor, and says whether its listing is newer; the listing is
// zero when it is not. Of one Anchor one poll runs at a time; who waits for that longer than ctx
// changes nothing.
func (s *Source) PollAnchor(ctx context.Context, id trust.EntityID) (l Listing, newer bool, err error) {
	i := slices.IndexFunc(s.anchors, func(a trust.Anchor) bool { return a.EntityID == id })
	if i < 0 {
		return Listing{}, false, ErrUnknownAnchor
	}
	select {
	case s.polling[i] <- struct{}{}:
		defer func() { <-s.polling[i] }()
	case <-ctx.Done(): // what the poll that is under way finds is for that to say
		return Listing{}, false, fmt.Errorf("reading bundle of %q: it is being read still: %w", id, ctx.Err())
	}
	s.mu.Lock()
	before := s.state[id]
	s.mu.Unlock()
	after, l, newer, err := s.poll(ctx, i, before)
	if errors.Is(err, errNoBundle) {
		after, err = state{}, nil
	}
	if err != nil {
		after = before
		after.err = fmt.Errorf("reading bundle of %q: %w", id, err)
		err = after.err
	}
	s.mu.Lock()
	s.state[id] = after
	s.mu.Unlock()
	if !newer {
		l = Listing{}
	}
	return l, newer, err
}

func (s *Source) poll(ctx context.Context, i int, before state) (state, Listing, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	a := s.anchors[i]
	var b []byte
	var after state
	var err error
	if strings.HasPrefix(a.Location, fileScheme) {
		b, after, err = s.readFile(ctx, i, before)
	} else {
		b, after, err = s.fetch(ctx, a, before)
	}
	if err != nil {
		return before, Listing{}, false, err
	}
	if b == nil { // as it was
		before.err = nil
		return before, Listing{}, false, nil
	}
	bundle, err := ParseBundle(b)
	if err != nil {
		return before, Listing{}, false, err
	}
	if id, err := bundle.anchorOf(); err != nil || id != a.EntityID {
		return before, Listing{}, false, errors.New("the bundle is not of this Trust Anchor")
	}
	// The history leads to the Entity Configuration of now, or nowhere.
	if _, err := s.keeper.Follow(a.EntityID, append(bundle.Rollover, bundle.Configuration), s.clock()); err != nil {
		return before, Listing{}, false, err
	}
	l, newer, err := s.keeper.Offer(bundle.Notice, s.clock())
	if err != nil {
		return before, Listing{}, false, err
	}
	if _, held, ok := s.keeper.Held(trust.Path(a.EntityID)); ok && held.Listing != bundle.Listing && before.has {
		// The bundle is of before that listing, and so is what it says of members: a folder
		// that was put back, or a cache on the way.
		before.err = nil
		return before, Listing{}, false, nil
	}
	after.notice, after.resolved, after.statuses, after.former, after.has = bundle.Notice, bundle.index(), bundle.statuses(), bundle.Historical, true
	return after, l, newer, nil
}

// file is what was read from a disk.
type file struct {
	b     []byte
	after state
	err   error
}

// readFile reads an Anchor's folder, and waits for it no longer than ctx: a folder of another
// machine hangs when that is away, and no call of the system ends then. One read at most
// is left behind, for the next poll to take up.
func (s *Source) readFile(ctx context.Context, i int, before state) ([]byte, state, error) {
	done := s.reading[i]
	if done == nil {
		done = make(chan file, 1) // so that the read ends when nobody waits for it
		s.reading[i] = done
		go func() {
			b, after, err := readFile(s.anchors[i], before)
			done <- file{b, after, err}
		}()
	}
	select {
	case f := <-done:
		s.reading[i] = nil
		return f.b, f.after, f.err
	case <-ctx.Done():
		return nil, before, fmt.Errorf("its folder does not answer: %w", ctx.Err())
	}
}

// readFile reads a bundle from a folder that was published, or from the file itself.
func readFile(a trust.Anchor, before state) ([]byte, state, error) {
	u, err := url.Parse(a.Location)
	if err != nil {
		return nil, before, errors.New("its location is not a URL")
	}
	path := filepath.FromSlash(u.Path)
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, filepath.FromSlash(WellKnown))
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, before, err
	}
	if before.has && before.err == nil && info.ModTime().Equal(before.modified) && info.Size() == before.size {
		return nil, before, nil
	}
	if info.Size() > maxBundle {
		return nil, before, fmt.Errorf("over %d bytes", maxBundle)
	}
	b, err := os.ReadFile(path)
	return b, state{modified: info.ModTime(), size: info.Size()}, err
}

func (s *Source) fetch(ctx context.Context, a trust.Anchor, before state) ([]byte, state, error) {
	base := a.Location
	if base == "" {
		base = string(a.EntityID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+WellKnown, nil)
	if err != nil {
		return nil, before, err
	}
	if before.has && before.etag != "" {
		req.Header.Set("If-None-Match", before.etag)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, before, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && before.has:
		return nil, before, nil
	case resp.StatusCode == http.StatusNotFound:
		return nil, before, errNoBundle
	case resp.StatusCode != http.StatusOK:
		return nil, before, fmt.Errorf("status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBundle+1))
	return b, state{etag: resp.Header.Get("ETag")}, err
}

// of returns what is known of an Anchor's bundle, and whether there is one.
func (s *Source) of(id trust.EntityID) (state, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state[id]
	return st, st.has || st.err != nil
}

// EntityConfiguration implements [trust.Source].
func (s *Source) EntityConfiguration(ctx context.Context, id trust.EntityID) (string, error) {
	if st, ok := s.of(id); ok {
		// What is held of an Anchor that does not answer now is in the directory already.
		return st.notice.Configuration, st.err
	}
	token, err := s.Source.EntityConfiguration(ctx, id)
	if err == nil {
		if slices.ContainsFunc(s.anchors, func(a trust.Anchor) bool { return a.EntityID == id }) {
			_, err = s.keeper.Follow(id, []string{token}, s.clock()) // one that publishes no bundle
		}
		return token, err
	}
	for _, a := range s.anchors {
		st, _ := s.of(a.EntityID)
		if _, chain, e := inside(st.resolved[id]); e == nil && len(chain) > 0 {
			return chain[0], nil
		}
	}
	return "", err
}

// SubordinateStatement implements [trust.Source].
func (s *Source) SubordinateStatement(ctx context.Context, superior, subject trust.EntityID) (string, error) {
	st, ok := s.of(superior)
	if !ok {
		return s.Source.SubordinateStatement(ctx, superior, subject)
	}
	if st.err != nil {
		return "", st.err
	}
	if _, chain, err := inside(st.resolved[subject]); err == nil && len(chain) > 1 {
		return chain[1], nil
	}
	return "", fmt.Errorf("looking for a statement in the bundle of %q: %w", superior, trust.ErrNotMember)
}

// List implements [trust.Source]. Once a signed listing is held, the unsigned one of the
// Anchor's list endpoint is not asked for: whoever is on the way could shorten it.
func (s *Source) List(ctx context.Context, superior trust.EntityID) ([]trust.EntityID, error) {
	if l, _, ok := s.keeper.Held(trust.Path(superior)); ok {
		return l.Members, nil
	}
	return s.Source.List(ctx, superior)
}

// Resolve implements [trust.Source].
func (s *Source) Resolve(ctx context.Context, resolver, subject, anchor trust.EntityID) (string, error) {
	st, ok := s.of(resolver)
	if !ok || resolver != anchor {
		return s.Source.Resolve(ctx, resolver, subject, anchor)
	}
	if st.err != nil {
		return "", st.err
	}
	if token, ok := st.resolved[subject]; ok {
		return token, nil
	}
	return "", fmt.Errorf("looking for a member in the bundle of %q: %w", resolver, trust.ErrNotMember)
}

// PublishedStatus is what the bundle of an Anchor says of a Trust Mark, if anything; nobody
// has verified it.
func (s *Source) PublishedStatus(issuer trust.EntityID, mark string) (string, bool) {
	st, _ := s.of(issuer)
	token, ok := st.statuses[mark]
	return token, ok
}

// MarkStatus implements [trust.Source]. Of an Anchor that is a folder on a disk there is
// nobody to ask.
func (s *Source) MarkStatus(ctx context.Context, issuer trust.EntityID, mark string) (string, error) {
	if slices.ContainsFunc(s.anchors, func(a trust.Anchor) bool { return a.EntityID == issuer && strings.HasPrefix(a.Location, fileScheme) }) {
		return "", fmt.Errorf("asking %q for the status of a trust mark: %w", issuer.Clip(), trust.ErrUndetermined)
	}
	return s.Source.MarkStatus(ctx, issuer, mark)
}

// FormerKeys are the federation keys that the Anchor used before, from its bundle, by the
// keys that it has now; trust.ErrUndetermined when it has published none. How far what one of
// them has signed is to be believed says [historicalkeys.Key.HeldAt].
func (s *Source) FormerKeys(anchor trust.EntityID) ([]historicalkeys.Key, error) {
	st, _ := s.of(anchor)
	if st.err != nil {
		return nil, st.err
	}
	if st.former == "" {
		return nil, fmt.Errorf("looking for the historical keys of %q: %w", anchor.Clip(), trust.ErrUndetermined)
	}
	for _, a := range s.keeper.Anchors() {
		if a.EntityID == anchor {
			return historicalkeys.Verify(st.former, anchor, a.Keys, s.clock())
		}
	}
	return nil, ErrUnknownAnchor
}
