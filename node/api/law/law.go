// Package law is what the API says of a node's law, of the words that laws use and of the
// biometric data that the country holds, and by which operators publish a law and try one.
package law

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/policy/lawtext"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/lawbook/inforce"
)

// Node is what the API needs to know of the node's law.
type Node interface {
	// Jurisdiction is the ISO 3166-1 alpha-3 code of the register the node holds.
	Jurisdiction() string
	// BiometricData is the list of what the country holds. Nobody may change it.
	BiometricData() []inventory.Entry
	// Laws lists the texts of the law that were in force, the last one of them now.
	Laws() []lawbook.Publication
	// PublishLaw puts a proposal into force that two operators approved. The errors match lawbook.ErrApproval,
	// lawbook.ErrStale, inforce.ErrForeign and *lawtext.LawError.
	PublishLaw(ctx context.Context, proposal []byte, approvals []string) (lawbook.Publication, error)
	// SimulateLaw decides the newest entries of the ledger again under another text; 0 is all. Every
	// subject is taken to be of the class; empty: unspecified.
	SimulateLaw(ctx context.Context, text []byte, last uint64, class string) (lawbook.Simulation, error)
}

const (
	vocabularyPath   = "/v1/vocabulary"
	lawPath          = "/v1/law"
	publicationsPath = "/v1/law/publications"
	simulationsPath  = "/v1/law/simulations"
)

type vocabularyOutput struct{ Body vocabularyReport }

type vocabularyReport struct {
	Version        string `json:"version" doc:"Version of the registry. A word keeps its meaning for ever; a new one raises the version."`
	Purposes       []term `json:"purposes" nullable:"false" doc:"Why something is asked."`
	LegalBases     []term `json:"legal_bases" nullable:"false" doc:"What makes it lawful."`
	ConsentStates  []term `json:"consent_states" nullable:"false" doc:"What a consent was found to be."`
	OfficerRoles   []term `json:"officer_roles" nullable:"false" doc:"What an officer is."`
	SubjectClasses []term `json:"subject_classes" nullable:"false" doc:"Of whom it is about."`
	Assurances     []term `json:"assurances" nullable:"false" doc:"How a sample was captured."`
	Operations     []term `json:"operations" nullable:"false" doc:"What is asked."`
	Modalities     []term `json:"modalities" nullable:"false" doc:"Kinds of biometric data that are compared."`
	BiometricTypes []term `json:"biometric_types" nullable:"false" doc:"Kinds of biometric data that a state may hold."`
	BiometricForms []term `json:"biometric_forms" nullable:"false" doc:"What of them is held."`
}

type term struct {
	Name  string `json:"name" doc:"The word on the wire."`
	Title string `json:"title" doc:"What it means, in one sentence."`
	DPV   string `json:"dpv,omitempty" doc:"IRI of the concept of the W3C Data Privacy Vocabulary; absent where it has none."`
	Match string `json:"match,omitempty" enum:"exact,close,broad" doc:"How that concept relates, in the words of SKOS: broad is the wider one."`
}

func newVocabulary(r vocabulary.Registry) vocabularyReport {
	terms := func(list []vocabulary.Term) []term {
		out := make([]term, len(list))
		for i, t := range list {
			out[i] = term{t.Name, t.Title, t.DPV, string(t.Match)}
		}
		return out
	}
	return vocabularyReport{Version: r.Version, Purposes: terms(r.Purposes), LegalBases: terms(r.LegalBases), ConsentStates: terms(r.ConsentStates),
		OfficerRoles: terms(r.OfficerRoles), SubjectClasses: terms(r.SubjectClasses), Assurances: terms(r.Assurances),
		Operations: terms(r.Operations), Modalities: terms(r.Modalities),
		BiometricTypes: terms(r.BiometricTypes), BiometricForms: terms(r.BiometricForms)}
}

type lawOutput struct{ Body lawReport }

type lawReport struct {
	Publications []publication `json:"publications" nullable:"false" doc:"Every text of the law that was in force, the oldest first; the last is in force now."`
}

type publicationOutput struct{ Body publication }

type publication struct {
	Number    uint64    `json:"number" doc:"0 is the law of the configuration's file."`
	Version   string    `json:"version" doc:"As the head of the text says."`
	SHA256    string    `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the text."`
	Note      string    `json:"note,omitempty" doc:"Why it was published."`
	At        time.Time `json:"at,omitzero" doc:"When it came into force."`
	Operators []string  `json:"operators" nullable:"false" doc:"Keys of the operators who approved it, by RFC 7638 thumbprint; none of number 0."`
	Ledger    string    `json:"ledger,omitempty" doc:"Origin of the ledger with the entry about it."`
	Entry     *uint64   `json:"entry,omitempty" doc:"Index of that entry."`
	Text      string    `json:"text" doc:"The law file."`
}

func newPublication(p lawbook.Publication) publication {
	out := publication{Number: p.Number, Version: p.Version, SHA256: fmt.Sprintf("%x", p.Digest), Note: p.Note, At: p.At,
		Operators: operation.List(p.Operators), Ledger: p.Origin, Text: string(p.Text)}
	if p.Number > 0 {
		out.Entry = &p.Entry
	}
	return out
}

type publishInput struct{ Body publishRequest }

type publishRequest struct {
	Proposal  string   `json:"proposal" minLength:"2" maxLength:"131072" doc:"The proposal's file, as tamga policy propose wrote it."`
	Approvals []string `json:"approvals" minItems:"1" maxItems:"8" nullable:"false" doc:"What operators signed, as tamga policy approve wrote it."`
}

type simulateInput struct{ Body simulateRequest }

type simulateRequest struct {
	Law   string `json:"law" minLength:"1" maxLength:"65536" doc:"The proposed law file."`
	Last  uint64 `json:"last,omitempty" doc:"How many of the newest entries of the ledger to look at; absent for all."`
	Class string `json:"subject_class,omitempty" enum:"unspecified,adult,minor,ward,protected" doc:"What every subject is taken to be: the ledger does not say; absent: unspecified."`
}

type simulateOutput struct{ Body simulation }

type simulation struct {
	Entries   int     `json:"entries" doc:"Entries of the ledger that were read."`
	Decisions int     `json:"decisions" doc:"Entries about a decision of this node's law."`
	Same      int     `json:"same" doc:"Those that would come out alike."`
	Unknown   int     `json:"unknown" doc:"Those that cannot be repeated: the entry does not say what law was asked."`
	Changes   []group `json:"changes" nullable:"false" doc:"The others, those of one kind together, the most frequent first."`
	Truncated bool    `json:"truncated" doc:"Whether there are more kinds than are listed."`
}

type group struct {
	Count      int       `json:"count" doc:"How many."`
	First      uint64    `json:"first" doc:"Index of the first entry."`
	Last       uint64    `json:"last" doc:"Index of the last entry."`
	Direction  string    `json:"direction" enum:"ask,answer" doc:"Own officers asking abroad, or foreign questions."`
	Country    string    `json:"country" doc:"The other country."`
	Purpose    string    `json:"purpose" doc:"Why it was asked."`
	LegalBasis string    `json:"legal_basis" doc:"On what basis."`
	Operation  string    `json:"operation" doc:"What was asked."`
	Role       string    `json:"officer_role,omitempty" doc:"What the officer is."`
	Assurance  string    `json:"assurance,omitempty" doc:"How the probes were captured."`
	Modalities string    `json:"modalities,omitempty" doc:"Of the probes; absent where they were not looked at."`
	Consent    string    `json:"consent,omitempty" doc:"State of the consent; absent where it was not looked at."`
	Counts     *countsOf `json:"counts,omitempty" doc:"What the proposed law saw counted at most, and left at least; absent where it asks for none."`
	Was        string    `json:"was" enum:"allowed,refused" doc:"What was decided."`
	WasPolicy  string    `json:"was_policy" doc:"By which policy."`
	WasVersion string    `json:"was_version" doc:"Of which version of the law."`
	Would      string    `json:"would" enum:"allowed,refused" doc:"What the proposed law decides."`
	Policy     string    `json:"policy" doc:"By which policy."`
	Article    string    `json:"article" doc:"Of which article."`
	Differs    string    `json:"differs,omitempty" doc:"Where both allow it: what of the answer would be otherwise, its false match rate or what it tells."`
}

// countsOf are the counts that a ledger tells, by the names that laws use.
type countsOf struct {
	ByOfficer       int64 `json:"queries_by_officer" doc:"By one officer in the hour before."`
	ByRequester     int64 `json:"queries_by_requester" doc:"By one requester in the hour before."`
	ForPurpose      int64 `json:"queries_for_purpose" doc:"By one requester for one purpose in the hour before."`
	LeftByOfficer   int64 `json:"left_by_officer,omitempty" doc:"What the node's budgets left, that Query included; absent without a limit, like the following."`
	LeftByRequester int64 `json:"left_by_requester,omitempty" doc:"Of the requester."`
	LeftForPurpose  int64 `json:"left_for_purpose,omitempty" doc:"Of the purpose."`
}

func newSimulation(s lawbook.Simulation) simulation {
	word := map[bool]string{true: "allowed", false: "refused"}
	out := simulation{Entries: s.Entries, Decisions: s.Decisions, Same: s.Same, Unknown: s.Unknown, Truncated: s.Truncated, Changes: []group{}}
	for _, g := range s.Groups {
		var counts *countsOf
		if c := g.Counts; c != (policy.Counts{}) {
			counts = &countsOf{c.ByOfficer, c.ByRequester, c.ForPurpose, c.LeftByOfficer, c.LeftByRequester, c.LeftForPurpose}
		}
		out.Changes = append(out.Changes, group{Counts: counts, Count: g.Count, First: g.First, Last: g.Last, Direction: g.Direction, Country: g.Country,
			Purpose: g.Purpose, LegalBasis: g.LegalBasis, Operation: g.Operation, Role: g.Role, Assurance: g.Assurance, Modalities: g.Modalities, Consent: g.Consent,
			Was: word[g.WasAllowed], WasPolicy: g.OldPolicy, WasVersion: g.OldVersion, Would: word[g.New.Allowed], Policy: g.New.PolicyID, Article: g.New.Article, Differs: g.Differs})
	}
	return out
}

type service struct {
	node    Node
	ledgers chan struct{}
}

// Routes are those of the operations.
func Routes() []guard.Route {
	return []guard.Route{
		{Method: "GET", Path: vocabularyPath, Who: guard.Local},
		{Method: "GET", Path: inventoryPath, Who: guard.Local},
		{Method: "GET", Path: lawPath, Who: guard.Local},
		{Method: "POST", Path: publicationsPath, Content: "application/json", Who: guard.Operator, MaxBody: 256 << 10},
		// A long ledger is read once.
		{Method: "POST", Path: simulationsPath, Content: "application/json", Who: guard.Operator, MaxBody: 192 << 10, Timeout: 15 * time.Minute},
	}
}

// Register adds the operations to b. Whoever reads all of the ledger takes what is in ledgers, which has
// room for one.
func Register(b *operation.Book, n Node, ledgers chan struct{}) {
	s := service{n, ledgers}
	words := b.Describe("vocabulary", http.MethodGet, vocabularyPath, "The words that laws and Queries may use",
		"The closed registry of purposes, legal bases and the like, with the terms of the W3C Data Privacy Vocabulary. Takes either token.", "Law",
		vocabularyReport{Version: vocabulary.Version, Purposes: []term{}, LegalBases: []term{}, ConsentStates: []term{}, OfficerRoles: []term{},
			SubjectClasses: []term{}, Assurances: []term{}, Operations: []term{}, Modalities: []term{{Name: "face", Title: "The face."}},
			BiometricTypes: []term{}, BiometricForms: []term{}})
	huma.Register(b.API, *words, func(context.Context, *struct{}) (*vocabularyOutput, error) {
		return &vocabularyOutput{Body: newVocabulary(vocabulary.Current())}, nil
	})
	s.inventory(b)
	entry := uint64(17)
	example := publication{Number: 1, Version: "2026.3", SHA256: fmt.Sprintf("%064x", 1), Note: "Article 9 as amended", At: time.Date(2026, time.March, 21, 6, 0, 0, 0, time.UTC),
		Operators: []string{"k1", "k2"}, Ledger: "node.kgz.example/ledger", Entry: &entry, Text: "//! tamga_law: 1 ..."}
	look := b.Describe("law", http.MethodGet, lawPath, "The law in force, and every earlier text of it",
		"From memory. Takes either token: what a state's law is, is no secret.", "Law", lawReport{Publications: []publication{example}})
	huma.Register(b.API, *look, func(context.Context, *struct{}) (*lawOutput, error) {
		out := lawReport{Publications: []publication{}}
		for _, p := range s.node.Laws() {
			out.Publications = append(out.Publications, newPublication(p))
		}
		return &lawOutput{Body: out}, nil
	})
	publish := b.Describe("publish-law", http.MethodPost, publicationsPath, "Put another law into force",
		"Demands approvals of exactly this proposal by two different operators of the configuration. It is in force when this answers, without a restart, "+
			"and the ledger has an entry with both signatures. Needs the operator's token.", "Law", example,
		ofLaw(lawbook.ErrStale), ofLaw(lawbook.ErrApproval), ofLaw(ledger.ErrNoSpace))
	operation.Post(b, publish, publishRequest{Proposal: "{...}", Approvals: []string{"eyJ...", "eyJ..."}}, func(ctx context.Context, in *publishInput) (*publicationOutput, error) {
		p, err := s.node.PublishLaw(ctx, []byte(in.Body.Proposal), in.Body.Approvals)
		if err != nil {
			return nil, ofLaw(err)
		}
		return &publicationOutput{Body: newPublication(p)}, nil
	})
	try := b.Describe("simulate-law", http.MethodPost, simulationsPath, "Decide the past again under another law",
		"Reads the newest entries of the ledger and lists what the proposed law would have decided otherwise. Changes nothing. "+
			"One runs at a time. Needs the operator's token.", "Law",
		simulation{Entries: 1200, Decisions: 800, Same: 799, Changes: []group{{Count: 1, First: 17, Last: 17, Direction: "answer", Country: "KAZ", Purpose: "travel_check_in",
			LegalBasis: "consent", Operation: "verify", Was: "refused", WasPolicy: "kgz-no-travel-check-in", WasVersion: "2026.2", Would: "allowed", Policy: "kgz-hotels", Article: "Article 9"}}})
	operation.Post(b, try, simulateRequest{Law: "//! tamga_law: 1 ...", Last: 100_000}, s.simulateLaw)
}

func (s service) simulateLaw(ctx context.Context, in *simulateInput) (*simulateOutput, error) {
	select {
	case s.ledgers <- struct{}{}:
		defer func() { <-s.ledgers }()
	default:
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded, "The ledger is being read for another caller.")
	}
	r, err := s.node.SimulateLaw(ctx, []byte(in.Body.Law), in.Body.Last, in.Body.Class)
	if err != nil {
		return nil, ofLaw(err)
	}
	return &simulateOutput{Body: newSimulation(r)}, nil
}

// ofLaw is the problem of an error about a text of the law. The law's faults are not repeated: they quote it, and
// tamga policy check lists them.
func ofLaw(err error) *problem.Problem {
	_, broken := errors.AsType[*lawtext.LawError](err)
	switch {
	case broken:
		return problem.New(http.StatusUnprocessableEntity, protocol.CodeConfig, "The text is not a law: `tamga policy check` lists every fault of it.")
	case errors.Is(err, inforce.ErrForeign):
		return problem.New(http.StatusConflict, protocol.CodeLawBook, "The text is of another country.")
	case errors.Is(err, lawbook.ErrStale):
		return problem.New(http.StatusConflict, protocol.CodeLawBook, "The proposal does not follow the law in force, or is another node's.")
	case errors.Is(err, lawbook.ErrApproval):
		return problem.New(http.StatusForbidden, protocol.CodeLawBook, "There are no approvals of this proposal by two different operators of the configuration.")
	}
	return problem.OfStore(err, "The law could not be changed or tried; the node's log says why.")
}
