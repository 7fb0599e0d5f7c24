package policy

import (
	"iter"
	"slices"

	cedar "github.com/cedar-policy/cedar-go"

	"github.com/tamga-id/tamga/federation/policy/vocabulary"
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
	counts     bool     // its conditions ask how many Queries there were
	consents   []string // states that will do, in vocabulary order; none when it need not be asked
	fmrOneIn   uint32
	modalities []string // in vocabulary order
	tells      []string

	reason string // the sentence of a decision this rule makes
	failed string // the sentence when this rule cannot be evaluated
}

// ruleList gives Cedar the policies in file order: its own PolicySet is a map, and a refusal that two forbids cause
// must name the same one every time.
type ruleList []*rule

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
	sealed := r.Sealed && r.SubjectClass == "" && l.asksClass
	r = r.complete()
	if field := r.fault(); field != "" {
		return l.refuse("the request's " + field + " is missing or outside the vocabulary")
	}
	if l.asksTime && r.Time.IsZero() {
		return l.refuse("the law asks for the time, and it is not known")
	}
	if sealed {
		return firstAllowed(classes, func(class string) Decision { r.SubjectClass = class; return l.known(r) })
	}
	return l.known(r)
}

// known decides r, and says of a refusal whether another state of consent would change it.
func (l *Law) known(r Request) Decision {
	d := l.supposing(r)
	if !d.Allowed && r.Consent != "" && l.asksConsent { // else a permit that lacks it has said so
		other := r
		for _, other.Consent = range given {
			d.ConsentLacking = d.ConsentLacking || l.supposing(other).Allowed
		}
	}
	return d
}

// supposing decides r with what is sealed yet taken for the best: the first values that the law allows, or a refusal that
// no value would change.
func (l *Law) supposing(r Request) Decision {
	if l.asksModality && r.Modality == "" {
		return firstAllowed(modalities, func(m string) Decision { r.Modality = m; return l.supposing(r) })
	}
	if l.asksConsent && r.Consent == "" {
		return firstAllowed(given, func(c string) Decision { r.Consent = c; return l.decide(r) })
	}
	return l.decide(r)
}

func firstAllowed(words []string, decide func(string) Decision) Decision {
	first := decide(words[0])
	if first.Allowed {
		return first
	}
	for _, w := range words[1:] {
		if d := decide(w); d.Allowed {
			return d
		}
	}
	return first
}

func (l *Law) decide(r Request) Decision {
	verdict, diagnostic := cedar.Authorize(l.candidates[r.selector()], &entities{r: &r}, l.cedarRequest(&r))
	if len(diagnostic.Errors) > 0 {
		return l.unevaluable(diagnostic.Errors[0].PolicyID)
	}
	if len(diagnostic.Reasons) == 0 {
		return l.refuse("no policy permits the request")
	}
	if verdict != cedar.Allow {
		return l.decisionOf(l.rule(diagnostic.Reasons[0].PolicyID))
	}
	d := l.permit(diagnostic.Reasons)
	switch {
	case !d.Allowed:
	case r.Modality != "" && !d.AllowsModality(r.Modality):
		return l.withhold(d, "the modality is not one it names")
	case r.Consent != "" && !d.AcceptsConsent(r.Consent):
		d = l.withhold(d, "the consent it demands was not given")
		d.ConsentLacking = true
		return d
	}
	return d
}

// withhold refuses by the permit that d rests on, whose obligation is not met.
func (l *Law) withhold(d Decision, why string) Decision {
	return Decision{PolicyID: d.PolicyID, Law: d.Law, Article: d.Article, Version: d.Version, Digest: d.Digest,
		Reason: sentence("refused", d.PolicyID, d.Law, d.Article) + ": " + why}
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
		switch {
		case len(next.consents) == 0:
		case !d.ConsentRequired:
			d.ConsentRequired, d.Consents = true, slices.Clone(next.consents)
		default:
			d.Consents = common(d.Consents, next.consents)
		}
		d.FMROneIn = max(d.FMROneIn, next.fmrOneIn)
		d.Modalities = common(d.Modalities, next.modalities)
		d.WithholdReasons = d.WithholdReasons || next.withholds(tellReasons)
		d.WithholdUnknown = d.WithholdUnknown || next.withholds(tellUnknown)
	}
	if len(d.Modalities) == 0 {
		return l.refuse("the permits that apply have no modality in common")
	}
	if d.ConsentRequired && len(d.Consents) == 0 {
		return l.refuse("the permits that apply have no form of consent in common")
	}
	return d
}

// common keeps of list what is in other.
func common(list, other []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return !slices.Contains(other, s) })
}

func (r rule) stricterThan(other rule) bool {
	if (len(r.consents) > 0) != (len(other.consents) > 0) {
		return len(r.consents) > 0
	}
	if len(r.consents) != len(other.consents) {
		return len(r.consents) < len(other.consents)
	}
	return r.fmrOneIn > other.fmrOneIn
}

func (r rule) withholds(word string) bool { return !slices.Contains(r.tells, word) }

// decisionOf is the decision r makes alone.
func (l *Law) decisionOf(r rule) Decision {
	d := Decision{Allowed: r.permit, PolicyID: r.id, Law: r.law, Article: r.article, Version: l.head.version, Digest: l.digest, Reason: r.reason}
	if r.permit {
		d.ConsentRequired, d.Consents, d.FMROneIn, d.Modalities = len(r.consents) > 0, slices.Clone(r.consents), r.fmrOneIn, slices.Clone(r.modalities)
		d.WithholdReasons, d.WithholdUnknown = r.withholds(tellReasons), r.withholds(tellUnknown)
	}
	return d
}

// refuse is a refusal under the header's default article; why is a constant sentence.
func (l *Law) refuse(why string) Decision {
	return Decision{
		PolicyID: DefaultDeny, Law: l.head.law, Article: l.head.article, Version: l.head.version, Digest: l.digest,
		Reason: sentence("refused", DefaultDeny, l.head.law, l.head.article) + ": " + why,
	}
}

// unevaluable refuses because a policy could not be evaluated: an unknown "no" is a "no".
func (l *Law) unevaluable(id cedar.PolicyID) Decision {
	r := l.rule(id)
	return Decision{PolicyID: r.id, Law: r.law, Article: r.article, Version: l.head.version, Digest: l.digest, Reason: r.failed}
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
	case !kindRole.accepts(r.OfficerRole):
		return "officer role"
	case !kindClass.accepts(r.SubjectClass):
		return "subject class"
	case !kindAssurance.accepts(r.Assurance):
		return "assurance"
	case r.Modality != "" && !kindModality.accepts(r.Modality):
		return "modality"
	case r.Consent != "" && !kindConsent.accepts(r.Consent):
		return "consent"
	}
	return ""
}

// complete puts the words for what nobody has said.
func (r Request) complete() Request {
	for _, word := range []*string{&r.OfficerRole, &r.SubjectClass, &r.Assurance} {
		if *word == "" {
			*word = vocabulary.Unspecified
		}
	}
	return r
}

func (r *Request) selector() selector {
	return selector{r.Direction, r.Operation, r.Purpose, r.LegalBasis}
}

// cedarRequest holds those attributes that the law asks for: making a record of all would cost more than deciding.
func (l *Law) cedarRequest(r *Request) cedar.Request {
	context := make(cedar.RecordMap, len(l.asked))
	for _, name := range l.asked {
		context[cedar.String(name)] = r.attribute(name)
	}
	return cedar.Request{
		Principal: cedar.NewEntityUID(typeNode, cedar.String(r.Requester)),
		Action:    cedar.NewEntityUID(typeAction, cedar.String(r.Operation)),
		Resource:  cedar.NewEntityUID(typeGallery, cedar.String(r.Responder)),
		Context:   cedar.NewRecord(context),
	}
}

// attribute is the value of context.name, one of those known.
func (r *Request) attribute(name string) cedar.Value {
	switch name {
	case "direction":
		return cedar.String(r.Direction)
	case "purpose":
		return cedar.String(r.Purpose)
	case "legal_basis":
		return cedar.String(r.LegalBasis)
	case "requester_country":
		return cedar.String(r.RequesterCountry)
	case "responder_country":
		return cedar.String(r.ResponderCountry)
	case "consent":
		return cedar.String(r.Consent)
	case "assurance":
		return cedar.String(r.Assurance)
	case "time":
		return cedar.NewDatetime(r.Time)
	case "queries_by_officer":
		return cedar.Long(r.Counts.ByOfficer)
	case "queries_by_requester":
		return cedar.Long(r.Counts.ByRequester)
	case "queries_about_subject":
		return cedar.Long(r.Counts.AboutSubject)
	case "queries_for_purpose":
		return cedar.Long(r.Counts.ForPurpose)
	case "near_misses":
		return cedar.Long(r.Counts.NearMisses)
	case "left_by_officer":
		return left(r.Counts.LeftByOfficer)
	case "left_by_requester":
		return left(r.Counts.LeftByRequester)
	case "left_about_subject":
		return left(r.Counts.LeftAboutSubject)
	case "left_for_purpose":
		return left(r.Counts.LeftForPurpose)
	case peerMarks:
		marks := make([]cedar.Value, len(r.PeerMarks))
		for i, m := range r.PeerMarks {
			marks[i] = cedar.String(m)
		}
		return cedar.NewSet(marks...)
	}
	panic("policy: attribute without a value: " + name)
}

func left(n int64) cedar.Long {
	if n == 0 {
		return NoLimit
	}
	return cedar.Long(n)
}

// entities answers Cedar's look-ups of the two entities of one request, made once and only when a law uses their attributes.
type entities struct {
	r                   *Request
	principal, resource cedar.Entity
}

var _ cedar.EntityGetter = (*entities)(nil)

func (e *entities) Get(uid cedar.EntityUID) (cedar.Entity, bool) {
	var of *cedar.Entity
	var attributes func() cedar.RecordMap
	switch {
	case uid.Type == typeNode && string(uid.ID) == e.r.Requester:
		of, attributes = &e.principal, e.r.asker
	case uid.Type == typeGallery && string(uid.ID) == e.r.Responder:
		of, attributes = &e.resource, e.r.asked
	default:
		return cedar.Entity{}, false
	}
	if of.UID.Type == "" {
		*of = cedar.Entity{UID: uid, Attributes: cedar.NewRecord(attributes())}
	}
	return *of, true
}

func (r *Request) asker() cedar.RecordMap {
	return cedar.RecordMap{"country": cedar.String(r.RequesterCountry), "officer_role": cedar.String(r.OfficerRole)}
}

func (r *Request) asked() cedar.RecordMap {
	return cedar.RecordMap{"country": cedar.String(r.ResponderCountry),
		"subject_class": cedar.String(r.SubjectClass), "modality": cedar.String(r.Modality)}
}
