package mutant

import (
	"encoding/json"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/responder"
)

// replying are mutants that decide rightly and reply wrongly.
func replying() []Mutant {
	return []Mutant{
		{"stale-answer", "after a few Queries sends each reply to the Query that came after", []string{"TMG-A-002"}, stale},
		{"leaky", "adds to its Answers, in clear, about whom they are", []string{"TMG-A-005"}, leaky},
		{"talkative", "adds a claim to its Refusals that says what went wrong", []string{"TMG-A-007"},
			resigning(protocol.TypeRefusal, func(c map[string]any) { c["detail"] = "checking claims: no match" })},
		{"mumbles", "refuses everything as malformed", []string{"TMG-Q-006", "TMG-Q-008", "TMG-R-002"},
			resigning(protocol.TypeRefusal, func(c map[string]any) { c["code"] = string(protocol.CodeMalformed) })},
		{"refuses-as-unavailable", "says unavailable where it refuses", []string{"TMG-A-006"},
			resigning(protocol.TypeRefusal, func(c map[string]any) { c["outcome"] = string(protocol.Unavailable) })},
	}
}

// freshReplies is how many replies the stale mutant gives as they are: more than the
// preflight asks for, so that it is found by cases.
const freshReplies = 6

// stale breaks TMG-A-002 and TMG-A-001: a cache that lags by one reply.
func stale() node.Overrides {
	var n memory[int]
	var last memory[[]byte]
	return node.Overrides{Reply: func(reply []byte) []byte {
		before := last.swap(reply)
		if n.swap(n.load()+1) < freshReplies {
			return reply
		}
		return before
	}}
}

// resigning edits the claims of replies of one typ and signs them again with the
// node's own key, so that what is wrong is what they say and not who says it.
func resigning(typ string, edit func(claims map[string]any)) func() node.Overrides {
	return func() node.Overrides {
		var key jose.PrivateKey
		return node.Overrides{
			Responder: func(c *responder.Config) { key = c.Signing },
			Reply:     func(reply []byte) []byte { return resigned(reply, typ, key, edit) },
		}
	}
}

func resigned(reply []byte, typ string, key jose.PrivateKey, edit func(map[string]any)) []byte {
	t, err := jose.Parse(string(reply))
	if err != nil || t.Type() != typ {
		return reply
	}
	var claims map[string]any
	if err := json.Unmarshal(t.Payload(), &claims); err != nil {
		return reply
	}
	// A float64 holds seconds exactly and is written without a fraction.
	edit(claims)
	payload, err := json.Marshal(claims)
	if err != nil {
		return reply
	}
	token, err := jose.Sign(key, typ, payload)
	if err != nil {
		return reply
	}
	return []byte(token)
}

// leaky breaks TMG-A-005: the identifier of the last subject looked up stands in the
// clear part of the Answer.
func leaky() node.Overrides {
	var key jose.PrivateKey
	var watched watching
	return node.Overrides{
		Responder: func(c *responder.Config) {
			key, watched.Gallery = c.Signing, c.Gallery
			c.Gallery = &watched
		},
		Reply: func(reply []byte) []byte {
			id := watched.last.load()
			return resigned(reply, protocol.TypeAnswer, key, func(c map[string]any) { c["subject"] = id.Value })
		},
	}
}

// watching remembers whom the responder looked up.
type watching struct {
	responder.Gallery
	last memory[pseudonym.Identifier]
}

func (w *watching) References(id pseudonym.Identifier, modality string) (gallery.References, error) {
	w.last.swap(id)
	return w.Gallery.References(id, modality)
}
