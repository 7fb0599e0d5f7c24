package keyring

import (
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Subject is one subject with its keyring open. Wipe it.
type Subject struct {
	P       pseudonym.Pseudonym
	Stamp   Stamp // of the keyring, zero for a new subject
	dek     envelope.DEK
	wrapped []byte
	List    List
}

// Home is the pseudonym that the subject's records are sealed under and found by: the
// first one, so that a new pseudonym leaves them where they are.
func (s Subject) Home() pseudonym.Pseudonym {
	if len(s.List.Former) > 0 {
		return s.List.Former[0]
	}
	return s.P
}

// Generation is that of the KEK which the subject's key is wrapped under.
func (s Subject) Generation() uint32 { return s.dek.Generation() }

// Wipe overwrites the subject's key. The zero subject needs none.
func (s Subject) Wipe() { s.dek.Wipe() }

// maxFormer bounds how many pseudonyms of before are kept; the first one is among them.
const maxFormer = 32

// Make makes a subject, one that is not in the store yet, with a key of its own. Wipe it, also after
// an error.
func (v *Vault) Make(e pseudonym.Element, naming uint32) (Subject, error) {
	p := e.Pseudonym()
	s := Subject{P: p, List: List{Element: e, Naming: naming}}
	err := v.withRing(func(r *envelope.Ring) (err error) {
		s.dek, s.wrapped, err = r.NewDEK(p[:])
		return err
	})
	return s, err
}

// Rewrap wraps the key of s under the current generation. Errors are [store.ErrDamaged].
func (v *Vault) Rewrap(s *Subject) error {
	err := v.wrapAnew(s, s.P, func(r *envelope.Ring) ([]byte, error) { return r.Rewrap(s.P[:], s.wrapped) })
	if err != nil {
		return store.Damaged("rewrapping subject key", err)
	}
	return nil
}

// Rename gives s the pseudonym of an element, of the numbered generation of the pseudonym
// key. Its records stay where they are and are sealed under the same key. Errors are
// [store.ErrDamaged].
func (v *Vault) Rename(s *Subject, to pseudonym.Element, naming uint32) error {
	p := to.Pseudonym()
	err := v.wrapAnew(s, p, func(r *envelope.Ring) ([]byte, error) { return r.Rebind(s.P[:], p[:], s.wrapped) })
	if err != nil {
		return store.Damaged("rebinding subject key", err)
	}
	if s.List.Former = append(s.List.Former, s.P); len(s.List.Former) > maxFormer {
		s.List.Former = append(s.List.Former[:1], s.List.Former[2:]...)
	}
	s.P, s.List.Element, s.List.Naming = p, to, naming
	return nil
}

// wrapAnew replaces the wrapped key of s, which is to be bound to the pseudonym p.
func (v *Vault) wrapAnew(s *Subject, p pseudonym.Pseudonym, wrap func(*envelope.Ring) ([]byte, error)) error {
	var wrapped []byte
	var fresh envelope.DEK
	err := v.withRing(func(r *envelope.Ring) (err error) {
		if wrapped, err = wrap(r); err == nil {
			fresh, err = r.UnwrapDEK(p[:], wrapped)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.dek.Wipe()
	s.dek, s.wrapped = fresh, wrapped
	return nil
}
