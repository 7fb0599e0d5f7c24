package peering

import (
	"context"
	"slices"
	"strings"

	"github.com/tamga-id/tamga/federation/protocol"
)

// sandbox is the purpose of the verification about nobody.
const sandbox = "sandbox_test"

// SandboxRule is what the country's law lacks when it does not let a test of a peer verify about
// nobody, as the test asks: for a face, on public_task. A law of before people are enrolled has it.
func SandboxRule(country string) string {
	return `@id("` + strings.ToLower(country) + `-sandbox-test") @law("Sandbox") @article("1") @consent("none") @fmr("10000") @modalities("face")
permit (principal is Tamga::Node, action == Tamga::Action::"verify", resource is Tamga::Gallery)
when { context.purpose == "` + sandbox + `" && context.legal_basis == "public_task" };`
}

// adding is the advice to add the rule to the country's law, in one line.
func adding(whose, country string) string {
	return whose + " adds to the law of " + country + ", unless people are enrolled already (tamga policy propose): " + strings.ReplaceAll(SandboxRule(country), "\n", " ")
}

// verification asks about nobody, which leaves a receipt on both sides.
func (c *check) verification(ctx context.Context) {
	theirs := adding("The peer's operator", c.m.Jurisdiction)
	if !slices.Contains(c.m.Purposes, sandbox) {
		c.add("verification", Skipped, Theirs, theirs, "the peer's law has no %s; this node's law needs it, too", sandbox)
		return
	}
	code, err := c.with.Verify(ctx, c.m)
	switch {
	case err != nil:
		c.add("verification", Failed, Ours, "Look at this node's log.", "%v", err)
	case code == protocol.CodeOwnLaw:
		country := "this node"
		if own, err := c.Directory.Entity(c.cfg.Self, c.cfg.Now()); err == nil {
			country = own.Jurisdiction
		}
		c.add("verification", Skipped, Ours, adding("This node's operator", country), "this node's own law does not allow %s of a face on public_task", sandbox)
	case code == protocol.CodeLaw, code == protocol.CodeConsentMissing:
		c.add("verification", Warning, Theirs, theirs, "the peer's law has %s, and not of a face on public_task without consent: %s %s", sandbox, code, code.Title())
	case code.Outcome() == protocol.Unavailable:
		c.add("verification", Failed, Theirs, code.Next(), "%s %s", code, code.Title())
	case code.Outcome() == protocol.Refused:
		c.add("verification", Warning, Theirs, code.Next(), "about nobody, for %s: %s %s", sandbox, code, code.Title())
	default:
		c.add("verification", OK, "", "", "about nobody, for %s: %s %s, with a receipt that verifies", sandbox, code.Outcome(), code)
	}
}
