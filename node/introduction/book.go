package introduction

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

const (
	bookVersion = 1
	maxBook     = 4 << 20
	// maxPending bounds what is under way; the oldest goes first.
	maxPending = 64
)

// Book remembers introductions. Open one for each command; two at a time on one file may
// lose what one of them did, and no more.
type Book struct {
	file string
	data bookData
}

type bookData struct {
	Version   int         `json:"version"`
	Pending   []pending   `json:"pending"`
	Confirmed []Confirmed `json:"confirmed"`
}

// pending is one introduction that is under way.
type pending struct {
	Invitation string    `json:"invitation"`
	Acceptance string    `json:"acceptance,omitempty"`
	Secret     string    `json:"secret,omitempty"` // of an invitation of our own
	Words      []string  `json:"words,omitempty"`
	Other      *Party    `json:"other,omitempty"`
	At         time.Time `json:"at"`
}

// Confirmed is a party whose keys were compared over the phone.
type Confirmed struct {
	Party Party     `json:"party"`
	At    time.Time `json:"at"`
}

// OpenBook reads the book in the file, which need not be there yet.
func OpenBook(file string) (*Book, error) {
	b := &Book{file: file, data: bookData{Version: bookVersion}}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err == nil && len(text) > maxBook {
		err = errors.New("it is too large")
	}
	if err == nil {
		err = json.Unmarshal(text, &b.data)
	}
	if err == nil && b.data.Version != bookVersion {
		err = errors.New("it is not of this version")
	}
	if err != nil {
		return nil, fmt.Errorf("reading introductions: %w", err)
	}
	return b, nil
}

func (b *Book) save() error {
	if over := len(b.data.Pending) - maxPending; over > 0 {
		b.data.Pending = b.data.Pending[over:]
	}
	text, err := json.MarshalIndent(b.data, "", "  ")
	if err != nil {
		return fmt.Errorf("writing introductions: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(b.file), ".new-*") // mode 0600: it holds what is not revealed yet
	if err != nil {
		return fmt.Errorf("writing introductions: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), b.file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing introductions: %w", err), os.Remove(f.Name()))
	}
	return nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Self is the own side.
type Self struct {
	Party
	Key jose.PrivateKey // a federation key
}

// Invite makes an invitation that may be accepted for lifetime, 0 meaning a week.
func (b *Book) Invite(self Self, lifetime time.Duration, now time.Time) (string, error) {
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	if lifetime < 0 || lifetime > MaxLifetime {
		return "", fmt.Errorf("inviting: the lifetime is not between 0 and %s", MaxLifetime)
	}
	secret := newSecret()
	token, err := sign(self.Key, TypeInvitation, claims{From: self.Party, IssuedAt: now.Unix(), Expires: now.Add(lifetime).Unix(), Commitment: commit(secret)})
	if err != nil {
		return "", fmt.Errorf("inviting: %w", err)
	}
	b.data.Pending = append(b.data.Pending, pending{Invitation: token, Secret: b64.EncodeToString(secret), At: now.UTC()})
	return token, b.save()
}

// Step is what taking a file came to.
type Step struct {
	Took  string   // the type of the file
	Other Party    // who the other side says it is
	Reply string   // the file to send back; empty after a confirmation
	Words []string // to compare over the phone; empty after an invitation
	// Until is when the invitation runs out.
	Until time.Time
}

// Accept takes a file of the other side. The error matches [ErrFile], [ErrExpired] or
// [ErrForeign].
func (b *Book) Accept(self Self, token string, now time.Time) (Step, error) {
	typ, c, err := read(token, now)
	if err != nil {
		return Step{}, fmt.Errorf("taking the file: %w", err)
	}
	if c.From.EntityID == self.EntityID {
		return Step{}, fmt.Errorf("taking the file: %w: it is this node's own", ErrForeign)
	}
	s := Step{Took: typ, Other: c.From, Until: time.Unix(c.Expires, 0).UTC()}
	switch typ {
	case TypeInvitation:
		err = b.invited(self, strings.TrimSpace(token), c, &s, now)
	case TypeAcceptance:
		err = b.accepted(self, strings.TrimSpace(token), c, &s, now)
	case TypeConfirmation:
		err = b.confirmed(c, &s)
	default:
		err = ErrFile
	}
	if err == nil {
		err = b.save()
	}
	if err != nil {
		return Step{}, fmt.Errorf("taking the file: %w", err)
	}
	return s, nil
}

// invited answers an invitation, the same one always in the same way.
func (b *Book) invited(self Self, token string, c claims, s *Step, now time.Time) error {
	for _, p := range b.data.Pending {
		if p.Invitation == token {
			s.Reply, s.Words = p.Acceptance, p.Words
			return nil
		}
	}
	reply, err := sign(self.Key, TypeAcceptance, claims{From: self.Party, IssuedAt: now.Unix(), Expires: c.Expires, Answers: hash(token)})
	if err != nil {
		return err
	}
	s.Reply = reply
	b.data.Pending = append(b.data.Pending, pending{Invitation: token, Acceptance: reply, Other: &c.From, At: now.UTC()})
	return nil
}

// accepted takes the one acceptance of an own invitation: a second would be a second guess.
func (b *Book) accepted(self Self, token string, c claims, s *Step, now time.Time) error {
	i := slices.IndexFunc(b.data.Pending, func(p pending) bool { return p.Secret != "" && hash(p.Invitation) == c.Answers })
	if i < 0 || (b.data.Pending[i].Acceptance != "" && b.data.Pending[i].Acceptance != token) {
		return ErrForeign
	}
	p := &b.data.Pending[i]
	if _, _, err := read(p.Invitation, now); err != nil {
		return err
	}
	secret, err := b64.DecodeString(p.Secret)
	if err != nil {
		return err
	}
	p.Acceptance, p.Other, p.Words = token, &c.From, words(p.Invitation, token, secret)
	s.Words = p.Words
	s.Reply, err = sign(self.Key, TypeConfirmation, claims{From: self.Party, IssuedAt: now.Unix(), Expires: c.Expires, Answers: hash(token), Reveals: p.Secret})
	return err
}

// confirmed takes what the inviter reveals.
func (b *Book) confirmed(c claims, s *Step) error {
	i := slices.IndexFunc(b.data.Pending, func(p pending) bool { return p.Secret == "" && p.Acceptance != "" && hash(p.Acceptance) == c.Answers })
	if i < 0 {
		return ErrForeign
	}
	p := &b.data.Pending[i]
	u, err := jose.Parse(p.Invitation)
	if err != nil {
		return err
	}
	var invitation claims
	if err := jose.DecodeClaims(u.Payload(), &invitation); err != nil {
		return err
	}
	secret, err := b64.DecodeString(c.Reveals)
	if err != nil || commit(secret) != invitation.Commitment || !sameKeys(c.From, invitation.From) {
		return fmt.Errorf("%w: it does not open what the invitation committed to", ErrForeign)
	}
	p.Words = words(p.Invitation, p.Acceptance, secret)
	s.Words, s.Other = p.Words, invitation.From
	return nil
}

func sameKeys(a, b Party) bool {
	return a.EntityID == b.EntityID && slices.Equal(a.Fingerprints(), b.Fingerprints())
}

// Confirm takes the words that the other side read, and remembers its keys when they are
// the words of an introduction under way. There may be several with one name, of which
// somebody forged some: the words say which is the one. The error matches [ErrWords]; in any
// case all introductions of that name are done with then, because who is in the middle gets
// one guess with each.
func (b *Book) Confirm(id trust.EntityID, heard []string, now time.Time) (Confirmed, error) {
	var found *Party
	known := false
	b.data.Pending = slices.DeleteFunc(b.data.Pending, func(p pending) bool {
		if p.Other == nil || p.Other.EntityID != id || len(p.Words) == 0 {
			return false
		}
		known = true
		if sameWords(p.Words, heard) {
			found = p.Other
		}
		return true
	})
	if !known {
		return Confirmed{}, fmt.Errorf("confirming: %w", ErrForeign)
	}
	if found == nil {
		return Confirmed{}, errors.Join(fmt.Errorf("confirming: %w", ErrWords), b.save())
	}
	c := Confirmed{Party: *found, At: now.UTC().Truncate(time.Second)}
	b.data.Confirmed = append(slices.DeleteFunc(b.data.Confirmed, func(o Confirmed) bool { return o.Party.EntityID == id }), c)
	return c, b.save()
}

// Confirmed returns whose keys were confirmed, in the order in which they were.
func (b *Book) Confirmed() []Confirmed { return slices.Clone(b.data.Confirmed) }

// Of returns those of the country that were introduced, or are being so, sorted.
func (b *Book) Of(country string) []string {
	var out []string
	add := func(p Party) {
		if p.Jurisdiction == country {
			out = append(out, string(p.EntityID))
		}
	}
	for _, c := range b.data.Confirmed {
		add(c.Party)
	}
	for _, p := range b.data.Pending {
		if p.Other != nil {
			add(*p.Other)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Remove forgets that the keys of the party were confirmed, and what is under way with it.
func (b *Book) Remove(id trust.EntityID) (bool, error) {
	before := len(b.data.Confirmed) + len(b.data.Pending)
	b.data.Confirmed = slices.DeleteFunc(b.data.Confirmed, func(c Confirmed) bool { return c.Party.EntityID == id })
	b.data.Pending = slices.DeleteFunc(b.data.Pending, func(p pending) bool { return p.Other != nil && p.Other.EntityID == id })
	if len(b.data.Confirmed)+len(b.data.Pending) == before {
		return false, nil
	}
	return true, b.save()
}
