package peering

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

// States of a [Stage].
const (
	OK      = "ok"
	Warning = "warning" // it works, and will not for long or not for everything
	Failed  = "failed"
	Skipped = "skipped" // what it rests on failed, or does not apply
)

// Whose side a fault is on, as far as can be told from here.
const (
	Ours     = "ours"
	Theirs   = "theirs"
	Between  = "between" // the network, or either side's firewall
	Superior = "anchor"
)

// Stage is one step of a [Report].
type Stage struct {
	Name   string
	State  string
	Side   string // whose it is to act; empty when nobody's
	Detail string
	Next   string // what they do
}

// Report is what a test of a peer found, in the order in which one stage rests on another.
type Report struct {
	Peer   trust.EntityID
	Stages []Stage
	RTT    time.Duration // of the quickest address; 0 when none answered
	Skew   time.Duration // how far the peer's clock is ahead of ours, to the second; see Clocked
	// Clocked says whether Skew was measured.
	Clocked bool
}

// OK reports whether no stage failed.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Stages, func(s Stage) bool { return s.State == Failed })
}

// Probing are the means of a test that are the node's.
type Probing struct {
	// Exchange sends one frame to one address of a peer over a connection of its own.
	Exchange func(ctx context.Context, to transport.PeerID, addr, protocol string, frame []byte) ([]byte, error)
	// Stale makes a Query to the peer that expired a day before now, which it has to refuse
	// in clear (PROTOCOL.md, TMG-A-007) and does not record.
	Stale func(to trust.Node, now time.Time) ([]byte, error)
	// Verify asks the peer about somebody who does not exist, for sandbox_test.
	Verify func(ctx context.Context, to trust.Node) (protocol.Code, error)
}

const (
	// addressTimeout is for one address: handshake and one exchange over a satellite.
	addressTimeout = 8 * time.Second
	// tolerated is how far clocks may differ (PROTOCOL.md, TMG-Q-007).
	tolerated = 5 * time.Second
	// soon is when a chain's end is worth a word.
	soon = 2 * time.Hour
)

// check is a test that is under way; it belongs to one goroutine.
type check struct {
	*Peers
	with Probing
	r    Report
	m    trust.Node
	addr string // one that answered
}

func (c *check) add(name, state, side, next, format string, args ...any) {
	c.r.Stages = append(c.r.Stages, Stage{Name: name, State: state, Side: side, Detail: fmt.Sprintf(format, args...), Next: next})
}

// Test finds out, stage by stage, whether this node and the member that the operator
// names could verify now, and where not, whose side it is on. It goes through addresses
// one by one over connections of its own, past every back-off. The error says that there
// is no such member.
func (p *Peers) Test(ctx context.Context, name string, with Probing) (Report, error) {
	c := &check{Peers: p, with: with}
	var err error
	if c.m, err = p.Find(name); err != nil {
		if s, ok := p.suspension(name); ok {
			c.r.Peer = s.Entity
			c.add("membership", Failed, Superior, "Ask the Trust Anchor's operator; `tamga anchor reinstate` ends it.", "suspended by %s since %s%s", s.anchor, time.Unix(s.Since, 0).UTC().Format(time.RFC3339), because(s.Reason))
			return c.r, nil
		}
		return Report{}, err
	}
	c.r.Peer = c.m.EntityID
	if c.membership(); !c.r.OK() {
		return c.r, nil
	}
	c.names(ctx)
	c.addresses(ctx)
	if c.addr == "" {
		return c.r, nil
	}
	c.configuration(ctx)
	c.signed(ctx)
	c.listing(ctx)
	c.purposes(ctx)
	return c.r, nil
}

// Ping tries each address of the member, as Test does, and nothing else.
func (p *Peers) Ping(ctx context.Context, name string, with Probing) (Report, error) {
	c := &check{Peers: p, with: with}
	var err error
	if c.m, err = p.Find(name); err != nil {
		return Report{}, err
	}
	c.r.Peer = c.m.EntityID
	c.addresses(ctx)
	return c.r, nil
}

type suspendedBy struct {
	membership.Suspension
	anchor trust.EntityID
}

func (p *Peers) suspension(name string) (suspendedBy, bool) {
	for _, l := range p.suspending() {
		for _, s := range l.Suspended {
			if string(s.Entity) == name || s.Jurisdiction == name {
				return suspendedBy{s, l.Anchor}, true
			}
		}
	}
	return suspendedBy{}, false
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// membership looks at what the Trust Anchors say of both sides.
func (c *check) membership() {
	now := c.cfg.Now()
	own, err := c.Directory.Entity(c.cfg.Self, now)
	switch {
	case c.SelfSuspended():
		c.add("own membership", Failed, Superior, "Ask the Trust Anchor's operator.", "this node is suspended")
	case err != nil:
		c.add("own membership", Failed, Ours, "Hand entity-configuration.jwt to the Trust Anchor's operator (tamga anchor enroll), or check that the anchor can be reached: tamga trust anchors.", "%v", err)
	default:
		c.add("own membership", OK, "", "", "until %s", own.ExpiresAt.Format(time.RFC3339))
	}
	if with, is, paused := c.pauseOf(c.m.EntityID); paused {
		name, by := string(with), ""
		switch {
		case with != c.m.EntityID:
			by = " with " + name
		case c.m.Under == "":
			name = c.m.Jurisdiction
		}
		c.add("membership", Failed, Ours, "tamga peer resume "+name, "paused%s by this node's operator since %s%s", by, is.Since.Format(time.RFC3339), because(is.Reason))
		return
	}
	c.add("membership", OK, "", "", "%s acts for %s", c.m.EntityID, c.m.Jurisdiction)
	if is, ok := c.introduced()[c.m.EntityID]; ok {
		if c.changed(is) {
			c.add("introduction", Warning, Theirs, "Phone the peer's operator: if the federation keys were rotated, introduce yourselves again (tamga peer invite); if not, the Trust Anchor passes on somebody else's.",
				"other federation keys than were confirmed at %s", is.At.Format(time.RFC3339))
		} else {
			c.add("introduction", OK, "", "", "keys confirmed at %s", is.At.Format(time.RFC3339))
		}
	}
	left := c.m.ExpiresAt.Sub(now).Truncate(time.Minute)
	if left < soon {
		c.add("chain", Warning, Superior, "Check with tamga trust anchors that the anchor is heard; it has to sign a new statement before.", "expires in %s", left)
		return
	}
	c.add("chain", OK, "", "", "until %s", c.m.ExpiresAt.Format(time.RFC3339))
}

// names resolves the names in the peer's addresses.
func (c *check) names(ctx context.Context) {
	seen := map[string]bool{}
	for _, a := range c.m.Addresses {
		parts := strings.Split(a, "/")
		if len(parts) < 3 || !strings.HasPrefix(parts[1], "dns") || seen[parts[2]] {
			continue
		}
		seen[parts[2]] = true
		ctx, cancel := context.WithTimeout(ctx, addressTimeout)
		found, err := net.DefaultResolver.LookupHost(ctx, parts[2])
		cancel()
		if err != nil {
			side, next := Theirs, "The peer's operator mends the name or listen.advertise."
			if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsNotFound {
				side, next = Ours, "This machine's resolver does not answer: mend it."
			}
			c.add("name", Failed, side, next, "%s: %v", parts[2], err)
			continue
		}
		c.add("name", OK, "", "", "%s is %s", parts[2], strings.Join(found, ", "))
	}
}

// addresses tries each one, by asking for the peer's Entity Configuration.
func (c *check) addresses(ctx context.Context) {
	if len(c.m.Addresses) == 0 {
		c.add("address", Failed, Theirs, "The peer's operator sets listen.advertise and enrols anew.", "the peer announces no address")
		return
	}
	refused := 0
	var faults []Stage
	for _, a := range c.m.Addresses {
		ctx, cancel := context.WithTimeout(ctx, addressTimeout)
		began := time.Now()
		_, err := c.itself(ctx, a)
		took := time.Since(began)
		cancel()
		switch {
		case err == nil:
			c.add("address", OK, "", "", "%s answers in %s", a, took.Round(100*time.Microsecond))
			if c.addr == "" || took < c.r.RTT {
				c.addr, c.r.RTT = a, took
			}
			continue
		case errors.Is(err, transport.ErrNotAdmitted):
			refused++
			faults = append(faults, Stage{"address", OK, "", a + " can be reached", ""})
		default:
			faults = append(faults, unreachable(a, err))
		}
	}
	for _, f := range faults {
		if c.addr != "" && f.State == Failed {
			f.State = Warning // another address does
		}
		c.r.Stages = append(c.r.Stages, f)
	}
	switch {
	case c.addr != "":
		c.add("handshake", OK, "", "", "the peer is who its Trust Chain names, and admits this node")
	case refused > 0:
		c.add("handshake", Failed, Theirs, "The peer's operator looks with tamga peer list whether this node is unknown, suspended or paused there, and with tamga trust anchors whether the anchor is heard.", "the peer closes the connection: it does not take this node for a member")
	default:
		c.add("handshake", Skipped, "", "", "no address answers")
	}
}

// itself fetches the peer's Entity Configuration from one of its addresses.
func (c *check) itself(ctx context.Context, addr string) (string, error) {
	return endpoint.Peer{
		Exchange: func(ctx context.Context, peerID string, addrs []string, frame []byte) ([]byte, error) {
			return c.with.Exchange(ctx, transport.PeerID(peerID), addrs[0], transport.ProtocolTrust, frame)
		},
		Locate: func(trust.EntityID) (string, []string, bool) { return c.m.PeerID, []string{addr}, true },
	}.EntityConfiguration(ctx, c.m.EntityID)
}

// unreachable explains why an address does not answer.
func unreachable(addr string, err error) Stage {
	s := Stage{Name: "address", State: Failed, Side: Between, Detail: addr + ": " + cause(err),
		Next: "Ask the peer's operator whether the node runs and is reached there by others; if so, look at the firewalls on the way, your own first."}
	if strings.Contains(s.Detail, "refused") {
		s.Side, s.Next = Theirs, "Nothing listens there: the peer's operator starts the node or mends listen.advertise."
	}
	return s
}

// cause is the text of the one attempt that was made.
func cause(err error) string {
	if d, ok := errors.AsType[*transport.DialError](err); ok && len(d.Attempts) == 1 {
		return d.Attempts[0].Err.Error()
	}
	return err.Error()
}

// ask sends a frame to the address that answered.
func (c *check) ask(ctx context.Context, protocol string, frame []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	return c.with.Exchange(ctx, transport.PeerID(c.m.PeerID), c.addr, protocol, frame)
}

// configuration compares what the peer says of itself with what its superior passed on.
func (c *check) configuration(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	token, err := c.itself(ctx, c.addr)
	var own trust.Node
	if err == nil {
		own, err = c.Directory.Renewed(c.m.EntityID, token, c.cfg.Now())
	}
	if err != nil {
		c.add("keys", Failed, Theirs, "The peer's operator compares its federation key with what the Trust Anchor enrolled.", "the peer's own Entity Configuration does not verify: %s", err)
		return
	}
	if !sameKeys(own, c.m) {
		c.add("keys", Warning, Theirs, "The peer's operator hands its new entity-configuration.jwt to the Trust Anchor (tamga anchor enroll).", "the peer has other signing or sealing keys than the Trust Anchor passes on")
		return
	}
	c.add("keys", OK, "", "", "%d to sign, %d to seal; the same as the Trust Anchor passes on", own.SigningKeys.Len(), len(own.SealingKeys))
}

func sameKeys(a, b trust.Node) bool {
	ids := func(n trust.Node) []string {
		var out []string
		for _, k := range n.SigningKeys.Keys() {
			out = append(out, k.KeyID())
		}
		for _, k := range n.SealingKeys {
			out = append(out, k.KeyID())
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(ids(a), ids(b))
}

// signed sends a Query that the peer has to refuse in clear. What the refusal says, and
// when, tells whether the peer knows this node's keys, and its clock.
func (c *check) signed(ctx context.Context) {
	frame, err := c.with.Stale(c.m, c.cfg.Now())
	var reply []byte
	before := c.cfg.Now()
	if err == nil {
		reply, err = c.ask(ctx, transport.ProtocolQuery, frame)
	}
	now := c.cfg.Now()
	if err != nil {
		c.add("query", Failed, Theirs, "Try again; if it persists, the peer's operator looks at its log.", "a signed Query was not answered: %s", cause(err))
		return
	}
	if len(reply) == 1 {
		c.add("query", Warning, Theirs, "Wait, and try again.", "the peer is at its limit of work")
		return
	}
	payload, err := jose.Verify(string(reply), protocol.TypeRefusal, c.m.SigningKeys)
	var said struct {
		IssuedAt int64         `json:"iat"`
		Code     protocol.Code `json:"code"`
	}
	if err == nil {
		err = jose.DecodeOpenClaims(payload, &said)
	}
	if err != nil {
		c.add("query", Failed, Theirs, "The peer's operator looks with tamga key list which signing key is in use, and hands its entity-configuration.jwt to the Trust Anchor.", "the reply to a signed Query does not verify: %v", err)
		return
	}
	switch said.Code {
	case protocol.CodeExpired:
		c.add("query", OK, "", "", "the peer knows this node's keys, and its reply verifies")
	case protocol.CodeSignature:
		c.add("query", Failed, Ours, "Hand the new entity-configuration.jwt to the Trust Anchor (tamga anchor enroll), or go back a step in the rotation.", "the peer does not know the key that this node signs with")
	case protocol.CodeNotMember, protocol.CodeChainExpired, protocol.CodeTrustUndetermined:
		c.add("query", Failed, Theirs, "The peer's operator looks with tamga trust explain at this node's chain.", "%s %s", said.Code, said.Code.Title())
	default:
		c.add("query", Warning, Theirs, "", "an expired Query was answered with %s %s", said.Code, said.Code.Title())
	}
	c.clock(time.Unix(said.IssuedAt, 0), before, now)
}

// clock compares the second at which the peer signed with the time meanwhile here.
func (c *check) clock(at, before, after time.Time) {
	c.r.Clocked = true
	switch {
	case at.After(after):
		c.r.Skew = at.Sub(after)
	case at.Add(time.Second).Before(before):
		c.r.Skew = at.Add(time.Second).Sub(before)
	}
	c.r.Skew = c.r.Skew.Round(time.Second)
	if c.r.Skew > tolerated || c.r.Skew < -tolerated {
		c.add("clock", Failed, Between, "Both operators compare with a time server (`chronyc tracking`, `timedatectl`): Queries are refused beyond 5 s.", "the peer's clock is %s from this one", c.r.Skew)
		return
	}
	c.add("clock", OK, "", "", "within %s", max(c.r.Skew.Abs(), time.Second))
}

// listing compares which listings both sides hold, and leaves both with the newest.
func (c *check) listing(ctx context.Context) {
	for _, a := range c.cfg.Anchors {
		l, notice, ok := c.keeper.Held(trust.Path(a.EntityID))
		if !ok {
			continue
		}
		reply, err := c.ask(ctx, transport.ProtocolListing, notice.Frame())
		if err != nil {
			c.add("listing", Warning, Theirs, "The peer's operator updates the node, or adds the Trust Anchor.", "the peer takes no listing of %s: %s", a.EntityID, cause(err))
			continue
		}
		_, theirs, newer, err := c.hear(reply)
		switch {
		case err != nil:
			c.add("listing", Warning, Theirs, "The peer's operator compares trust-anchor.json with what the anchor handed out.", "the peer's listing of %s does not verify: %v", a.EntityID, err)
		case newer:
			c.add("listing", Warning, Ours, "Look with tamga trust anchors why this node does not hear the anchor.", "the peer had a newer one of %s: %d, here %d", a.EntityID, theirs.Sequence, l.Sequence)
		default:
			c.add("listing", OK, "", "", "number %d of %s on both sides", l.Sequence, a.EntityID)
		}
	}
}

// purposes says what the peer answers for, and verifies where that needs nobody.
func (c *check) purposes(ctx context.Context) {
	if !slices.Contains(c.m.Revisions, protocol.Revision) {
		c.add("revision", Failed, Theirs, "Update the older of the two nodes.", "the peer speaks revision %s of the protocol, this node %s", strings.Join(c.m.Revisions, ", "), protocol.Revision)
		return
	}
	if len(c.m.Purposes) == 0 {
		c.add("purposes", Warning, Theirs, "The peer's operator confirms its law.", "the peer's law allows no answer")
	} else {
		c.add("purposes", OK, "", "", "%s; %s", strings.Join(c.m.Purposes, ", "), strings.Join(c.m.Modalities, ", "))
	}
	c.verification(ctx)
}
