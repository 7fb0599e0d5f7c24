package ceremony

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	"github.com/tamga-id/tamga/crypto/custody"
)

const (
	formatShare = "tamga-ceremony-share-1"
	// MaxSealed bounds a sealed share: a hybrid header takes some 2 KiB.
	MaxSealed = 16 << 10
)

// shareFile is the JSON inside a sealed share.
type shareFile struct {
	Format    string `json:"format"`
	Ceremony  []byte `json:"ceremony"`
	Entity    string `json:"entity"`
	Index     int    `json:"index"` // 1 to the number of custodians.
	Custodian string `json:"custodian"`
	Value     []byte `json:"value"`
}

// Share is one custodian's share, opened. It prints as a redaction mark. Its
// value is on the Go heap and cannot be wiped: a custodian's program should end
// soon after opening one.
type Share struct {
	open func() shareFile
}

// Index is the share's number, from 1; 0 for the zero value.
func (s Share) Index() int {
	if s.open == nil {
		return 0
	}
	return s.open().Index
}

// Custodian is the name of who holds the share.
func (s Share) Custodian() string {
	if s.open == nil {
		return ""
	}
	return s.open().Custodian
}

// Entity is the node whose key is shared.
func (s Share) Entity() string {
	if s.open == nil {
		return ""
	}
	return s.open().Entity
}

const redactedShare = "ceremony-share(redacted)"

// LogValue implements [slog.LogValuer] without the share.
func (Share) LogValue() slog.Value { return slog.StringValue(redactedShare) }

// Format implements [fmt.Formatter] without the share, whatever the verb.
func (Share) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedShare) }

// seal encrypts a share as an armored age file.
func seal(f shareFile, to age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, to)
	if err != nil {
		return nil, err
	}
	plain := encode(f)
	defer clear(plain)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := a.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// SealTo seals s to a recipient of age, such as that of a sealed node.
func (s Share) SealTo(text string) ([]byte, error) {
	to, err := recipient(text)
	if err != nil || s.open == nil {
		return nil, fmt.Errorf("sealing share: no share, or not a recipient of age: %w", ErrFormat)
	}
	sealed, err := seal(s.open(), to)
	if err != nil {
		return nil, fmt.Errorf("sealing share: %w", err)
	}
	return sealed, nil
}

// OpenShare opens a sealed share with the identities of its custodian.
// [ErrIdentity] when none of them does, [ErrFormat] when what is inside is no
// share. It says nothing about whether the share is good: see [Gather].
func OpenShare(sealed []byte, identities ...age.Identity) (Share, error) {
	if len(sealed) > MaxSealed {
		return Share{}, fmt.Errorf("opening share: longer than %d bytes: %w", MaxSealed, ErrFormat)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), identities...)
	if err != nil {
		return Share{}, fmt.Errorf("opening share: %w", ErrIdentity)
	}
	plain, err := io.ReadAll(io.LimitReader(r, MaxSealed))
	defer clear(plain)
	if err != nil {
		return Share{}, fmt.Errorf("opening share: %w", ErrIdentity)
	}
	var f shareFile
	if err := decode(plain, &f); err != nil {
		return Share{}, fmt.Errorf("opening share: %w", err)
	}
	if f.Format != formatShare || len(f.Ceremony) != custody.CeremonySize || f.Index < 1 || f.Index > custody.MaxShares || !validName(f.Custodian) {
		return Share{}, fmt.Errorf("opening share: unknown format or field out of bounds: %w", ErrFormat)
	}
	return Share{func() shareFile { return f }}, nil
}

// scalars are the share as circl wants it.
func (s Share) scalars() (secretsharing.Share, error) {
	g := sharing()
	value := g.NewScalar()
	if s.open == nil || value.UnmarshalBinary(s.open().Value) != nil {
		return secretsharing.Share{}, ErrShare
	}
	return secretsharing.Share{ID: g.NewScalar().SetUint64(uint64(s.Index())), Value: value}, nil
}

// check verifies a share against the public terms.
func (s Share) check(c custody.Custodians) (secretsharing.Share, error) {
	if s.open == nil || subtle.ConstantTimeCompare(s.open().Ceremony, c.Ceremony[:]) != 1 {
		return secretsharing.Share{}, ErrForeign
	}
	commitments, err := elements(c.Commitments)
	if err != nil {
		return secretsharing.Share{}, err
	}
	share, err := s.scalars()
	if err != nil {
		return secretsharing.Share{}, err
	}
	if s.Index() > c.Shares || !secretsharing.Verify(uint(c.Threshold-1), share, commitments) {
		return secretsharing.Share{}, ErrShare
	}
	return share, nil
}

func elements(encoded [][]byte) ([]group.Element, error) {
	var out []group.Element
	for _, b := range encoded {
		e := sharing().NewElement()
		if err := e.UnmarshalBinary(b); err != nil {
			return nil, fmt.Errorf("commitment: %w", ErrFormat)
		}
		if again, err := e.MarshalBinaryCompress(); err != nil || !bytes.Equal(again, b) {
			return nil, fmt.Errorf("commitment: %w", ErrFormat)
		}
		out = append(out, e)
	}
	return out, nil
}

// Gathering collects shares until the key can be put together. It is not safe
// for concurrent use.
type Gathering struct {
	terms  custody.Custodians
	shares []secretsharing.Share
	given  []string // Names of the custodians, in the order of their shares.
	index  []int
}

// Gather begins to collect shares on the terms c, those of the root file.
func Gather(c custody.Custodians) *Gathering { return &Gathering{terms: c} }

// Add takes a share that is good. [ErrForeign] when it is of another ceremony,
// [ErrShare] when it was altered or never dealt, [ErrRepeated] when it is there.
func (g *Gathering) Add(s Share) error {
	share, err := s.check(g.terms)
	if err != nil {
		return fmt.Errorf("adding share %d: %w", s.Index(), err)
	}
	if slices.Contains(g.index, s.Index()) {
		return fmt.Errorf("adding share %d: %w", s.Index(), ErrRepeated)
	}
	g.shares = append(g.shares, share)
	g.given = append(g.given, s.Custodian())
	g.index = append(g.index, s.Index())
	return nil
}

// Clone returns a gathering of the same shares that grows on its own.
func (g *Gathering) Clone() *Gathering {
	return &Gathering{terms: g.terms, shares: slices.Clone(g.shares), given: slices.Clone(g.given), index: slices.Clone(g.index)}
}

// Given returns the names of the custodians whose shares are there.
func (g *Gathering) Given() []string { return slices.Clone(g.given) }

// Missing returns how many shares are still needed.
func (g *Gathering) Missing() int { return max(0, g.terms.Threshold-len(g.shares)) }

// Key puts the key together, which the caller wipes. [ErrMissing] when more
// shares are needed.
func (g *Gathering) Key() ([]byte, error) {
	if n := g.Missing(); n > 0 {
		return nil, fmt.Errorf("putting key together: %d more needed: %w", n, ErrMissing)
	}
	secret, err := secretsharing.Recover(uint(g.terms.Threshold-1), g.shares)
	if err != nil {
		return nil, fmt.Errorf("putting key together: %w", err)
	}
	commitments, err := elements(g.terms.Commitments)
	if err != nil {
		return nil, fmt.Errorf("putting key together: %w", err)
	}
	if !sharing().NewElement().MulGen(secret).IsEqual(commitments[0]) {
		return nil, fmt.Errorf("putting key together: %w", ErrShare)
	}
	key, err := secret.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("putting key together: %w", err)
	}
	return key, nil
}
