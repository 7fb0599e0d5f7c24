package holder

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// A committee's key is replaced by a multiple of it: the node makes a factor, which
// [Committee.Replace] seals to each holder and signs; [Folder.Replace] multiplies the share
// by it, and the holder answers for both keys until [Folder.Retire] destroys the share
// before. Until then [Folder.Back] undoes it.

const (
	formatReplacement = "tamga-holder-replacement-1"
	secretBefore      = "share-before"
	labelReplacement  = "tamga/v1/holder-replacement\x00"
)

// ErrOverlap refuses another replacement before the share of the last one is retired.
var ErrOverlap = errors.New("the holder's share before the current one is not retired yet")

// ErrNothingOld: there is no share before the current one.
var ErrNothingOld = errors.New("the holder has no share before the current one")

// ErrNode refuses a replacement that no node signed which the holder answers: whoever hands
// one over could have all holders move to a key of his making, and people be lost with it.
var ErrNode = errors.New("the replacement is not signed by a node that the holder was told to answer")

// Replacement carries a factor to the holders of a committee. It may lie open.
type Replacement struct {
	Format string   `json:"format"`
	Before []byte   `json:"before"` // public key that the committee holds
	After  []byte   `json:"after"`  // and the one that it will hold
	Sealed []string `json:"sealed"` // armored age, in the order of the committee
	// Signature is the node's, under the key that it asks holders with. One without is read,
	// to be refused by that name.
	Signature []byte `json:"signature,omitempty"`
}

// signed is what the signature is over.
func (r Replacement) signed() []byte {
	r.Signature = nil
	return append([]byte(labelReplacement), encode(r)...)
}

// Replace makes the replacement of a committee's key by its multiple, signed with the
// node's [ClientKey].
func (c Committee) Replace(factor []byte, node ed25519.PrivateKey) (Replacement, error) {
	next, err := c.Times(factor)
	if err != nil {
		return Replacement{}, fmt.Errorf("replacing key: %w", err)
	}
	before, err := c.Public()
	if err != nil {
		return Replacement{}, fmt.Errorf("replacing key: %w", err)
	}
	after, err := next.Public()
	if err != nil {
		return Replacement{}, fmt.Errorf("replacing key: %w", err)
	}
	r := Replacement{Format: formatReplacement, Before: before.Bytes(), After: after.Bytes()}
	for _, m := range c.Holders {
		sealed, err := seal(m.Recipient, factor)
		if err != nil {
			return Replacement{}, fmt.Errorf("replacing key: %w", err)
		}
		r.Sealed = append(r.Sealed, sealed)
	}
	r.Signature = ed25519.Sign(node, r.signed())
	return r, nil
}

// Times is the committee once it holds the multiple of its key.
func (c Committee) Times(factor []byte) (Committee, error) {
	t, err := c.Terms()
	if err == nil {
		t, err = t.Times(factor)
	}
	if err != nil {
		return Committee{}, err
	}
	out := Committee{Format: c.Format, Threshold: c.Threshold}
	for i, m := range c.Holders {
		m.Public = t.Holders[i].Bytes()
		out.Holders = append(out.Holders, m)
	}
	return out, nil
}

// Encode gives the bytes of the file.
func (r Replacement) Encode() []byte { return encode(r) }

// ParseReplacement reads a replacement that one of the clients signed: [ErrFormat] or
// [ErrNode].
func ParseReplacement(b []byte, clients []ed25519.PublicKey) (Replacement, error) {
	var r Replacement
	if err := decode(b, &r); err != nil {
		return Replacement{}, fmt.Errorf("reading replacement: %w", err)
	}
	if r.Format != formatReplacement || len(r.Sealed) < 2 || len(r.Sealed) > pseudonym.MaxHolders {
		return Replacement{}, fmt.Errorf("reading replacement: %w", ErrFormat)
	}
	if !slices.ContainsFunc(clients, func(k ed25519.PublicKey) bool { return ed25519.Verify(k, r.signed(), r.Signature) }) {
		return Replacement{}, fmt.Errorf("reading replacement: %w", ErrNode)
	}
	return r, nil
}

// Replace multiplies the share by what the replacement holds for this holder, keeps the
// one before beside it, and writes the committee anew. Doing it again changes nothing, and
// after [Folder.Back] it goes forward again; one of another key is [ErrForeign].
func (f *Folder) Replace(r Replacement) (Committee, error) {
	c, err := f.Committee()
	if err == nil {
		c, err = f.replace(c, r)
	}
	if err != nil {
		return Committee{}, fmt.Errorf("replacing share: %w", err)
	}
	return c, nil
}

func (f *Folder) replace(c Committee, r Replacement) (Committee, error) {
	public, err := c.Public()
	if err != nil {
		return Committee{}, err
	}
	at := f.place(c)
	if at < 0 || len(r.Sealed) != len(c.Holders) {
		return Committee{}, ErrForeign
	}
	if bytes.Equal(public.Bytes(), r.After) {
		return c, nil
	}
	factor, err := f.unseal(r.Sealed[at])
	if err != nil {
		return Committee{}, err
	}
	defer clear(factor)
	next, err := c.Times(factor)
	if err != nil {
		return Committee{}, err
	}
	if after, err := next.Public(); err != nil || !bytes.Equal(public.Bytes(), r.Before) || !bytes.Equal(after.Bytes(), r.After) {
		return Committee{}, errors.Join(ErrForeign, err)
	}
	if err := f.keep(c.Holders[at].Public, next.Holders[at].Public, factor); err != nil {
		return Committee{}, err
	}
	return next, f.writeCommittee(next)
}

// place is where this holder is in a committee, -1 for nowhere.
func (f *Folder) place(c Committee) int {
	for i, m := range c.Holders {
		if m.Name == f.card.Name && bytes.Equal(m.Key, f.card.Key) {
			return i
		}
	}
	return -1
}

// keep makes the multiple of the share the current one, unless an earlier attempt did.
func (f *Folder) keep(before, after, factor []byte) error {
	var share, old []byte
	err := custody.UpdateKeystore(filepath.Join(f.dir, keystoreFile), f.root, func(secrets map[string][]byte) error {
		switch {
		case publicIs(secrets[secretShare], after):
		case !publicIs(secrets[secretShare], before):
			return ErrForeign
		case publicIs(secrets[secretBefore], after): // it stepped back
			secrets[secretBefore], secrets[secretShare] = secrets[secretShare], secrets[secretBefore]
		case secrets[secretBefore] != nil:
			return ErrOverlap
		default:
			m, err := pseudonym.MultiplyShare(secrets[secretShare], factor)
			if err != nil {
				return err
			}
			secrets[secretBefore], secrets[secretShare] = secrets[secretShare], m
		}
		share, old = bytes.Clone(secrets[secretShare]), bytes.Clone(secrets[secretBefore])
		return nil
	})
	if err == nil {
		f.share, f.before = share, old
	}
	return err
}

func publicIs(share, public []byte) bool {
	k, err := pseudonym.NewShare(share)
	return err == nil && bytes.Equal(k.Public().Bytes(), public)
}

// writeCommittee puts the file in its place.
func (f *Folder) writeCommittee(c Committee) error {
	path := filepath.Join(f.dir, CommitteeFile)
	if err := os.RemoveAll(path + ".new"); err != nil {
		return err
	}
	if err := writeNew(path+".new", c.Encode()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Back takes a replacement back that the node has not activated: the share before becomes
// the current one, and the other one stays beside it until [Folder.Retire], so that nothing
// is lost by it. [ErrNothingOld] when the share before is not there any more.
func (f *Folder) Back() (Committee, error) {
	c, err := f.Committee()
	if err == nil {
		c, err = f.back(c)
	}
	if err != nil {
		return Committee{}, fmt.Errorf("stepping back: %w", err)
	}
	return c, nil
}

func (f *Folder) back(c Committee) (Committee, error) {
	at := f.place(c)
	switch {
	case f.before == nil:
		return Committee{}, ErrNothingOld
	case at < 0:
		return Committee{}, ErrForeign
	}
	// The committee's file goes first: where it is of the share before already, a crash came
	// between the two, here or in Replace, and the share is what is left to do.
	if !publicIs(f.before, c.Holders[at].Public) {
		// Nobody keeps the factor: it is what the shares differ by.
		inverse, err := pseudonym.InvertFactor(f.share)
		if err == nil {
			inverse, err = pseudonym.MultiplyShare(inverse, f.before)
		}
		if err != nil {
			return Committee{}, err
		}
		defer clear(inverse)
		if c, err = c.Times(inverse); err != nil {
			return Committee{}, err
		}
		if !publicIs(f.before, c.Holders[at].Public) {
			return Committee{}, ErrForeign
		}
		if err := f.writeCommittee(c); err != nil {
			return Committee{}, err
		}
	}
	err := custody.UpdateKeystore(filepath.Join(f.dir, keystoreFile), f.root, func(secrets map[string][]byte) error {
		if !publicIs(secrets[secretBefore], c.Holders[at].Public) {
			return ErrForeign // another command was here meanwhile
		}
		secrets[secretBefore], secrets[secretShare] = secrets[secretShare], secrets[secretBefore]
		return nil
	})
	if err == nil {
		f.share, f.before = f.before, f.share
	}
	return c, err
}

// Retire destroys the share beside the current one, once the node's key of that was
// retired, or, after [Folder.Back], is not to come: [ErrNothingOld] when there is none.
func (f *Folder) Retire() error {
	err := custody.UpdateKeystore(filepath.Join(f.dir, keystoreFile), f.root, func(secrets map[string][]byte) error {
		if secrets[secretBefore] == nil {
			return ErrNothingOld
		}
		delete(secrets, secretBefore)
		return nil
	})
	if err != nil {
		return fmt.Errorf("retiring share: %w", err)
	}
	clear(f.before)
	f.before = nil
	return nil
}
