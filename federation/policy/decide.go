package policy

import (
	"iter"
	"slices"

	cedar "github.com/cedar-policy/cedar-go"
)

// rule is one policy of the law with its citation and, for a permit, its obligations.
type rule struct {
	id      string
	law     string
	article string
	policy  *cedar.Policy
	line    int
	column  int

	permit     bool
	consent    bool
	fmrOneIn   uint32
	modalities []string // in vocabulary order

	reason string // the sentence of a decision this rule makes
	failed string // the sentence when this rule cannot be evaluated
}

// ruleList gives Cedar the policies in file order: its own PolicySet is a map, and a refusal that two forbids cause
// must name the same one every time.
type ruleList []rule

func (r ruleList) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range r {
			if !yield(cedar.PolicyID(r[i].id), r[i].policy) {
				return
			}
		}
	}
}

// Decide applies the law to r. It never fails: whatever it cannot decide it refuses. Pure and safe for concurrent use.
func (l *Law) Decide(r Request) Decision {
	if l == nil || len(l.rules) == 0 {
		return Decision{PolicyID: DefaultDeny, Reason: "refused by " + DefaultDeny + ": no law is loaded"}
	}
	if field := r.fault(); field != "" {
		return l.refuse("the request's " + field + " is missing or outside the vocabulary")
	}
	verdict, diagnostic := cedar.Authorize(ruleList(l.rules), entities{r}, cedarRequest(r))
	if len(diagnostic.Errors) > 0 {
		return l.unevaluable(diagnostic.Errors[0].PolicyID)
	}
	if len(diagnostic.Reasons) == 0 {
		return l.refuse("no policy permits the request")
	}
	if verdict != cedar.Allow {
		return l.decisionOf(l.rule(diagnostic.Reasons[0].PolicyID))
	}
	return l.permit(diagnostic.Reasons)
}

// rule finds a policy Cedar named. Cedar only names what ruleList gave it; a miss is the zero rule, which refuses.
func (l *Law) rule(id cedar.PolicyID) rule {
	if i, ok := l.byID[id]; ok {
		return l.rules[i]
	}
	return rule{id: DefaultDeny, law: l.head.law, article: l.head.article, reason: sentence("refused", DefaultDeny, l.head.law, l.head.article)}
}

// permit adds up the obligations of all determining permits and names the strictest of them.
func (l *Law) permit(reasons []cedar.DiagnosticReason) Decision {
	strictest := l.rule(reasons[0].PolicyID)
	d := l.decisionOf(strictest)
	for _, reason := range reasons[1:] {
		next := l.rule(reason.PolicyID)
		if next.stricterThan(strictest) {
			strictest = next
			d.PolicyID, d.Law, d.Article, d.Reason = next.id, next.law, next.article, next.reason
		}
		d.Allowed = d.Allowed && next.permit
		d.ConsentRequired = d.ConsentRequired || next.consent
		d.FMROneIn = max(d.FMROneIn, next.fmrOneIn)
		d.Modalities = slices.DeleteFunc(d.Modalities, func(m string) bool { return !slices.Contains(next.modalities, m) })
	}
	if len(d.Modalities) == 0 {
		return l.refuse("the permits that apply have no modality in common")
	}
	return d
}

func (r rule) stricterThan(other rule) bool {
	if r.consent != other.consent {
		return r.consent
	}
	return r.fmrOneIn > other.fmrOneIn
}

// decisionOf is the decision r makes alone.
func (l *Law) decisionOf(r rule) Decision {
	d := Decision{Allowed: r.permit, PolicyID: r.id, Law: r.law, Article: r.article, Version: l.head.version, Reason: r.reason}
	if r.permit {
		d.ConsentRequired, d.FMROneIn, d.Modalities = r.consent, r.fmrOneIn, slices.Clone(r.modalities)
	}
	return d
}

// refuse is a refusal under the header's default article; why is a constant sentence.
func (l *Law) refuse(why string) Decision {
	return Decision{
		PolicyID: DefaultDeny, Law: l.head.law, Article: l.head.article, Version: l.head.version,
		Reason: sentence("refused", DefaultDeny, l.head.law, l.head.article) + ": " + why,
	}
}

// unevaluable refuses because a policy could not be evaluated: an unknown "no" is a "no".
func (l *Law) unevaluable(id cedar.PolicyID) Decision {
	r := l.rule(id)
	return Decision{PolicyID: r.id, Law: r.law, Article: r.article, Version: l.head.version, Reason: r.failed}
}

func sentence(verdict, id, law, article string) string {
	return verdict + " by " + id + " under " + law + ", " + article
}

// fault names the first field of r that is outside its vocabulary, or "". A law may say != and must therefore never
// be asked about a word it cannot know.
func (r Request) fault() string {
	switch {
	case !kindDirection.accepts(r.Direction):
		return "direction"
	case !kindPurpose.accepts(r.Purpose):
		return "purpose"
	case !kindLegalBasis.accepts(r.LegalBasis):
		return "legal basis"
	case !kindOperation.accepts(r.Operation):
		return "operation"
	case !kindCountry.accepts(r.RequesterCountry):
		return "requester country"
	case !kindCountry.accepts(r.ResponderCountry):
		return "responder country"
	case !isEntityID(r.Requester):
		return "requester"
	case !isEntityID(r.Responder):
		return "responder"
	case slices.ContainsFunc(r.PeerMarks, func(s string) bool { return s == "" }):
		return "peer marks"
	}
	return ""
}

func cedarRequest(r Request) cedar.Request {
	marks := make([]cedar.Value, len(r.PeerMarks))
	for i, m := range r.PeerMarks {
		marks[i] = cedar.String(m)
	}
	return cedar.Request{
		Principal: cedar.NewEntityUID(typeNode, cedar.String(r.Requester)),
		Action:    cedar.NewEntityUID(typeAction, cedar.String(r.Operation)),
		Resource:  cedar.NewEntityUID(typeGallery, cedar.String(r.Responder)),
		Context: cedar.NewRecord(cedar.RecordMap{
			"direction":         cedar.String(r.Direction),
			"purpose":           cedar.String(r.Purpose),
			"legal_basis":       cedar.String(r.LegalBasis),
			"requester_country": cedar.String(r.RequesterCountry),
			"responder_country": cedar.String(r.ResponderCountry),
			peerMarks:           cedar.NewSet(marks...),
		}),
	}
}

// entities answers Cedar's look-ups of the two entities of one request, built only when a law uses their attributes.
type entities struct{ r Request }

var _ cedar.EntityGetter = entities{}

func (e entities) Get(uid cedar.EntityUID) (cedar.Entity, bool) {
	var country string
	switch {
	case uid.Type == typeNode && string(uid.ID) == e.r.Requester:
		country = e.r.RequesterCountry
	case uid.Type == typeGallery && string(uid.ID) == e.r.Responder:
		country = e.r.ResponderCountry
	default:
		return cedar.Entity{}, false
	}
	return cedar.Entity{UID: uid, Attributes: cedar.NewRecord(cedar.RecordMap{"country": cedar.String(country)})}, true
}
