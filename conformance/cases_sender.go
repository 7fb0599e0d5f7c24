package conformance

import (
	"context"
	"strings"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/federation/protocol"
)

// timeCases break audience and times, TMG-Q-006 to TMG-Q-008.
func timeCases() []Case {
	times := func(id, title, requirement string, iat, exp int64, code protocol.Code) Case {
		return Case{ID: id, Title: title, Negative: true, Requirements: []string{requirement, "TMG-R-004"}, Hint: "Check the node's clock and its bounds.",
			steps: refuses(func(s *session, d *draft) error {
				now := s.Now().Unix()
				d.Claims["iat"], d.Claims["exp"] = now+iat, now+exp
				return nil
			}, code)}
	}
	return []Case{
		{ID: "TMG-CONF-Q-040", Title: "a Query meant for another node is refused", Negative: true, Requirements: []string{"TMG-Q-006", "TMG-R-004"},
			steps: refuses(claim("aud", "https://elsewhere.example"), protocol.CodeAudience)},
		{ID: "TMG-CONF-Q-041", Title: "an audience that differs by a slash is another node", Negative: true, Requirements: []string{"TMG-Q-006"},
			steps: refuses(func(s *session, d *draft) error { d.Claims["aud"] = s.Target.Entity + "/"; return nil }, protocol.CodeAudience)},
		{ID: "TMG-CONF-Q-042", Title: "an audience that differs in case is another node", Negative: true, Requirements: []string{"TMG-Q-006"},
			steps: refuses(func(s *session, d *draft) error {
				d.Claims["aud"] = "https://" + strings.ToUpper(strings.TrimPrefix(s.Target.Entity, "https://"))
				return nil
			}, protocol.CodeAudience)},
		times("TMG-CONF-Q-043", "an expired Query is refused", "TMG-Q-008", -120, -60, protocol.CodeExpired),
		times("TMG-CONF-Q-044", "a lifetime of 61 s is refused", "TMG-Q-007", 0, 61, protocol.CodeLifetime),
		times("TMG-CONF-Q-045", "a Query from the future is refused", "TMG-Q-007", 12, 60, protocol.CodeLifetime),
		times("TMG-CONF-Q-046", "an expiry that is not after the issue is refused", "TMG-Q-007", 0, 0, protocol.CodeLifetime),
		times("TMG-CONF-Q-047", "a Query of an hour is refused", "TMG-Q-007", -10, 3600, protocol.CodeLifetime),
	}
}

// senderCases are about who asks and whether they asked before, TMG-R-002 to TMG-R-006.
func senderCases() []Case {
	return []Case{
		{ID: "TMG-CONF-R-001", Title: "an issuer who is no member is refused", Negative: true, Requirements: []string{"TMG-R-002", "TMG-E-003"},
			Hint:  "Membership comes from a Trust Chain, never from the connection the frame came by.",
			steps: refuses(claim("iss", "https://no-member.example"), protocol.CodeNotMember)},
		{ID: "TMG-CONF-R-002", Title: "another member's Query is refused when the tester sends it", Negative: true, Requirements: []string{"TMG-R-003"},
			Hint:  "Compare the sender's peer ID with the one in the issuer's metadata before the signature.",
			steps: refuses(inOtherName, protocol.CodePeerMismatch)},
		{ID: "TMG-CONF-R-003", Title: "a frame sent a second time is refused", Negative: true, Requirements: []string{"TMG-R-006"},
			Hint: "Remember iss and jti for as long as a Query lives.", steps: replayed},
		{ID: "TMG-CONF-R-004", Title: "a new Query under a jti that was used is refused", Negative: true, Requirements: []string{"TMG-R-006"},
			Hint: "Remember iss and jti, not the hash of the frame.", steps: sameID},
		{ID: "TMG-CONF-R-005", Title: "of one frame that arrives four times at once, one is answered", Negative: true, Requirements: []string{"TMG-R-006"},
			Hint: "Look up and remember in one step.", steps: race},
	}
}

// inOtherName signs in the name of another member, or of the target when there is none.
func inOtherName(s *session, d *draft) error {
	if s.Tester.Other.Entity == "" {
		d.Claims["iss"] = s.Target.Entity
		return nil
	}
	d.Claims["iss"], d.Key = s.Tester.Other.Entity, s.Tester.Other.Signing
	d.Header["kid"] = d.Key.Public().KeyID()
	return nil
}

func replayed(ctx context.Context, s *session) error {
	_, second, err := replay(ctx, s)
	if err != nil {
		return err
	}
	return exchange.Is(second, true, protocol.CodeReplay)
}

func sameID(ctx context.Context, s *session) error {
	first, err := s.Mated(s.Target.Ground())
	if err != nil {
		return err
	}
	if _, err := s.Answered(ctx, first, protocol.CodeMatched); err != nil {
		return err
	}
	second, err := s.Mated(s.Target.Ground())
	if err != nil {
		return err
	}
	second.Claims["jti"], second.Claims["officer"] = first.Claims["jti"], "another"
	_, err = s.Answered(ctx, second, protocol.CodeReplay)
	return err
}

func race(ctx context.Context, s *session) error {
	d, err := s.Mated(s.Target.Ground())
	if err != nil {
		return err
	}
	q, err := d.Build(s.Now())
	if err != nil {
		return err
	}
	queries := make([]sent, inParallel)
	for i := range queries {
		queries[i] = q
	}
	replies, err := parallel(ctx, s, queries)
	if err != nil {
		return err
	}
	answered := 0
	for _, r := range replies {
		if err := exchange.Is(r, true, protocol.CodeMatched, protocol.CodeReplay); err != nil {
			return err
		}
		if r.Code == protocol.CodeMatched {
			answered++
		}
	}
	if answered != 1 {
		return exchange.Broke("TMG-R-006", "one of the frames answered and the others refused "+string(protocol.CodeReplay), "another number answered")
	}
	return nil
}
