package entity

import (
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// chainAfter is how long a node goes on bringing its Trust Chain after it has itself
// seen its present keys in the chain that its superior serves: peers see them at their
// next refresh, most within a minute and all within a day.
const chainAfter = time.Hour

// knownConfiguration is the Entity Configuration in the chain that the node resolved for
// itself beside the one it publishes, both read once.
type knownConfiguration struct {
	token, own string
	keyed      bool      // token names every key for signing Queries that own does
	lacked     time.Time // when one last did not, in this process
}

// QueryChain is the node's Trust Chain for its Queries while peers may not know its
// present keys: with the Entity Configuration it publishes now, under the statements
// that are known of its superiors. It is nil once they have had time to hear.
func (e *Entity) QueryChain() []string {
	statements, own := e.ownStatements()
	if statements == nil {
		return nil
	}
	known := e.known.Load()
	if known == nil || known.token != statements[0] || known.own != own {
		next := &knownConfiguration{token: statements[0], own: own, keyed: namesKeysOf(statements[0], own)}
		if known != nil {
			next.lacked = known.lacked
		}
		if !next.keyed {
			next.lacked = e.cfg.Now()
		}
		e.known.Store(next)
		known = next
	}
	if known.keyed && e.cfg.Now().Sub(known.lacked) > chainAfter {
		return nil
	}
	return append([]string{own}, statements[1:]...)
}

// ProvingChain is the node's Trust Chain for a responder that said that it could not tell
// whether the node is a member.
func (e *Entity) ProvingChain() []string {
	statements, own := e.ownStatements()
	if statements == nil {
		return nil
	}
	return append([]string{own}, statements[1:]...)
}

// ownStatements are the node's Trust Chain as it is known, nil for none, and its Entity
// Configuration as it publishes it now.
func (e *Entity) ownStatements() (statements []string, own string) {
	statements, ok := e.cfg.Statements()
	own, err := e.Configuration()
	if !ok || err != nil {
		return nil, ""
	}
	return statements, own
}

// namesKeysOf reports whether an Entity Configuration names the keys of another that
// sign Queries.
func namesKeysOf(token, own string) bool {
	there, err := trust.ParseStatement(token)
	here, err2 := trust.ParseStatement(own)
	if err != nil || err2 != nil {
		return false
	}
	known, err := there.Metadata()
	wanted, err2 := here.Metadata()
	if err != nil || err2 != nil || known.TamgaNode == nil || wanted.TamgaNode == nil {
		return false
	}
	for _, k := range wanted.TamgaNode.Keys.Keys() {
		if _, ok := known.TamgaNode.Keys.Key(k.KeyID()); !ok {
			return false
		}
	}
	return true
}
