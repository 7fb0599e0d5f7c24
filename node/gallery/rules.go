package gallery

import (
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// rules is what the line of commits knows of a gallery's rows.
type rules struct{ g *Gallery }

var _ commit.Rules = rules{}

func (rules) Row() []byte { return naming.Row() }

func (r rules) See(txn store.Reader) (said bool, err error) { return r.g.set.See(txn) }

func (r rules) Said() []byte { return r.g.set.Said() }

func (r rules) Opens(txn store.Reader, p pseudonym.Pseudonym) error { return r.g.set.Readable(txn, p) }

func (r rules) EraseAgain(b *commit.Bundle, x erasure.Entry) error { return r.g.eraseAgain(b, x) }
