package gallery

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Protection turns templates into what is stored of them, so that it can be replaced
// when it leaked (ISO/IEC 24745:2022, renewable biometric references). It has numbered
// generations from 1, of which one is current. It is safe for concurrent use.
type Protection interface {
	// Covers reports whether templates of a modality and format are protected. The
	// others are stored as they are.
	Covers(modality, format string) bool
	// Current is the generation that Protect and Renew use now, and Holds reports whether
	// one is there.
	Current() uint32
	Holds(generation uint32) bool
	// Protect gives the stored form of a template that is covered, and its generation.
	// Neither changes nor keeps t.
	Protect(t Template) (stored Template, generation uint32, err error)
	// Renew gives the stored form under the current generation of one under another
	// that is still there, or of a template that is not protected.
	Renew(t Template) (stored Template, generation uint32, err error)
}

// protected is a template as it is stored.
type protected struct {
	Template
	generation uint32 // 0 for one that is stored as it was imported
	source     []byte // of what was imported, when generation is not 0
}

// protect works out what is stored of t. The data is t's own where it is not protected.
func (g *Gallery) protect(t Template) (protected, error) {
	if g.protection == nil || !g.protection.Covers(t.Modality, t.Format) {
		return protected{Template: t}, nil
	}
	stored, generation, err := g.protection.Protect(t)
	if err != nil {
		return protected{}, fmt.Errorf("protecting template: %w", err)
	}
	return protected{stored, generation, g.source(t.Data)}, nil
}

// current reports that p need not be worked out again.
func (g *Gallery) current(p protected) bool {
	return p.generation == 0 || p.generation == g.protection.Current()
}

// holds reports that the secret of a generation is there; 0 is for none.
func (g *Gallery) holds(generation uint32) bool {
	return generation == 0 || g.protection != nil && g.protection.Holds(generation)
}

// wipe overwrites what protect made.
func (p protected) wipe() {
	if p.generation != 0 {
		clear(p.Data)
	}
}

// source tells a repeated import, whatever generation the record is of by then. A plain
// digest would be equal at two nodes that were given the same photograph's template.
func (g *Gallery) source(data []byte) []byte {
	mac := hmac.New(sha256.New, g.index[:])
	mac.Write([]byte("tamga/v1/gallery-source\x00"))
	mac.Write(data)
	return mac.Sum(nil)
}

// upToDate works out anew what was prepared under another generation than the current
// one, and refuses what the store does not take any more.
func (g *Gallery) upToDate(txn store.Reader, j *job) error {
	covered := slices.ContainsFunc(j.stored, func(p protected) bool { return p.generation != 0 })
	if !covered {
		return nil
	}
	if slices.ContainsFunc(j.stored, func(p protected) bool { return !g.current(p) }) {
		if err := g.protectAll(j); err != nil {
			return err
		}
	}
	least, err := g.set.Least(txn, subjects.LeastTemplates)
	if err == nil && slices.ContainsFunc(j.stored, func(p protected) bool { return p.generation != 0 && p.generation < least }) {
		err = g.set.Outrun()
	}
	return err
}

// renewing is the protection as package renewal has it.
type renewing struct {
	Protection
	g *Gallery
}

// Renew gives the stored form of what a record holds.
func (r renewing) Renew(x keyring.Record, plain []byte) (stored []byte, generation uint32, err error) {
	t, generation, err := r.Protection.Renew(Template{Modality: x.Modality, Format: x.Format, Position: x.Position, Data: plain})
	return t.Data, generation, err
}

// Source tells a repeated import.
func (r renewing) Source(plain []byte) []byte { return r.g.source(plain) }
