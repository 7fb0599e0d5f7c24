package main

import (
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

// thief: thief FILE ENTITY COUNTRY OUT makes the Entity Configuration of an Entity with keys of its own that claims all that
// FILE, another's, says of a node, its peer IDs with their proofs among it.
func thief(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: thief FILE ENTITY COUNTRY OUT")
	}
	token, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	of, err := trust.ParseStatement(strings.TrimSpace(string(token)))
	ts.Check(err)
	m, err := of.Metadata()
	ts.Check(err)
	m.TamgaNode.Jurisdiction = args[2]
	key, err := jose.GenerateKey()
	ts.Check(err)
	stolen, err := trust.SignEntityConfiguration(key, trust.EntityConfiguration{
		Entity: trust.EntityID(args[1]), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), AuthorityHints: of.AuthorityHints(), Metadata: m,
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(stolen), 0o600))
}
