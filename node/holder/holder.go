// Package holder lets several machines hold a node's pseudonym key together, so that any
// 2 of 3, say, compute pseudonyms, and none, nor the node, has the key.
//
// Each holder has a folder of its own, with a keystore under its own root key, and goes
// through four steps: [Make] writes its [Card], which it hands to the other holders;
// [Folder.Deal] deals them shares, once it has all cards; [Folder.Join] puts together what
// was dealt to it, and writes the [Committee], which is the same for all and goes to the
// node; [Folder.Serve] answers the node, over TLS 1.3 with keys that both know (RFC 8446;
// the certificates say nothing). The node asks through a [Client].
//
// A holder sees blinded requests and learns of nobody who was asked for. It answers no more
// than a rate, counts, and logs counts alone. The mathematics, and what a holder that lies
// can do, are in crypto/pseudonym.
//
// Invariants:
//   - a share is in its holder's keystore, and before that in files that only he opens;
//   - a dealing counts only with the signature of the dealer's card, and all holders must
//     have been dealt to by the same dealings: their committees are equal then;
//   - a client takes no answer without its proof.
package holder

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

var (
	// ErrFormat reports a file that the package did not write.
	ErrFormat = errors.New("malformed file of a pseudonym holder")
	// ErrForeign reports files that are of other holders than the ones at hand.
	ErrForeign = errors.New("the file is of other holders")
	// ErrSignature reports a dealing that its dealer did not sign.
	ErrSignature = errors.New("the dealing is not signed by its dealer")
	// ErrJoined refuses to replace a share.
	ErrJoined = errors.New("the holder has a share already")
	// ErrNotJoined reports a holder that has no share yet.
	ErrNotJoined = errors.New("the holder has no share yet")
)

// Formats and bounds of the files.
const (
	formatCard      = "tamga-holder-1"
	formatDealing   = "tamga-holder-dealing-1"
	formatCommittee = "tamga-holder-committee-1"

	// MaxFile bounds every file of the package.
	MaxFile = 256 << 10
	maxName = 32
)

// Card is what others need to know of a holder. It is public, and whoever replaces one on
// its way is a holder in his place: compare fingerprints.
type Card struct {
	Format    string `json:"format"`
	Name      string `json:"name"`      // 1 to 32 of a-z, 0-9 and '-'
	Address   string `json:"address"`   // host:port where it answers
	Key       []byte `json:"key"`       // Ed25519: of its TLS certificate, and signs its dealings
	Recipient string `json:"recipient"` // age: shares are sealed to it
}

func (c Card) validate() error {
	_, err := age.ParseHybridRecipient(c.Recipient)
	if c.Format != formatCard || err != nil {
		return fmt.Errorf("unknown format or recipient: %w", ErrFormat)
	}
	return validHolder(c.Name, c.Address, c.Key)
}

func validHolder(name, address string, key []byte) error {
	ok := name != "" && len(name) <= maxName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	host, port, err := net.SplitHostPort(address)
	if !ok || err != nil || host == "" || port == "" || len(address) > 260 || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("name, address or key: %w", ErrFormat)
	}
	return nil
}

// Fingerprint is short for the card, for people to compare.
func (c Card) Fingerprint() string { return fingerprint(c) }

// Committee is what is public of the holders and their key: what a node needs to ask them.
type Committee struct {
	Format    string   `json:"format"`
	Threshold int      `json:"threshold"`
	Holders   []Member `json:"holders"`
}

// Member is one holder of a [Committee].
type Member struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Key     []byte `json:"key"`    // Ed25519, of its TLS certificate
	Public  []byte `json:"public"` // of its share
	// Recipient is for what the node seals to it: see [Committee.Replace].
	Recipient string `json:"recipient"`
}

// ParseCommittee reads what [Committee.Encode] wrote, or returns [ErrFormat] or
// [pseudonym.ErrTerms].
func ParseCommittee(b []byte) (Committee, error) {
	var c Committee
	if err := decode(b, &c); err != nil {
		return Committee{}, fmt.Errorf("reading committee: %w", err)
	}
	if err := c.validate(); err != nil {
		return Committee{}, fmt.Errorf("reading committee: %w", err)
	}
	return c, nil
}

func (c Committee) validate() error {
	if c.Format != formatCommittee {
		return fmt.Errorf("unknown format: %w", ErrFormat)
	}
	for i, m := range c.Holders {
		if err := validHolder(m.Name, m.Address, m.Key); err != nil {
			return fmt.Errorf("holder %d: %w", i+1, err)
		}
		if _, err := age.ParseHybridRecipient(m.Recipient); err != nil {
			return fmt.Errorf("holder %d: recipient: %w", i+1, ErrFormat)
		}
	}
	t, err := c.Terms()
	if err == nil {
		_, err = t.Public()
	}
	return err
}

// Encode gives the bytes of the file.
func (c Committee) Encode() []byte { return encode(c) }

// Fingerprint is short for the committee, for people to compare.
func (c Committee) Fingerprint() string { return fingerprint(c) }

// Terms are those of the key.
func (c Committee) Terms() (pseudonym.Terms, error) {
	t := pseudonym.Terms{Threshold: c.Threshold}
	for i, m := range c.Holders {
		p, err := pseudonym.ParsePublicKey(m.Public)
		if err != nil {
			return pseudonym.Terms{}, fmt.Errorf("holder %d: %w: %w", i+1, ErrFormat, err)
		}
		t.Holders = append(t.Holders, p)
	}
	return t, nil
}

// Public is the key that they hold.
func (c Committee) Public() (pseudonym.PublicKey, error) {
	t, err := c.Terms()
	if err != nil {
		return pseudonym.PublicKey{}, err
	}
	return t.Public()
}

// ParseCard reads a card, or returns [ErrFormat].
func ParseCard(b []byte) (Card, error) {
	var c Card
	if err := decode(b, &c); err != nil {
		return Card{}, fmt.Errorf("reading card: %w", err)
	}
	if err := c.validate(); err != nil {
		return Card{}, fmt.Errorf("reading card: %w", err)
	}
	return c, nil
}

// Encode gives the bytes of the file.
func (c Card) Encode() []byte { return encode(c) }

// sorted are the cards in the order that numbers the holders: by name, each once.
func sorted(cards []Card) ([]Card, error) {
	out := slices.Clone(cards)
	slices.SortFunc(out, func(a, b Card) int { return strings.Compare(a.Name, b.Name) })
	for i, c := range out {
		if err := c.validate(); err != nil {
			return nil, err
		}
		if i > 0 && (out[i-1].Name == c.Name || bytes.Equal(out[i-1].Key, c.Key)) {
			return nil, fmt.Errorf("two holders have one name or key: %w", ErrForeign)
		}
	}
	return out, nil
}

func fingerprint(v any) string {
	sum := sha256.Sum256(encode(v))
	text := hex.EncodeToString(sum[:16])
	var groups []string
	for ; text != ""; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(groups, "-")
}

func encode(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("holder: encoding a file: " + err.Error())
	}
	return append(b, '\n')
}

// decode reads one JSON value of known members, in the one form that encode writes.
func decode[T any](b []byte, v *T) error {
	if len(b) > MaxFile {
		return fmt.Errorf("longer than %d bytes: %w", MaxFile, ErrFormat)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return ErrFormat
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || !bytes.Equal(encode(*v), b) {
		return fmt.Errorf("not as it was written: %w", ErrFormat)
	}
	return nil
}
