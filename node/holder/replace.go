package holder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// A committee's key is replaced by a multiple of it: the node makes a factor, which
// [Replace] seals to each holder; [Folder.Replace] multiplies the share by it, and the
// holder answers for both keys until [Folder.Retire] destroys the share before.

const (
	formatReplacement = "tamga-holder-replacement-1"
	secretBefore      = "share-before"
)

// ErrOverlap refuses another replacement before the share of the last one is retired.
var ErrOverlap = errors.New("the holder's share before the current one is not retired yet")

// ErrNothingOld: there is no share before the current one.
var ErrNothingOld = errors.New("the holder has no share before the current one")

// Replacement carries a factor to the holders of a committee. It may lie open.
type Replacement struct {
	Format string   `json:"format"`
	Before []byte   `json:"before"` // public key that the committee holds
	After  []byte   `json:"after"`  // and the one that it will hold
	Sealed []string `json:"sealed"` // armored age, in the order of the committee
}

// Replace makes the replacement of a committee's key by its multiple.
func (c Committee) Replace(factor []byte) (Replacement, error) {
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

// ParseReplacement reads a replacement, or returns [ErrFormat].
func ParseReplacement(b []byte) (Replacement, error) {
	var r Replacement
	if err := decode(b, &r); err != nil {
		return Replacement{}, fmt.Errorf("reading replacement: %w", err)
	}
	if r.Format != formatReplacement || len(r.Sealed) < 2 || len(r.Sealed) > pseudonym.MaxHolders {
		return Replacement{}, fmt.Errorf("reading replacement: %w", ErrFormat)
	}
	return r, nil
}

// Replace multiplies the share by what the replacement holds for this holder, keeps the
// one before beside it, and writes the committee anew. Doing it again changes nothing;
// one of another key is [ErrForeign].
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

// Retire destroys the share before the current one, once the node's key of that was
// retired: [ErrNothingOld] when there is none.
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
