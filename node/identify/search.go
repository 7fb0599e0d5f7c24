package identify

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/responder"
)

// identify is the operation, cheapest first: what needs no order, the order, law, and then the register.
func (d *Desk) identify(ctx context.Context, q protocol.Query, key sealing.PrivateKey, asked policy.Request, out *responder.Served) error {
	s, err := q.OpenSearch(key)
	if err != nil {
		return err
	}
	defer s.Wipe()
	modality := s.Probe.Modality
	if known := vocabulary.KnownModalities([]string{modality}); len(known) == 1 {
		out.Modalities = known[0]
	}
	if !out.Decision.AllowsModality(modality) {
		return &protocol.Fault{Code: protocol.CodeLaw}
	}
	var probes []*comparison.One
	defer func() { wipe(probes) }()
	if s.Order != "" { // that there is none is said first
		if probes, err = d.decode(s.Probe, 1); err != nil {
			return err
		}
	}
	c, asked, err := d.permitted(q, s.Order, consent.Expectation{Sample: s.Probe.Data, Modality: modality}, asked, out)
	if err != nil {
		return err
	}
	if asked.Counts, err = counted(d.cfg.Searches, budget.Ask{Country: budget.Searching + asked.RequesterCountry, Requester: budget.Searching + q.Issuer,
		Officer: q.Officer, Purpose: q.Purpose, Subject: everyone}, asked.Time); err != nil {
		return err
	}
	if err := d.lawful(asked, out); err != nil { // now that it is known how many there were
		return err
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	default:
		return &protocol.Fault{Code: protocol.CodeOverloaded, Err: errors.New("another search runs")}
	}
	if err := responder.Use(d.cfg.Consents, c); err != nil {
		return err
	}
	rest, err := d.decode(s.Probe, d.cfg.Workers-1)
	probes = append(probes, rest...)
	if err != nil {
		return err
	}
	t := tally{most: d.cfg.Candidates, law: d.byClass(asked, out.Decision.FMROneIn)}
	code, err := d.search(ctx, modality, probes, &t)
	if err != nil {
		return err
	}
	found, err := d.there(ctx, q, &t)
	if err != nil {
		return err
	}
	if out.Code = code; code != protocol.CodeCandidates {
		return nil
	}
	if len(found) == 0 { // erased meanwhile, and whose places they took is not known
		out.Code = protocol.CodeSearchIncomplete
		return nil
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	out.Found.Handles, err = d.handles.add(found, stub{Until: d.cfg.Now().Add(d.cfg.Life).Unix(), Requester: q.Issuer, Purpose: q.Purpose,
		Case: caseOf(c), Modality: modality})
	return err
}

// decode decodes the probe for so many workers: all of them once it is known that the search may be, since to have a
// large record decoded costs its sender nothing.
func (d *Desk) decode(p protocol.Probe, workers int) (probes []*comparison.One, err error) {
	people := uint32(min(max(d.cfg.Gallery.Subjects(), 0), math.MaxUint32))
	for range workers {
		one, err := comparison.DecodeOne(p, people, d.cfg.Calibrations, d.cfg.Faces)
		if err != nil {
			return probes, err
		}
		probes = append(probes, one)
	}
	return probes, nil
}

func wipe(probes []*comparison.One) {
	for _, p := range probes {
		p.Wipe()
	}
}

// everyone is the subject under which searches are counted: all of them are about all.
var everyone = pseudonym.Identifier{Type: "search"}

// counted counts a Query, and returns what law sees of those before it. Who is locked for the requester is an error, too.
func counted(by responder.Budgets, a budget.Ask, now time.Time) (policy.Counts, error) {
	if by == nil {
		return policy.Counts{}, nil
	}
	before, locked, err := by.Begin(a, now)
	switch {
	case errors.Is(err, budget.ErrSpent):
		return policy.Counts{}, &protocol.Fault{Code: protocol.CodeBudget, Err: err}
	case err != nil:
		return policy.Counts{}, &protocol.Fault{Code: protocol.CodeBudgetStore, Err: err}
	case locked:
		return policy.Counts{}, &protocol.Fault{Code: protocol.CodeLocked}
	}
	return before.Law(), nil
}

// candidate is somebody who matched.
type candidate struct {
	at     gallery.Place
	weight float64
}

// better puts those first who weigh more; of equals, whoever has the smaller pseudonym, so that a search
// repeated finds the same.
func better(a, b candidate) int {
	switch {
	case a.weight > b.weight:
		return -1
	case a.weight < b.weight:
		return 1
	}
	return slices.Compare(a.at[:], b.at[:])
}

// byClass is what law says of people of each class, none of them at a weaker rate than it demands whoever it is. A class that it knows
// nothing of is the zero decision, which allows nothing.
func (d *Desk) byClass(asked policy.Request, oneIn uint32) map[string]policy.Decision {
	out := map[string]policy.Decision{}
	for _, class := range append(vocabulary.SubjectClasses(), "") {
		of := d.cfg.Law.Decide(ofClass(asked, class))
		of.FMROneIn = max(of.FMROneIn, oneIn)
		out[class] = of
	}
	return out
}

// tally is what a search has come to so far.
type tally struct {
	most int
	law  map[string]policy.Decision // by class; only read

	mu       sync.Mutex
	found    []candidate // the best whom law lets be found, in order, and
	untold   []candidate // whom it does not: they take nobody's place, but a canary among them raises its alarm
	missed   bool        // somebody has the modality and could not be compared
	compared bool        // somebody could
}

func (t *tally) take(refs gallery.References, l comparison.Likeness) {
	t.mu.Lock()
	defer t.mu.Unlock()
	to := &t.untold
	if t.law[refs.Class].Allowed { // of others not even that they were compared shows
		to = &t.found
		t.compared = t.compared || l.Compared
		t.missed = t.missed || !l.Compared
	}
	if !l.Matched {
		return
	}
	c := candidate{refs.Place(), l.Weight}
	i, _ := slices.BinarySearchFunc(*to, c, better)
	*to = slices.Insert(*to, i, c)
	*to = (*to)[:min(len(*to), t.most)]
}

// search compares the probe with everybody. What it finds before its time is over is not told: it may
// be the wrong ones.
func (d *Desk) search(ctx context.Context, modality string, probes []*comparison.One, t *tally) (protocol.Code, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Within)
	defer cancel()
	seen, least, err := d.cfg.Gallery.Everybody(ctx, modality, len(probes), func(part int, page []gallery.References) error {
		for _, refs := range page {
			l, err := probes[part].Compare(refs, t.law[refs.Class].FMROneIn)
			if err != nil {
				return err
			}
			t.take(refs, l)
		}
		return nil
	})
	switch {
	case errors.Is(err, comparison.ErrUncalibrated):
		return protocol.CodeUncalibrated, nil
	case errors.Is(err, context.DeadlineExceeded), err == nil && seen < least:
		return protocol.CodeSearchIncomplete, nil
	case err != nil:
		return "", err
	case len(t.found) > 0:
		return protocol.CodeCandidates, nil
	case t.missed && !t.compared:
		return protocol.CodeNotComparable, nil
	case t.missed:
		return protocol.CodeSearchIncomplete, nil
	}
	return protocol.CodeNoCandidate, nil
}

// there leaves out who was erased meanwhile, and raises the alarm about canaries, told of or not.
func (d *Desk) there(ctx context.Context, q protocol.Query, t *tally) (out []candidate, err error) {
	defer d.cfg.Pace.Begin(1 + t.most/2).Rest(ctx) // as long for those who are not told of as for nobody
	for i, one := range slices.Concat(t.found, t.untold) {
		who, err := d.cfg.Gallery.WhoIs(one.at)
		if errors.Is(err, gallery.ErrUnknownSubject) {
			continue
		}
		if err == nil {
			err = d.watch(ctx, q, who)
		}
		if err != nil {
			return nil, err
		}
		if i < len(t.found) {
			out = append(out, one)
		}
	}
	return out, nil
}
