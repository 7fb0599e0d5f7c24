package lawbook_test

import (
	"slices"
	"testing"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/node/lawbook"
)

// TestSuspend: while it cannot be told what law is in force nobody is let through, and no article is named for it.
func TestSuspend(t *testing.T) {
	var law lawbook.Current
	law.Set(must(policy.Load("x", first())))
	r := policy.Request{Direction: policy.Answer, Requester: "https://kaz.example", Responder: entity, RequesterCountry: "KAZ", ResponderCountry: "KGZ",
		Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Time: noon}
	if d := law.Decide(r); !d.Allowed || d.NoLaw() {
		t.Fatalf("got %+v", d)
	}
	if !law.Suspend() || law.Suspend() {
		t.Error("whether a law was in force is not told")
	}
	if d := law.Decide(r); d.Allowed || !d.NoLaw() || law.Law() != nil {
		t.Errorf("suspended: %+v", d)
	}
	if !law.Resume() || law.Resume() || !law.Decide(r).Allowed {
		t.Error("not in force again")
	}
}

// TestUnder: all of a Query is decided by the law under which it began.
func TestUnder(t *testing.T) {
	var c lawbook.Current
	text := first()
	before, after := must(policy.Load("x", text)), must(policy.Load("x", append(slices.Clone(text), "// later\n"...)))
	c.Set(before)
	r := policy.Under(policy.Request{}, &c)
	c.Set(after)
	asked := policy.Request{Direction: policy.Answer}
	if d := c.Decide(r); d.Digest != before.Decide(asked).Digest {
		t.Error("the rest of a Query was decided by another law")
	}
	if d := c.Decide(policy.Request{}); d.Digest != after.Decide(asked).Digest || d.Digest == before.Decide(asked).Digest {
		t.Error("another Query was decided by the law before")
	}
	if r := policy.Under(policy.Request{}, nil); r.Under != nil {
		t.Error("nobody has a law in force")
	}
}
