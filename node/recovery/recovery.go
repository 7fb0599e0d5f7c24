// Package recovery is how entries of a node's ledger that are lost are given up: in
// the open, by two people, and never by signing another history.
//
// After a backup was restored, or a data folder was put back to an earlier state, the
// ledger at hand ends before the newest checkpoint that is known to have been signed.
// Entries appended to it would be a fork. So the ledger stays as it is, a [Claim] says
// where it ends and what is missing, two operators sign it with [Accept], and a new
// ledger of another origin begins with the claim and both acceptances as its first
// entry ([Evidence]), checked by [Verify].
//
// An operator's key is his own, made on his own machine; its public part is listed in
// the node's configuration. The package knows no files and no clock. Who holds the
// root key and can edit the configuration can accept anything: that the gap is in the
// ledger, with the keys that signed, is what auditors have.
package recovery

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Errors to branch on.
var (
	// ErrUnknown: nobody has said yet which checkpoint is the newest.
	ErrUnknown = errors.New("the newest checkpoint is not known yet")
	// ErrAcceptance: not two acceptances of this claim by two operators of the
	// configuration.
	ErrAcceptance = errors.New("the gap is not accepted by two operators")
)

const (
	acceptanceType = "tamga-gap-acceptance+jwt"
	// quorum: one person alone must not be able to make entries vanish.
	quorum = 2
)

// Head is a ledger up to some size.
type Head struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   []byte `json:"root"`
}

// Claim says what is missing. Its bytes are what operators sign.
type Claim struct {
	EntityID string `json:"entity_id"`
	// Why: "restored" from a backup, "rolled_back", or "forgotten": the checkpoint file is lost.
	Why string `json:"why"`
	// Kept is the ledger at hand; entries from Kept.Size to Newest.Size are missing.
	Kept Head `json:"kept"`
	// Newest is what the checkpoint, a signed note, is about; both are empty while
	// nobody has said.
	Newest     Head   `json:"newest"`
	Checkpoint string `json:"checkpoint"`
	// Next is the origin of the ledger that is to begin.
	Next string `json:"next"`
}

// Missing is how many entries are given up.
func (c Claim) Missing() uint64 {
	if c.Newest.Size <= c.Kept.Size {
		return 0
	}
	return c.Newest.Size - c.Kept.Size
}

// Marshal gives the claim's one encoding.
func (c Claim) Marshal() ([]byte, error) {
	b, err := json.MarshalIndent(c, "", "  ")
	return append(b, '\n'), err
}

// Parse reads what Marshal wrote, and nothing else.
func Parse(b []byte) (Claim, error) {
	var c Claim
	if err := jose.DecodeClaims(b, &c); err != nil {
		return Claim{}, fmt.Errorf("reading claim: %w", err)
	}
	if again, err := c.Marshal(); err != nil || !bytes.Equal(again, b) {
		return Claim{}, errors.New("reading claim: not in the form in which it was written")
	}
	return c, nil
}

// acceptance is the payload that an operator signs.
type acceptance struct {
	Claim    []byte `json:"claim"` // SHA-256 of its bytes
	EntityID string `json:"entity_id"`
	Missing  uint64 `json:"missing"`
	IssuedAt int64  `json:"iat"`
}

// Accept signs a claim whose newest checkpoint is known.
func Accept(claim []byte, key jose.PrivateKey, now time.Time) (string, error) {
	c, err := Parse(claim)
	if err != nil {
		return "", err
	}
	if c.Checkpoint == "" {
		return "", fmt.Errorf("accepting gap: %w", ErrUnknown)
	}
	sum := sha256.Sum256(claim)
	payload, err := json.Marshal(acceptance{Claim: sum[:], EntityID: c.EntityID, Missing: c.Missing(), IssuedAt: now.Unix()})
	if err != nil {
		return "", fmt.Errorf("accepting gap: %w", err)
	}
	token, err := jose.Sign(key, acceptanceType, payload)
	if err != nil {
		return "", fmt.Errorf("accepting gap: %w", err)
	}
	return token, nil
}

// Verify demands acceptances of exactly this claim by two different operators. It
// returns the IDs of their keys.
func Verify(claim []byte, acceptances []string, operators []jose.PublicKey) ([]string, error) {
	c, err := Parse(claim)
	if err != nil {
		return nil, err
	}
	if c.Checkpoint == "" {
		return nil, fmt.Errorf("checking acceptances: %w", ErrUnknown)
	}
	keys, sum := jose.NewKeySet(operators...), sha256.Sum256(claim)
	var signers []string
	seen := make(map[string]bool)
	for i, token := range acceptances {
		payload, err := jose.Verify(token, acceptanceType, keys)
		var a acceptance
		if err == nil {
			err = jose.DecodeClaims(payload, &a)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: number %d: %v", ErrAcceptance, i+1, err)
		}
		if !bytes.Equal(a.Claim, sum[:]) {
			return nil, fmt.Errorf("%w: number %d is of another claim", ErrAcceptance, i+1)
		}
		u, err := jose.Parse(token)
		if err != nil {
			return nil, fmt.Errorf("%w: number %d: %v", ErrAcceptance, i+1, err)
		}
		if !seen[u.KeyID()] {
			seen[u.KeyID()], signers = true, append(signers, u.KeyID())
		}
	}
	if len(signers) < quorum {
		return nil, fmt.Errorf("%w: %d have", ErrAcceptance, len(signers))
	}
	return signers, nil
}

// Evidence is what the first entry of the new ledger carries.
func Evidence(claim []byte, acceptances []string) ([]byte, error) {
	return json.Marshal(struct {
		Claim       string   `json:"claim"`
		Acceptances []string `json:"acceptances"`
	}{string(claim), acceptances})
}
