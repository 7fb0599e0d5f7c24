// Package ceremony shares the key that opens a node's root among custodians, so
// that any k of n of them open it and fewer learn nothing.
//
// The key is a random scalar of ristretto255 (RFC 9496), shared as Shamir
// describes (How to share a secret, CACM 22(11), 1979) with the commitments of
// Feldman (A practical scheme for non-interactive verifiable secret sharing,
// FOCS 1987), so that each share can be checked alone; both are
// circl/secretsharing's. crypto/custody seals the root under it.
//
// [NewPlan] names the custodians and their age recipients (C2SP age). [Deal]
// makes the shares, each sealed to its custodian alone before the next one is
// made, and a [Transcript] that the node signs. A custodian opens his share
// ([OpenShare]), checks it and answers with an [Acknowledgement]: a Schnorr proof
// (RFC 8235) that he knows the share that the transcript commits to, which the
// transcript collects. Later, shares are sealed to the node and [Gather]ed.
//
// Invariants:
//   - a share carries the id of its ceremony and checks against its commitments:
//     one of another ceremony, an altered one and one given twice are told apart;
//   - the key is only returned when it is the committed one;
//   - a transcript verifies only with the plan, the commitments and the digests
//     of the sealed shares that were signed;
//   - decoded files encode to the same bytes.
//
// The dealer, which is the node's process, holds the key while it deals: the
// package does not share a key that nobody ever held. It does not replace a
// custodian either; that takes another ceremony, after which old shares open
// nothing but copies of the root file from before it.
package ceremony

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	"github.com/tamga-id/tamga/crypto/custody"
)

var (
	// ErrFormat reports a file that is not what the package writes.
	ErrFormat = errors.New("malformed ceremony file")
	// ErrPlan reports a plan that cannot be carried out.
	ErrPlan = errors.New("unusable plan")
	// ErrForeign reports a share or acknowledgement of another ceremony.
	ErrForeign = errors.New("of another ceremony")
	// ErrShare reports a share that is not the one that was dealt: altered, or
	// of a dealing that was given up.
	ErrShare = errors.New("not a share that was dealt")
	// ErrRepeated reports a custodian's share or acknowledgement that is there.
	ErrRepeated = errors.New("given already")
	// ErrIdentity reports a sealed share that an identity does not open.
	ErrIdentity = errors.New("not sealed to this identity, or altered")
	// ErrTranscript reports a transcript that its signature does not cover.
	ErrTranscript = errors.New("transcript refused")
	// ErrMissing reports that more shares are needed.
	ErrMissing = errors.New("not enough shares")
)

const (
	formatPlan = "tamga-ceremony-plan-1"
	maxName    = 40
	maxFile    = 256 << 10
)

// sharing is the group whose scalars are shared.
func sharing() group.Group { return group.Ristretto255 }

// Custodian is one who is to hold a share.
type Custodian struct {
	Name      string `json:"name"`      // 1 to 40 of a-z, 0-9 and '-'.
	Recipient string `json:"recipient"` // age1..., of any native kind.
}

// Plan says who is to hold shares of which node's key. It holds no secret.
type Plan struct {
	Format     string      `json:"format"`
	Ceremony   []byte      `json:"ceremony"` // Random, custody.CeremonySize bytes.
	Entity     string      `json:"entity"`
	Threshold  int         `json:"threshold"`
	Custodians []Custodian `json:"custodians"`
	Created    string      `json:"created"` // RFC 3339, UTC.
}

// NewPlan makes a plan under a new ceremony id. A plan with fewer than two
// custodians, a threshold below two or above their number, a name or recipient
// twice, or one that is malformed is [ErrPlan], which names it.
func NewPlan(entity string, threshold int, custodians []Custodian, now time.Time) (Plan, error) {
	p := Plan{Format: formatPlan, Ceremony: make([]byte, custody.CeremonySize), Entity: entity, Threshold: threshold,
		Custodians: custodians, Created: now.UTC().Format(time.RFC3339)}
	if _, err := rand.Read(p.Ceremony); err != nil {
		return Plan{}, fmt.Errorf("planning ceremony: %w", err)
	}
	if err := p.validate(); err != nil {
		return Plan{}, fmt.Errorf("planning ceremony: %w", err)
	}
	return p, nil
}

func (p Plan) validate() error {
	if p.Format != formatPlan || len(p.Ceremony) != custody.CeremonySize || p.Entity == "" || len(p.Entity) > 2048 {
		return fmt.Errorf("unknown format, or ceremony or entity of the wrong length: %w", ErrFormat)
	}
	if _, err := time.Parse(time.RFC3339, p.Created); err != nil {
		return fmt.Errorf("created: %w", ErrFormat)
	}
	if n := len(p.Custodians); n < 2 || n > custody.MaxShares || p.Threshold < 2 || p.Threshold > n {
		return fmt.Errorf("%d of %d custodians, want 2 or more of at most %d: %w", p.Threshold, n, custody.MaxShares, ErrPlan)
	}
	names, recipients := make(map[string]bool), make(map[string]bool)
	for i, c := range p.Custodians {
		if !validName(c.Name) || names[c.Name] {
			return fmt.Errorf("custodian %d: name twice, or not 1 to %d of a-z, 0-9 and '-': %w", i+1, maxName, ErrPlan)
		}
		if _, err := recipient(c.Recipient); err != nil || recipients[c.Recipient] {
			return fmt.Errorf("custodian %s: recipient twice, or not of age: %w", c.Name, ErrPlan)
		}
		names[c.Name], recipients[c.Recipient] = true, true
	}
	return nil
}

func validName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

// recipient parses one native recipient. Others, such as SSH keys, are refused:
// their identities may be on machines that are used for other things.
func recipient(text string) (age.Recipient, error) {
	if strings.HasPrefix(text, "age1pq1") {
		return age.ParseHybridRecipient(text)
	}
	return age.ParseX25519Recipient(text)
}

// ParsePlan reads what [Plan.Encode] wrote.
func ParsePlan(data []byte) (Plan, error) {
	var p Plan
	if err := decode(data, &p); err != nil {
		return Plan{}, fmt.Errorf("reading plan: %w", err)
	}
	if err := p.validate(); err != nil {
		return Plan{}, fmt.Errorf("reading plan: %w", err)
	}
	return p, nil
}

// Encode returns the plan as a file.
func (p Plan) Encode() []byte { return encode(p) }

// Dealt is what a dealing made. Key is the caller's to wipe.
type Dealt struct {
	Terms  custody.Custodians
	Key    []byte   // What custody.Shared takes.
	Sealed [][]byte // One file a custodian, in the plan's order.
	record record
}

// Deal makes a key and its shares after the plan. No two shares are ever in one
// file, and none is returned in clear.
func Deal(p Plan) (Dealt, error) {
	if err := p.validate(); err != nil {
		return Dealt{}, fmt.Errorf("dealing shares: %w", err)
	}
	g := sharing()
	secret := g.RandomNonZeroScalar(rand.Reader)
	ss := secretsharing.New(rand.Reader, uint(p.Threshold-1), secret)
	d := Dealt{Terms: custody.Custodians{Ceremony: [custody.CeremonySize]byte(p.Ceremony), Threshold: p.Threshold, Shares: len(p.Custodians)}}
	for _, e := range ss.CommitSecret() {
		b, err := e.MarshalBinaryCompress()
		if err != nil {
			return Dealt{}, fmt.Errorf("dealing shares: %w", err)
		}
		d.Terms.Commitments = append(d.Terms.Commitments, b)
	}
	for i, c := range p.Custodians {
		sealed, err := deal(p, i, ss)
		if err != nil {
			return Dealt{}, fmt.Errorf("dealing the share of %s: %w", c.Name, err)
		}
		d.Sealed = append(d.Sealed, sealed)
	}
	var err error
	if d.Key, err = secret.MarshalBinary(); err != nil {
		return Dealt{}, fmt.Errorf("dealing shares: %w", err)
	}
	d.record = newRecord(p, d.Terms, d.Sealed)
	return d, nil
}

// deal seals the share of custodian i.
func deal(p Plan, i int, ss secretsharing.SecretSharing) ([]byte, error) {
	s := ss.ShareWithID(sharing().NewScalar().SetUint64(uint64(i + 1)))
	value, err := s.Value.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer clear(value)
	to, err := recipient(p.Custodians[i].Recipient)
	if err != nil {
		return nil, err
	}
	return seal(shareFile{Format: formatShare, Ceremony: p.Ceremony, Entity: p.Entity, Index: i + 1, Custodian: p.Custodians[i].Name, Value: value}, to)
}

// encode is the one encoding of a file: two-space indent, members in declaration
// order, one final newline.
func encode(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("ceremony: encoding strings, numbers and bytes: " + err.Error())
	}
	return append(b, '\n')
}

// decode accepts exactly what encode writes.
func decode(data []byte, v any) error {
	if len(data) > maxFile {
		return fmt.Errorf("longer than %d bytes: %w", maxFile, ErrFormat)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("not the expected JSON object: %w", ErrFormat)
	}
	if !bytes.Equal(encode(v), data) {
		return fmt.Errorf("not in canonical form: %w", ErrFormat)
	}
	return nil
}
