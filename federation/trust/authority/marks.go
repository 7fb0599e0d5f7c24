package authority

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

const (
	issuedType   = "tamga-issued-mark+jwt"
	issuedSuffix = ".mark"
	issuedLabel  = "tamga/v1/issued-mark-file"
)

// ErrNoMark: no Trust Mark of the type was issued to the Entity, or it was revoked.
var ErrNoMark = errors.New("the entity has no trust mark of that type")

// IssuedMark is the last Trust Mark of a type that the authority gave an Entity.
type IssuedMark struct {
	Type    string         `json:"trust_mark_type"`
	Subject trust.EntityID `json:"sub"`
	// Token is the mark.
	Token string `json:"trust_mark"`
	// IssuedAt and ExpiresAt are the mark's; ExpiresAt is zero when it does not expire.
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Revoked is when the operator revoked it and all before it; zero when he has not.
	Revoked time.Time `json:"revoked,omitzero"`
}

func (m IssuedMark) active(now time.Time) bool {
	return m.Revoked.IsZero() && (m.ExpiresAt.IsZero() || now.Before(m.ExpiresAt))
}

// IssueMark gives an Entity a Trust Mark (section 7), in the place of an earlier one of
// its type; durable on return. Issuer and IssuedAt of m are the authority's and now. The
// Entity need not be a member: whether anybody believes the mark is the Trust Anchor's
// to say.
func (a *Authority) IssueMark(m trustmark.Mark) (IssuedMark, error) {
	m.Issuer, m.IssuedAt = a.cfg.EntityID, a.cfg.Clock().UTC().Truncate(time.Second)
	token, err := trustmark.Sign(a.cfg.Key, m)
	if err != nil {
		return IssuedMark{}, fmt.Errorf("issuing trust mark: %w", err)
	}
	out := IssuedMark{Type: m.Type, Subject: m.Subject, Token: token, IssuedAt: m.IssuedAt, ExpiresAt: m.ExpiresAt}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := save(a.store, issuedMarks, out); err != nil {
		return IssuedMark{}, fmt.Errorf("issuing trust mark: %w", err)
	}
	a.marks[markKey{m.Type, m.Subject}] = out
	return out, nil
}

// RevokeMark ends a Trust Mark and all of its type before it; durable on return. Those
// who ask for the status learn of it at once, the others when the mark expires. The error
// matches [ErrNoMark].
func (a *Authority) RevokeMark(kind string, subject trust.EntityID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, ok := a.marks[markKey{kind, subject}]
	if !ok || !m.Revoked.IsZero() {
		return fmt.Errorf("revoking trust mark of %q: %w", subject.Clip(), ErrNoMark)
	}
	m.Revoked = a.cfg.Clock().UTC().Truncate(time.Second)
	if err := save(a.store, issuedMarks, m); err != nil {
		return fmt.Errorf("revoking trust mark of %q: %w", subject.Clip(), err)
	}
	a.marks[markKey{kind, subject}] = m
	return nil
}

// Marks are the Trust Marks that were issued last, revoked and expired ones among them,
// by type and Entity.
func (a *Authority) Marks() []IssuedMark {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]IssuedMark, 0, len(a.marks))
	for _, m := range a.marks {
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y IssuedMark) int {
		return strings.Compare(x.Type+"\x00"+string(x.Subject), y.Type+"\x00"+string(y.Subject))
	})
	return out
}

type markKey struct {
	kind    string
	subject trust.EntityID
}

// answerMark serves the mark of a type that an Entity has (section 8.6).
func (a *Authority) answerMark(r endpoint.Request) endpoint.Response {
	id, ok := r.Subject()
	if !ok || len(r.Values["trust_mark_type"]) != 1 {
		return endpoint.Response{Code: endpoint.InvalidRequest}
	}
	a.mu.Lock()
	m := a.marks[markKey{r.Values.Get("trust_mark_type"), id}]
	a.mu.Unlock()
	if m.Token == "" || !m.active(a.cfg.Clock()) {
		return endpoint.Response{Code: endpoint.NotFound}
	}
	return endpoint.Response{Body: m.Token}
}

// answerMarkList serves who has marks of a type (section 8.5).
func (a *Authority) answerMarkList(r endpoint.Request) endpoint.Response {
	if len(r.Values["trust_mark_type"]) != 1 || len(r.Values["sub"]) > 1 {
		return endpoint.Response{Code: endpoint.InvalidRequest}
	}
	var ids []trust.EntityID
	for _, m := range a.Marks() {
		asked := r.Values["sub"] == nil || r.Values.Get("sub") == string(m.Subject)
		if m.Type == r.Values.Get("trust_mark_type") && asked && m.active(a.cfg.Clock()) {
			ids = append(ids, m.Subject)
		}
	}
	return endpoint.Listed(ids)
}

// answerMarkStatus says what a mark is worth (section 8.4). One that says that another
// issued it, or that was never issued, is not found.
func (a *Authority) answerMarkStatus(r endpoint.Request) endpoint.Response {
	token := r.Values.Get("trust_mark")
	if len(r.Values["trust_mark"]) != 1 {
		return endpoint.Response{Code: endpoint.InvalidRequest}
	}
	status, ok := a.markStatus(token)
	if !ok {
		return endpoint.Response{Code: endpoint.NotFound}
	}
	body, err := trustmark.SignStatus(a.cfg.Key, a.cfg.EntityID, token, status, a.cfg.Clock())
	if err != nil {
		return endpoint.Response{Code: endpoint.ServerError}
	}
	return endpoint.Response{Body: body}
}

// statuses are signed ones of the marks that have not ended by themselves.
func (a *Authority) statuses(now time.Time) ([]string, error) {
	tokens := make(map[string]bool)
	for _, m := range a.Marks() {
		tokens[m.Token] = true
	}
	for _, e := range a.List() {
		s, err := trust.ParseStatement(e.Configuration)
		if err != nil {
			continue
		}
		for _, held := range s.TrustMarks() {
			tokens[held.Token] = true
		}
	}
	var out []string
	for _, token := range slices.Sorted(maps.Keys(tokens)) {
		status, ok := a.markStatus(token)
		if !ok || status == trustmark.Expired || status == trustmark.Invalid {
			continue
		}
		signed, err := trustmark.SignStatus(a.cfg.Key, a.cfg.EntityID, token, status, now)
		if err != nil {
			return nil, fmt.Errorf("publishing: %w", err)
		}
		out = append(out, signed)
	}
	return out, nil
}

func (a *Authority) markStatus(token string) (trustmark.Status, bool) {
	m, err := trustmark.Read(token)
	if err != nil || m.Issuer != a.cfg.EntityID {
		return "", false
	}
	a.mu.Lock()
	issued, ok := a.marks[markKey{m.Type, m.Subject}]
	a.mu.Unlock()
	_, forged := jose.Verify(token, "trust-mark+jwt", a.cfg.keys())
	switch {
	case forged != nil:
		return trustmark.Invalid, true
	case !ok:
		return "", false
	case !issued.Revoked.IsZero() && !m.IssuedAt.After(issued.Revoked):
		return trustmark.Revoked, true
	case !m.ExpiresAt.IsZero() && !a.cfg.Clock().Before(m.ExpiresAt):
		return trustmark.Expired, true
	default:
		return trustmark.Active, true
	}
}

func (s store) markPath(m IssuedMark) string {
	sum := sha256.Sum256([]byte(issuedLabel + "\x00" + m.Type + "\x00" + string(m.Subject)))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+issuedSuffix)
}

var issuedMarks = kind[IssuedMark]{"trust mark", issuedType, issuedSuffix, store.markPath}

func (s store) loadMarks() (map[markKey]IssuedMark, error) {
	list, err := load(s, issuedMarks)
	out := make(map[markKey]IssuedMark, len(list))
	for _, m := range list {
		out[markKey{m.Type, m.Subject}] = m
	}
	return out, err
}
