// Package introduction lets the operators of two nodes make sure, by words that they read
// to one another over the phone, that each has the other's own keys and the same Trust
// Anchors: nobody between them has put his in their place, no Trust Anchor either.
//
// It takes three files, in any channel: [Book.Invite] makes an invitation, [Book.Accept] turns
// it into an acceptance at the other side, that into a confirmation at the first, and that
// into nothing but the words. Both sides then show the same five words of the BIP-39 English
// list (55 bits), and [Book.Confirm] takes what the other side reads.
//
// A short text authenticates only who cannot try many: the inviter commits to a random
// number in the invitation and reveals it in the confirmation, when the other side is
// bound already (Vaudenay, "Secure Communications over Insecure Channels Based on Short
// Authenticated Strings", CRYPTO 2005). Who is in the middle has one guess at 2^-55 with each
// introduction that is under way, of which there are at most 64; an invitation is accepted once.
//
// Files are JWS under the federation key of who made them and prove nothing by themselves.
// A [Book] remembers, in one file, what is under way and which keys were confirmed. It asks
// nobody and makes nobody a member: that the Trust Anchor does.
package introduction

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

// Types of the three files.
const (
	TypeInvitation   = "tamga-invitation+jwt"
	TypeAcceptance   = "tamga-acceptance+jwt"
	TypeConfirmation = "tamga-confirmation+jwt"
)

const (
	commitmentLabel = "tamga/v1/introduction-commitment\x00"
	wordsLabel      = "tamga/v1/introduction-words\x00"
	// Words is how many there are; each stands for 11 bits.
	Words = 5

	// DefaultLifetime is how long an invitation may be accepted; MaxLifetime bounds it.
	DefaultLifetime = 7 * 24 * time.Hour
	MaxLifetime     = 90 * 24 * time.Hour
	maxFile         = 64 << 10
	clockSkew       = time.Minute
)

var (
	// ErrFile: the file is no invitation, acceptance or confirmation, or is not signed with
	// the keys that it names.
	ErrFile = errors.New("not an invitation, acceptance or confirmation, or it was edited")
	// ErrExpired: the invitation has run out.
	ErrExpired = errors.New("the invitation has run out")
	// ErrForeign: the file answers nothing that this node has sent.
	ErrForeign = errors.New("it answers nothing that this node has sent, or was answered before")
	// ErrWords: the words are not those that the other side should read.
	ErrWords = errors.New("the words are others")
)

// Party is who one side says it is.
type Party struct {
	EntityID     trust.EntityID `json:"entity_id"`
	Name         string         `json:"name"`
	Jurisdiction string         `json:"jurisdiction"`
	PeerID       string         `json:"peer_id"`
	Addresses    []string       `json:"addresses"`
	Keys         jose.KeySet    `json:"jwks"` // federation keys
	Anchors      []trust.Anchor `json:"anchors"`
}

// Fingerprints are the key identifiers (RFC 7638) of the party's federation keys.
func (p Party) Fingerprints() []string {
	var out []string
	for _, k := range p.Keys.Keys() {
		out = append(out, k.KeyID())
	}
	return out
}

// claims are those of all three files:
//
//	invitation   = {"from","iat","exp","commitment"}
//	acceptance   = {"from","iat","exp","answers"}
//	confirmation = {"from","iat","exp","answers","reveals"}
//
// "answers" is SHA-256 of the file that is answered; the commitment is SHA-256 of a label
// and the 32 bytes that are revealed.
type claims struct {
	From       Party  `json:"from"`
	IssuedAt   int64  `json:"iat"`
	Expires    int64  `json:"exp"`
	Commitment string `json:"commitment,omitempty"`
	Answers    string `json:"answers,omitempty"`
	Reveals    string `json:"reveals,omitempty"`
}

var b64 = base64.RawURLEncoding

func sign(key jose.PrivateKey, typ string, c claims) (string, error) {
	if _, ok := c.From.Keys.Key(key.Public().KeyID()); !ok {
		return "", errors.New("signing: the key is not among those of the party")
	}
	payload, err := marshal(c)
	if err != nil {
		return "", err
	}
	return jose.Sign(key, typ, payload)
}

// read verifies a file under the keys that it names itself: that it is whole, not whose.
func read(token string, now time.Time) (string, claims, error) {
	token = strings.TrimSpace(token)
	if len(token) > maxFile {
		return "", claims{}, ErrFile
	}
	u, err := jose.Parse(token)
	if err != nil {
		return "", claims{}, ErrFile
	}
	var c claims
	if err := jose.DecodeClaims(u.Payload(), &c); err != nil {
		return "", claims{}, ErrFile
	}
	if _, err := jose.Verify(token, u.Type(), c.From.Keys); err != nil {
		return "", claims{}, ErrFile
	}
	if _, err := trust.ParseEntityID(string(c.From.EntityID)); err != nil || c.From.Keys.Len() == 0 {
		return "", claims{}, ErrFile
	}
	if c.IssuedAt > now.Add(clockSkew).Unix() || c.Expires-c.IssuedAt > int64(MaxLifetime/time.Second) {
		return "", claims{}, fmt.Errorf("%w: its times are not acceptable", ErrFile)
	}
	if c.Expires <= now.Unix() {
		return "", claims{}, ErrExpired
	}
	return u.Type(), c, nil
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return b64.EncodeToString(sum[:])
}

func commit(secret []byte) string {
	sum := sha256.Sum256(append([]byte(commitmentLabel), secret...))
	return b64.EncodeToString(sum[:])
}

// words are those of one introduction.
func words(invitation, acceptance string, secret []byte) []string {
	h := sha256.New()
	h.Write([]byte(wordsLabel))
	for _, part := range []string{strings.TrimSpace(invitation), strings.TrimSpace(acceptance), string(secret)} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		h.Write([]byte(part))
	}
	bits := binary.BigEndian.Uint64(h.Sum(nil))
	out := make([]string, Words)
	for i := range out {
		out[i] = wordlists.English[bits>>(64-11)]
		bits <<= 11
	}
	return out
}

func sameWords(a, b []string) bool {
	return subtle.ConstantTimeCompare([]byte(strings.Join(a, " ")), []byte(strings.Join(b, " "))) == 1
}

func newSecret() []byte {
	b := make([]byte, sha256.Size)
	_, _ = rand.Read(b) // crypto/rand does not fail, it ends the process
	return b
}
