package conformance

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/conformance/report"
)

// What an examination found; see package report.
type (
	Report     = report.Report
	CaseResult = report.Case
	Result     = report.Result
)

// The results of a case.
const (
	Pass         = report.Pass
	Fail         = report.Fail
	Skip         = report.Skip
	ConfigError  = report.ConfigError
	HarnessError = report.HarnessError
)

// The words of packages wire and exchange, in which cases are written.
type (
	draft       = wire.Draft
	sent        = wire.Sent
	reply       = wire.Reply
	finding     = wire.Finding
	session     = exchange.Session
	skip        = exchange.Skip
	configError = exchange.ConfigError
)

// Case is one thing that a node must do. It is data: the steps are bound to a session
// when it runs.
type Case struct {
	ID           string   `json:"id"` // never used again for another case
	Title        string   `json:"title"`
	Requirements []string `json:"requirements"` // of PROTOCOL.md
	Negative     bool     `json:"negative"`     // the target is given one fault and must not accept it
	Hint         string   `json:"-"`            // the likely cause of a failure

	steps func(context.Context, *session) error
}

// Cases are all cases, in the order in which they run.
func Cases() []Case {
	return slices.Concat(verdictCases(), answerCases(), syntaxCases(), headerCases(), timeCases(), senderCases(),
		lawCases(), sealCases(), contentCases(), consentCases(), officeCases(), trustCases(), transportCases())
}

// Options say what to examine, as whom, and how much of it.
type Options struct {
	Target   party.Target
	Tester   party.Tester
	Subjects party.Subjects
	Only     []string         // identifiers of cases or requirements; empty: everything
	Seed     uint64           // chooses people, probes and places to damage
	Timeout  time.Duration    // of one case; 0: 30 s
	Now      func() time.Time // required
	Progress func(CaseResult) // told of each case when it ends; may be nil
}

// defaultTimeout is several times what the slowest case takes against a node across
// a continent.
const defaultTimeout = 30 * time.Second

// Run examines the target. The error says that Options asked for nothing that
// exists; whatever else goes wrong is in the Report.
func Run(ctx context.Context, o Options) (Report, error) {
	selected, err := selection(o.Only)
	if err != nil {
		return Report{}, err
	}
	if o.Now == nil {
		return Report{}, errors.New("running conformance suite: Now is missing")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	r := Report{Schema: report.Schema, SuiteVersion: Version, Revision: Revision, Target: o.Target.Entity, Tester: o.Tester.Entity,
		Started: o.Now().UTC().Truncate(time.Second), Seed: o.Seed, Preflight: []CaseResult{}, Cases: []CaseResult{}}
	r.Preflight = o.run(ctx, preflight())
	ready := !slices.ContainsFunc(r.Preflight, func(c CaseResult) bool { return c.Result != Pass })
	if ready {
		r.Cases = o.run(ctx, selected)
	} else {
		for _, c := range selected {
			res := c.result()
			res.Result, res.Got = Skip, "the preflight failed, so nothing can be said"
			r.Cases = append(r.Cases, res)
		}
	}
	r.Finish(o.Now())
	return r, nil
}

// selection are the cases that only names, all for none.
func selection(only []string) ([]Case, error) {
	all := Cases()
	if len(only) == 0 {
		return all, nil
	}
	used := make(map[string]bool)
	out := slices.DeleteFunc(all, func(c Case) bool {
		keep := false
		for _, name := range only {
			if name == c.ID || slices.Contains(c.Requirements, name) {
				used[name], keep = true, true
			}
		}
		return !keep
	})
	for _, name := range only {
		if !used[name] {
			return nil, fmt.Errorf("selecting cases: %.64q is no case and no requirement that a case shows", name)
		}
	}
	return out, nil
}

// run runs cases one after the other. When ctx ends the rest is HARNESS_ERROR.
func (o Options) run(ctx context.Context, cases []Case) []CaseResult {
	var out []CaseResult
	for _, c := range cases {
		begin := o.Now()
		err := o.one(ctx, c)
		res := c.judge(err, ctx.Err())
		res.DurationMS = o.Now().Sub(begin).Milliseconds()
		out = append(out, res)
		if o.Progress != nil {
			o.Progress(res)
		}
	}
	return out
}

func (o Options) one(ctx context.Context, c Case) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.ID))
	return c.steps(ctx, &session{Target: o.Target, Tester: o.Tester, Subjects: o.Subjects, Now: o.Now, Seed: o.Seed,
		Rand: rand.New(rand.NewPCG(o.Seed, h.Sum64()))})
}

func (c Case) result() CaseResult {
	return CaseResult{ID: c.ID, Title: c.Title, Requirements: c.Requirements, Negative: c.Negative}
}

// judge turns what the steps returned into a result.
func (c Case) judge(err, stopped error) CaseResult {
	r := c.result()
	var f *finding
	var s *skip
	var cfg *configError
	switch {
	case err == nil:
		r.Result = Pass
	case stopped != nil:
		r.Result, r.Got = HarnessError, "the run was stopped"
	case errors.As(err, &f):
		r.Result, r.Expected, r.Got, r.Broken = Fail, f.Expected, f.Got, strings.Fields(f.Rules)
		if len(r.Broken) == 0 {
			r.Broken, r.Hint = c.Requirements, c.Hint
		}
	case errors.As(err, &s):
		r.Result, r.Got = Skip, s.Reason
	case errors.As(err, &cfg):
		r.Result, r.Expected, r.Got, r.Hint = ConfigError, cfg.Expected, cfg.Got, cfg.Hint
	default:
		r.Result, r.Got = HarnessError, err.Error()
	}
	return r
}
