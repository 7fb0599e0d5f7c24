package policy

import (
	"crypto/sha256"
	"regexp"
	"slices"
	"strconv"
	"strings"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/tamga-id/tamga/federation/policy/lawtext"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// Limits of a law file. The largest built-in law is below 8 KiB; ten times that is a text nobody reads.
const (
	maxLawSize  = 64 << 10
	maxPolicies = 256
)

// Limits of @fmr: below 100 a decision is no evidence, above a million no calibration supports the claim.
const (
	minFMR = 100
	maxFMR = 1_000_000
)

// Load reads a law file; name is only used to name it in faults. On error the result is nil and the error is a
// *[lawtext.LawError] that lists every fault of the text, each with its place. Load keeps no reference to src.
func Load(name string, src []byte) (*Law, error) {
	f := &lawtext.Faults{File: name}
	if len(src) > maxLawSize {
		f.Add(lawtext.Position{Line: 1, Column: 1}, "law is %d bytes long, the limit is %d", len(src), maxLawSize)
		return nil, f.Err()
	}
	text := lawtext.Scan(src, f)
	law := &Law{head: readHeader(text.Header, f), digest: sha256.Sum256(src), byID: make(map[cedar.PolicyID]int, len(text.Statements))}
	if len(text.Statements) == 0 {
		f.Add(lawtext.Position{Line: 1, Column: 1}, "law has no policy")
	}
	if len(text.Statements) > maxPolicies {
		f.Add(text.Statements[maxPolicies].At, "law has more than %d policies", maxPolicies)
		text.Statements = text.Statements[:maxPolicies]
	}
	for _, st := range text.Statements {
		if p := parse(st, f); p != nil {
			law.add(st, p, f)
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	law.index()
	return law, nil
}

var parsePlace = regexp.MustCompile(`<input>:(\d+):(\d+)`)

// parse hands one statement to Cedar, padded so that Cedar's places are those of the file.
func parse(st lawtext.Statement, f *lawtext.Faults) *cedar.Policy {
	if st.TooDeep {
		f.Add(st.At, "policy nests brackets deeper than %d", lawtext.MaxNesting)
		return nil
	}
	padded := strings.Repeat("\n", st.At.Line-1) + strings.Repeat(" ", st.At.Column-1) + st.Text
	list, err := cedar.NewPolicyListFromBytes(f.File, []byte(padded))
	if err != nil {
		at, message := syntaxFault(st.At, err.Error())
		f.Add(at, "not Cedar: %s", message)
		return nil
	}
	if len(list) != 1 {
		f.Add(st.At, "not Cedar: empty policy")
		return nil
	}
	return list[0]
}

// syntaxFault takes the place out of Cedar's message, which knows it only as text, and puts the rest in order.
func syntaxFault(at lawtext.Position, message string) (lawtext.Position, string) {
	m := parsePlace.FindStringSubmatchIndex(message)
	if m == nil {
		return at, message
	}
	at.Line, _ = strconv.Atoi(message[m[2]:m[3]])
	at.Column, _ = strconv.Atoi(message[m[4]:m[5]])
	message = strings.TrimLeft(message[m[1]:], ": ")
	if want, ok := strings.CutPrefix(message, `"": exact got  want `); ok {
		return at, "the text ends where " + lawtext.Quote(want) + " must follow"
	}
	if strings.HasPrefix(message, `"`) { // the token Cedar had reached
		message = "near " + strings.Replace(message, ": exact got ", ": got ", 1)
	}
	return at, message
}

// add checks one policy and takes it into the law.
func (l *Law) add(st lawtext.Statement, p *cedar.Policy, f *lawtext.Faults) {
	r := readAnnotations(st, p, f)
	r.policy, r.line, r.column = p, st.At.Line, st.At.Column
	c := checkProfile(st, (*ast.Policy)(p.AST()), f)
	for _, name := range c.names {
		if !slices.Contains(l.asked, name) {
			l.asked = append(l.asked, name)
		}
	}
	l.asksConsent, l.asksModality, l.asksTime = l.asksConsent || c.asks[kindConsent], l.asksModality || c.asks[kindModality], l.asksTime || c.asks[kindTime]
	l.asksClass, r.counts = l.asksClass || c.asks[kindClass], c.asks[kindCount]
	if first, ok := l.byID[cedar.PolicyID(r.id)]; ok && r.id != "" {
		f.Add(st.Where(st.Annotations, "id"), "policy id %s is already used at line %d", lawtext.Quote(r.id), l.rules[first].line)
		return
	}
	verdict := "refused"
	if r.permit {
		verdict = "permitted"
	}
	r.reason = sentence(verdict, r.id, r.law, r.article)
	r.failed = sentence("refused", r.id, r.law, r.article) + ": the policy could not be evaluated"
	l.byID[cedar.PolicyID(r.id)] = len(l.rules)
	l.rules = append(l.rules, r)
}

var idForm = regexp.MustCompile(`^[a-z][a-z0-9-]{2,63}$`)

// readAnnotations checks citation and obligations.
func readAnnotations(st lawtext.Statement, p *cedar.Policy, f *lawtext.Faults) rule {
	values := make(map[string]string, len(annotations))
	for key, value := range p.Annotations() {
		values[string(key)] = string(value)
	}
	for _, w := range st.Annotations {
		if !slices.Contains(annotations, w.Text) {
			f.Add(w.At, "unknown annotation @%s: known are @%s", w.Text, strings.Join(annotations, ", @"))
		}
	}
	r := rule{id: values["id"], law: values["law"], article: values["article"], permit: p.Effect() == cedar.Permit}
	a := annotated{st: st, values: values, faults: f}
	a.check("id", func(v string) string {
		if !idForm.MatchString(v) || v == DefaultDeny {
			return "must be 3 to 64 lower case letters, digits and hyphens, starting with a letter, and not " + DefaultDeny
		}
		return ""
	})
	a.check("law", citationRule)
	a.check("article", citationRule)
	if !r.permit {
		a.refuse("consent", "fmr", "modalities", "tell")
		return r
	}
	a.obligations(&r)
	return r
}

// annotated is one policy's annotations while they are checked.
type annotated struct {
	st     lawtext.Statement
	values map[string]string
	faults *lawtext.Faults
}

// check requires an annotation and applies a rule, which returns what is wrong or "".
func (a annotated) check(key string, rule func(string) string) {
	value, ok := a.values[key]
	if !ok {
		a.faults.Add(a.st.At, "policy has no @%s", key)
		return
	}
	if wrong := rule(value); wrong != "" {
		a.faults.Add(a.st.Where(a.st.Annotations, key), "@%s %s", key, wrong)
	}
}

func (a annotated) refuse(keys ...string) {
	for _, key := range keys {
		if _, ok := a.values[key]; ok {
			a.faults.Add(a.st.Where(a.st.Annotations, key), "@%s on a forbid: only a permit has obligations", key)
		}
	}
}

func (a annotated) obligations(r *rule) {
	a.check("consent", func(v string) (wrong string) {
		if v == vocabulary.ConsentNone {
			return ""
		}
		if r.consents, wrong = listed(v, given); wrong != "" {
			return "must be " + vocabulary.ConsentNone + ", or name what will do: " + wrong
		}
		return ""
	})
	a.check("fmr", func(v string) string {
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil || n < minFMR || n > maxFMR || strconv.FormatUint(n, 10) != v {
			return "must be an integer n from 100 to 1000000, for a decision at FMR 1/n"
		}
		r.fmrOneIn = uint32(n)
		return ""
	})
	a.check("modalities", func(v string) (wrong string) {
		if r.modalities, wrong = listed(v, modalities); wrong != "" {
			return "must name each modality once, separated by one space: " + wrong
		}
		return ""
	})
	r.tells = tellings
	if _, ok := a.values["tell"]; ok {
		a.check("tell", func(v string) (wrong string) {
			if r.tells, wrong = listed(v, tellings); wrong != "" || r.tells[0] != tellings[0] {
				return "must begin with " + tellings[0] + ", and name each once, separated by one space: " + strings.Join(tellings, ", ")
			}
			return ""
		})
	}
}

// listed reads a list of words, each once; it gives them in the order of the vocabulary, or the vocabulary as what
// would have been right.
func listed(text string, of []string) (words []string, wrong string) {
	named := strings.Split(text, " ")
	for _, w := range of {
		if slices.Contains(named, w) {
			words = append(words, w)
		}
	}
	if len(named) != len(words) {
		return nil, strings.Join(of, ", ")
	}
	return words, ""
}
