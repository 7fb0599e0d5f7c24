package endpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

const (
	// fetchTimeout bounds one request. An anchor answers from its own disk in
	// milliseconds; the rest is for a slow satellite link.
	fetchTimeout = 15 * time.Second
	// maxList bounds a list response; maxMembers the identifiers in it.
	maxList      = 1 << 20
	maxMembers   = 4096
	maxRedirects = 3

	contentJSON = "application/json"
)

// HTTP fetches over HTTP (OpenID Federation sections 8 and 9). Make one with
// [NewHTTP].
type HTTP struct {
	client    *http.Client              // for who is configured
	outside   *http.Client              // for who is not: it reaches no private address
	locations map[trust.EntityID]string // immutable after New
	named     map[trust.EntityID]bool   // the Anchors; immutable after New
	private   bool                      // see AllowPrivate
}

var _ trust.Source = (*HTTP)(nil)

// NewHTTP returns a source over client (nil means a client of its own), which
// reaches each Entity at its identifier unless an Anchor's Location or an entry of
// locations says otherwise. Plain http is used only where such a base URL names it,
// for loopback and closed networks. Entities that are neither Anchors nor have a location
// are not asked at private addresses, see [ErrPrivate], unless an Anchor is at one itself or
// [HTTP.AllowPrivate] was called; of one that is reached by a proxy only the name is looked
// at. client's own redirect policy is replaced: redirects to another host or scheme are
// refused.
func NewHTTP(client *http.Client, anchors []trust.Anchor, locations map[trust.EntityID]string) (*HTTP, error) {
	h := &HTTP{client: &http.Client{}, outside: &http.Client{}, locations: make(map[trust.EntityID]string), named: make(map[trust.EntityID]bool)}
	if client != nil {
		*h.client, *h.outside = *client, *client
	}
	h.client.CheckRedirect, h.outside.CheckRedirect = sameHostOnly, sameHostOnly
	h.outside.Transport = guarded(h.client.Transport)
	for _, a := range anchors {
		h.named[a.EntityID] = true
		if a.Location != "" {
			h.locations[a.EntityID] = a.Location
		}
	}
	maps.Copy(h.locations, locations)
	for id, base := range h.locations {
		u, err := url.Parse(base)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
			u.User != nil || strings.ContainsAny(base, "?#") {
			return nil, fmt.Errorf("configuring HTTP source: location of %q is not an http or https base URL", id.Clip())
		}
		h.locations[id] = strings.TrimRight(base, "/")
	}
	for _, a := range anchors {
		if u, err := url.Parse(cmp.Or(a.Location, string(a.EntityID))); err == nil && isPrivateHost(u.Hostname()) {
			h.private = true
		}
	}
	return h, nil
}

func sameHostOnly(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > maxRedirects || req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return errors.New("redirect refused")
	}
	return nil
}

// EntityConfiguration implements [Source].
func (h *HTTP) EntityConfiguration(ctx context.Context, id trust.EntityID) (string, error) {
	base := string(id)
	if override, ok := h.locations[id]; ok {
		base = override
	}
	body, err := h.fetch(ctx, id, strings.TrimRight(base, "/")+trust.WellKnownPath, Configuration.content(), trust.MaxStatement)
	if err != nil {
		return "", fmt.Errorf("fetching entity configuration of %q: %w", id.Clip(), err)
	}
	return string(body), nil
}

// SubordinateStatement implements [Source].
func (h *HTTP) SubordinateStatement(ctx context.Context, superior, subject trust.EntityID) (string, error) {
	body, err := h.call(ctx, superior, func(f *trust.FederationEntityMetadata) string { return f.FetchEndpoint },
		url.Values{"sub": {string(subject)}}, Configuration.content(), trust.MaxStatement)
	if err != nil {
		return "", fmt.Errorf("fetching subordinate statement from %q: %w", superior.Clip(), err)
	}
	return string(body), nil
}

// List implements [Source].
func (h *HTTP) List(ctx context.Context, superior trust.EntityID) ([]trust.EntityID, error) {
	body, err := h.call(ctx, superior, func(f *trust.FederationEntityMetadata) string { return f.ListEndpoint },
		nil, contentJSON, maxList)
	if err != nil {
		return nil, fmt.Errorf("fetching list of %q: %w", superior.Clip(), err)
	}
	return parseList(superior, body)
}

func parseList(superior trust.EntityID, body []byte) ([]trust.EntityID, error) {
	var ids []trust.EntityID
	if err := json.Unmarshal(body, &ids); err != nil || ids == nil || len(ids) > maxMembers {
		return nil, fmt.Errorf("fetching list of %q: not an array of Entity Identifiers", superior.Clip())
	}
	return ids, nil
}

// Resolve implements [Source].
func (h *HTTP) Resolve(ctx context.Context, resolver, subject, anchor trust.EntityID) (string, error) {
	body, err := h.call(ctx, resolver, func(f *trust.FederationEntityMetadata) string { return f.ResolveEndpoint },
		url.Values{"sub": {string(subject)}, "trust_anchor": {string(anchor)}}, Resolve.content(), jose.MaxTokenSize)
	if err != nil {
		return "", fmt.Errorf("resolving at %q: %w", resolver.Clip(), err)
	}
	return string(body), nil
}

// MarkStatus implements [trust.Source].
func (h *HTTP) MarkStatus(ctx context.Context, issuer trust.EntityID, mark string) (string, error) {
	u, err := h.find(ctx, issuer, func(f *trust.FederationEntityMetadata) string { return f.MarkStatusEndpoint })
	if err != nil {
		return "", fmt.Errorf("asking %q for the status of a trust mark: %w", issuer.Clip(), err)
	}
	form := strings.NewReader(url.Values{"trust_mark": {mark}}.Encode())
	body, err := h.do(ctx, issuer, http.MethodPost, u.String(), form, MarkStatus.content(), jose.MaxTokenSize)
	if err != nil {
		return "", fmt.Errorf("asking %q for the status of a trust mark: %w", issuer.Clip(), err)
	}
	return string(body), nil
}

// HistoricalKeys fetches the keys that id used formerly; [historicalkeys.Verify]
// verifies them.
func (h *HTTP) HistoricalKeys(ctx context.Context, id trust.EntityID) (string, error) {
	body, err := h.call(ctx, id, func(f *trust.FederationEntityMetadata) string { return f.HistoricalKeysEndpoint },
		nil, HistoricalKeys.content(), jose.MaxTokenSize)
	if err != nil {
		return "", fmt.Errorf("fetching historical keys of %q: %w", id.Clip(), err)
	}
	return string(body), nil
}

// Listing fetches the signed listing of an Intermediate, which is below its Entity Identifier.
func (h *HTTP) Listing(ctx context.Context, superior trust.EntityID) (string, error) {
	u, err := h.locate(superior, superior.Base()+Listing.Path())
	var body []byte
	if err == nil {
		body, err = h.fetch(ctx, superior, u.String(), Listing.content(), jose.MaxTokenSize)
	}
	if err != nil {
		return "", fmt.Errorf("fetching signed listing of %q: %w", superior.Clip(), err)
	}
	return string(body), nil
}

// call finds an endpoint and queries it.
func (h *HTTP) call(ctx context.Context, id trust.EntityID, endpoint func(*trust.FederationEntityMetadata) string,
	query url.Values, content string, limit int,
) ([]byte, error) {
	u, err := h.find(ctx, id, endpoint)
	if err != nil {
		return nil, err
	}
	values := u.Query()
	for name, v := range query {
		values[name] = v
	}
	u.RawQuery = values.Encode()
	return h.fetch(ctx, id, u.String(), content, limit)
}

// find reads an endpoint from id's Entity Configuration. That configuration is
// unverified; therefore the endpoint has to lie where the Entity itself does, so that
// nobody can point us at a third host.
func (h *HTTP) find(ctx context.Context, id trust.EntityID, endpoint func(*trust.FederationEntityMetadata) string) (*url.URL, error) {
	token, err := h.EntityConfiguration(ctx, id)
	if err != nil {
		return nil, err
	}
	s, err := trust.ParseStatement(token)
	if err != nil {
		return nil, err
	}
	m, err := s.Metadata()
	if err != nil {
		return nil, err
	}
	if s.Subject() != id || !s.IsConfiguration() || m.FederationEntity == nil || endpoint(m.FederationEntity) == "" {
		return nil, errors.New("the entity publishes no such endpoint")
	}
	return h.locate(id, endpoint(m.FederationEntity))
}

func (h *HTTP) locate(id trust.EntityID, endpoint string) (*url.URL, error) {
	outside := errors.New("endpoint lies outside the entity's own location")
	if base, ok := h.locations[id]; ok {
		rest, inside := strings.CutPrefix(endpoint, id.Base())
		if !inside || (rest != "" && rest[0] != '/' && rest[0] != '?') {
			return nil, outside
		}
		return url.Parse(base + rest)
	}
	u, err := url.Parse(endpoint)
	own, err2 := url.Parse(string(id))
	if err != nil || err2 != nil || u.Scheme != "https" || u.Host != own.Host || u.User != nil || u.Fragment != "" {
		return nil, outside
	}
	return u, nil
}

func (h *HTTP) fetch(ctx context.Context, id trust.EntityID, from, content string, limit int) ([]byte, error) {
	return h.do(ctx, id, http.MethodGet, from, nil, content, limit)
}

func (h *HTTP) do(ctx context.Context, id trust.EntityID, method, from string, form io.Reader, content string, limit int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, from, form)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", content)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := h.clientFor(id).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case len(body) > limit:
		return nil, fmt.Errorf("response is over %d bytes", limit)
	case resp.StatusCode == http.StatusNotFound && media == contentJSON && saysNotFound(body):
		return nil, trust.ErrNotMember
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	case media != content:
		return nil, fmt.Errorf("content type is not %s", content)
	}
	return body, nil
}

// saysNotFound tells an authority's own "no such subordinate" (section 8.9) from
// the 404 of a proxy in front of it, which says nothing about membership.
func saysNotFound(body []byte) bool {
	var e struct {
		Error string `json:"error"`
	}
	return json.Unmarshal(body, &e) == nil && e.Error == string(NotFound)
}
