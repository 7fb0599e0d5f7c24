package conformance

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/federation/protocol"
)

// answerCases look at the replies themselves.
func answerCases() []Case {
	return []Case{
		{ID: "TMG-CONF-A-001", Title: "an Answer is bound to the bytes of its Query, sealed, complete and nothing more",
			Requirements: []string{"TMG-A-001", "TMG-A-002", "TMG-A-003", "TMG-A-004", "TMG-A-005"},
			steps:        answers(func(*session, *draft) error { return nil }, protocol.CodeMatched)},
		{ID: "TMG-CONF-A-002", Title: "a Refusal is signed, bound to its frame, complete and nothing more", Negative: true,
			Requirements: []string{"TMG-A-002", "TMG-A-007"}, steps: refuses(claim("aud", "https://elsewhere.example"), protocol.CodeAudience)},
		{ID: "TMG-CONF-A-003", Title: "the same question asked twice is answered twice, each Answer bound to its own Query",
			Requirements: []string{"TMG-A-002", "TMG-A-008", "TMG-P-004"}, steps: twice,
			Hint: "A reply must never be taken from a cache."},
		{ID: "TMG-CONF-L-001", Title: "a replayed Query gets a ledger entry of its own", Negative: true,
			Requirements: []string{"TMG-R-005", "TMG-R-006", "TMG-R-012", "TMG-L-002"}, steps: ownEntry,
			Hint: "Every frame that passed TMG-R-004 ends in an entry, refused ones too."},
		{ID: "TMG-CONF-L-002", Title: "Queries that arrive together get different entries", Requirements: []string{"TMG-R-005", "TMG-R-012", "TMG-L-002"},
			steps: together},
		{ID: "TMG-CONF-X-001", Title: "no reply shows identifiers or probes of the test subjects", Negative: true,
			Requirements: []string{"TMG-A-005", "TMG-A-007", "TMG-L-003"}, steps: canary,
			Hint: "Look for an error text or a debug member that repeats the request."},
	}
}

func twice(ctx context.Context, s *session) error {
	p, err := s.Person()
	if err != nil {
		return err
	}
	probe, err := s.Probe(p, s.Modality())
	if err != nil {
		return err
	}
	for range 2 {
		d, err := s.Draft(p, s.Target.Ground(), probe)
		if err != nil {
			return err
		}
		if _, err := s.Answered(ctx, d, protocol.CodeMatched); err != nil {
			return err
		}
	}
	return nil
}

// replay sends a good Query and then its frame once more.
func replay(ctx context.Context, s *session) (first, second reply, err error) {
	d, err := s.Mated(s.Target.Ground())
	if err != nil {
		return first, second, err
	}
	q, err := d.Build(s.Now())
	if err != nil {
		return first, second, err
	}
	if first, err = s.Send(ctx, q); err != nil {
		return first, second, err
	}
	if err = exchange.Is(first, true, protocol.CodeMatched); err != nil {
		return first, second, err
	}
	second, err = s.Send(ctx, q)
	return first, second, err
}

func ownEntry(ctx context.Context, s *session) error {
	first, second, err := replay(ctx, s)
	if err != nil {
		return err
	}
	if err := exchange.Is(second, true, protocol.CodeReplay); err != nil {
		return err
	}
	if second.Receipt.Receipt.Index <= first.Receipt.Receipt.Index {
		return exchange.Broke("TMG-R-005", "a receipt with a later index for the replay", "the same or an earlier index")
	}
	return nil
}

// inParallel is how many Queries are sent at once: fewer than any node's limits.
const inParallel = 4

// parallel sends frames at the same time and reads the replies.
func parallel(ctx context.Context, s *session, queries []sent) ([]reply, error) {
	replies, errs := make([]reply, len(queries)), make([]error, len(queries))
	var wg sync.WaitGroup
	for i, q := range queries {
		wg.Go(func() { replies[i], errs[i] = s.Send(ctx, q) })
	}
	wg.Wait()
	return replies, errors.Join(errs...)
}

func together(ctx context.Context, s *session) error {
	queries := make([]sent, inParallel)
	for i := range queries {
		d, err := s.Mated(s.Target.Ground())
		if err != nil {
			return err
		}
		if queries[i], err = d.Build(s.Now()); err != nil {
			return err
		}
	}
	replies, err := parallel(ctx, s, queries)
	if err != nil {
		return err
	}
	seen := make(map[uint64]bool)
	for _, r := range replies {
		if err := exchange.Is(r, true, protocol.CodeMatched); err != nil {
			return err
		}
		if seen[r.Receipt.Receipt.Index] {
			return exchange.Broke("TMG-R-005", "an entry for each Query", "one entry for two")
		}
		seen[r.Receipt.Receipt.Index] = true
	}
	return nil
}

// canary asks in several ways about one person and searches everything that comes
// back, sealed parts included, for what would name that person.
func canary(ctx context.Context, s *session) error {
	p, err := s.Person()
	if err != nil {
		return err
	}
	for _, f := range []fault{
		func(*session, *draft) error { return nil },
		claim("purpose", "no_such_purpose"),
		claim("aud", "https://elsewhere.example"),
		func(_ *session, d *draft) error { d.Content[wire.KeyProbes] = []any{}; return nil },
		func(_ *session, d *draft) error { d.Probe(0)[wire.KeyFormat] = "no-such-format"; return nil },
		func(_ *session, d *draft) error {
			record := d.Probe(0)[wire.KeyRecord].([]byte)
			record[0] ^= 1
			return nil
		},
	} {
		probe, err := s.Probe(p, s.Modality())
		if err != nil {
			return err
		}
		marks := [][]byte{[]byte(p.Identifier.Value), bytes.Clone(probe.Data[len(probe.Data)/2:][:24])}
		for _, m := range p.Marks {
			marks = append(marks, []byte(m))
		}
		d, err := s.Draft(p, s.Target.Ground(), probe)
		if err != nil {
			return err
		}
		if err := f(s, d); err != nil {
			return err
		}
		r, _, err := s.Exchange(ctx, d)
		if r.Shows(marks) {
			return exchange.Broke("TMG-A-005", "replies that name no person", "one that repeats an identifier or a probe of the Query")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
