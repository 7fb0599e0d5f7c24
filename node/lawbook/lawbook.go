// Package lawbook is how a node's law changes: in the open, by two people, and without a restart.
//
// A [Proposal] holds the new text and a [Claim], which names it, the text it replaces and its number. Two operators sign
// the claim with [Approve], each on a machine of their own; [Book.Publish] demands both signatures, an entry in the
// node's ledger, and then keeps text and evidence for ever. [Current] is the law in force, for the responder and the
// requester: it changes between two decisions. Going back is a proposal of an older text; nothing is ever taken out.
//
// Because a claim names the text it replaces and the number that it takes, an approval is good once: an older one cannot
// put an older text back. A book is a folder of files that are written once. What says what was published is the ledger:
// [Book.Prove] demands the entry of each, and that the text of the newest publication, or decision, in the ledger is the
// one to be executed. Who edits, deletes or adds files, or the law of the configuration once there are two operators, has a
// node that does not start. What one person who rules the whole machine can do is to put other operators' keys into the
// configuration: every publication in the ledger has the keys that signed it.
//
// Nodes that share a store leave each other their publications on a [Shelf]; each keeps a book and a ledger of its own, and
// demands the approvals again.
//
// The package verifies no citations and knows no clock. It is safe for concurrent use by one process.
package lawbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
)

// Errors to branch on.
var (
	// ErrApproval: not two approvals of this claim by two operators of the configuration.
	ErrApproval = errors.New("the law is not approved by two operators")
	// ErrStale: the claim is not about the law in force, or its number is taken.
	ErrStale = errors.New("the proposal is not about the law in force")
	// ErrForged: a publication in the folder is not as the ledger has it.
	ErrForged = errors.New("a publication of a law is not in the ledger")
	// ErrUnpublished: the text to be executed is not the one that the ledger tells of last.
	ErrUnpublished = errors.New("the law was changed without two operators")
)

const (
	approvalType = "tamga-law-approval+jwt"
	// quorum: one person alone must not be able to change what a state's node allows.
	quorum = 2
	// maxNote bounds the reason given for a change, in bytes.
	maxNote = 1000
)

// Claim says what is to take the place of what. Its bytes are what operators sign.
type Claim struct {
	EntityID     string `json:"entity_id"`
	Jurisdiction string `json:"jurisdiction"`
	Number       uint64 `json:"number"`   // of the publication it would be; the file of the configuration is 0
	Replaces     string `json:"replaces"` // SHA-256 of the text in force, hex
	Law          string `json:"law"`      // SHA-256 of the new text, hex
	Version      string `json:"version"`  // of the new text, as its head says
	Note         string `json:"note"`     // why, for who looks later
}

// Marshal gives the claim's one encoding.
func (c Claim) Marshal() ([]byte, error) {
	b, err := json.MarshalIndent(c, "", "  ")
	return append(b, '\n'), err
}

// parseClaim reads what Marshal wrote, and nothing else.
func parseClaim(b []byte) (Claim, error) {
	var c Claim
	if err := jose.DecodeClaims(b, &c); err != nil {
		return Claim{}, fmt.Errorf("reading claim: %w", err)
	}
	if again, err := c.Marshal(); err != nil || !bytes.Equal(again, b) {
		return Claim{}, errors.New("reading claim: not in the form in which it was written")
	}
	if len(c.Note) > maxNote {
		return Claim{}, fmt.Errorf("reading claim: the note is longer than %d bytes", maxNote)
	}
	return c, nil
}

// Proposal is a claim and the text it is about. It is what goes to the operators.
type Proposal struct {
	Claim
	Text []byte // the law file
	raw  []byte // the claim's bytes
	law  *policy.Law
}

// Law is the proposed law, ready to decide.
func (p Proposal) Law() *policy.Law { return p.law }

// Digest is the SHA-256 of the claim's bytes.
func (p Proposal) Digest() [32]byte { return sha256.Sum256(p.raw) }

// wireProposal is a proposal's file.
type wireProposal struct {
	Claim string `json:"claim"`
	Law   string `json:"law"`
}

// Propose makes a proposal that follows publication number of text replaces. The text must be a law of the country
// without a fault; name names it in faults.
func Propose(entity, jurisdiction string, number uint64, replaces policy.Digest, name string, text []byte, note string) (Proposal, error) {
	law, err := policy.Load(name, text)
	if err != nil {
		return Proposal{}, err
	}
	digest := law.Digest()
	c := Claim{EntityID: entity, Jurisdiction: jurisdiction, Number: number + 1, Replaces: hex.EncodeToString(replaces[:]),
		Law: hex.EncodeToString(digest[:]), Version: law.Version(), Note: note}
	if digest == replaces {
		return Proposal{}, fmt.Errorf("proposing law: %w: it is in force already", ErrStale)
	}
	raw, err := c.Marshal()
	if err != nil {
		return Proposal{}, fmt.Errorf("proposing law: %w", err)
	}
	return assemble(raw, text)
}

// assemble checks that text and claim belong together.
func assemble(raw, text []byte) (Proposal, error) {
	c, err := parseClaim(raw)
	if err != nil {
		return Proposal{}, err
	}
	law, err := policy.Load("law.cedar", text)
	if err != nil {
		return Proposal{}, err
	}
	digest := law.Digest()
	if c.Law != hex.EncodeToString(digest[:]) || c.Version != law.Version() || c.Jurisdiction != law.Jurisdiction() {
		return Proposal{}, errors.New("reading proposal: the claim is about another text than the one beside it")
	}
	return Proposal{Claim: c, Text: text, raw: raw, law: law}, nil
}

// Marshal gives the proposal's file.
func (p Proposal) Marshal() ([]byte, error) {
	b, err := json.MarshalIndent(wireProposal{string(p.raw), string(p.Text)}, "", "  ")
	return append(b, '\n'), err
}

// Parse reads a proposal's file.
func Parse(b []byte) (Proposal, error) {
	var w wireProposal
	if err := jose.DecodeClaims(b, &w); err != nil {
		return Proposal{}, fmt.Errorf("reading proposal: %w", err)
	}
	return assemble([]byte(w.Claim), []byte(w.Law))
}

// approval is the payload that an operator signs.
type approval struct {
	Claim    []byte `json:"claim"` // SHA-256 of its bytes
	EntityID string `json:"entity_id"`
	Law      string `json:"law"`
	IssuedAt int64  `json:"iat"`
}

// Approve signs the proposal.
func Approve(p Proposal, key jose.PrivateKey, now time.Time) (string, error) {
	sum := p.Digest()
	payload, err := json.Marshal(approval{Claim: sum[:], EntityID: p.EntityID, Law: p.Claim.Law, IssuedAt: now.Unix()})
	if err != nil {
		return "", fmt.Errorf("approving law: %w", err)
	}
	token, err := jose.Sign(key, approvalType, payload)
	if err != nil {
		return "", fmt.Errorf("approving law: %w", err)
	}
	return token, nil
}

// Approvers demands approvals of exactly this proposal by two different operators, and returns the IDs of their keys.
func (p Proposal) Approvers(approvals []string, operators []jose.PublicKey) ([]string, error) {
	keys, sum := jose.NewKeySet(operators...), p.Digest()
	var signers []string
	seen := make(map[string]bool)
	for i, token := range approvals {
		payload, err := jose.Verify(token, approvalType, keys)
		var a approval
		if err == nil {
			err = jose.DecodeClaims(payload, &a)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: number %d: %v", ErrApproval, i+1, err)
		}
		if !bytes.Equal(a.Claim, sum[:]) || a.EntityID != p.EntityID || a.Law != p.Claim.Law {
			return nil, fmt.Errorf("%w: number %d is of another proposal", ErrApproval, i+1)
		}
		u, err := jose.Parse(token)
		if err != nil {
			return nil, fmt.Errorf("%w: number %d: %v", ErrApproval, i+1, err)
		}
		if !seen[u.KeyID()] {
			seen[u.KeyID()], signers = true, append(signers, u.KeyID())
		}
	}
	if len(signers) < quorum {
		return nil, fmt.Errorf("%w: %d have", ErrApproval, len(signers))
	}
	return signers, nil
}

// Evidence is what the ledger's entry about a publication carries.
func (p Proposal) Evidence(approvals []string) ([]byte, error) {
	return json.Marshal(struct {
		Claim     string   `json:"claim"`
		Approvals []string `json:"approvals"`
	}{string(p.raw), approvals})
}
