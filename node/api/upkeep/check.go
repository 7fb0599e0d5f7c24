package upkeep

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/gallery/checkup"
)

type checkOutput struct{ Body check }

type check struct {
	State      string    `json:"state" enum:"idle,running,done,failed" doc:"Idle: none since the node was started. Failed: it could not be made to its end."`
	What       string    `json:"what,omitempty" enum:"bytes,subjects" doc:"What done and total count: bytes of files first, then subjects."`
	Done       uint64    `json:"done" doc:"How many of them were read."`
	Total      uint64    `json:"total" doc:"How many there are."`
	OK         bool      `json:"ok" doc:"Whether it is done and nothing is wrong."`
	Subjects   uint64    `json:"subjects" doc:"Subjects who were looked at."`
	Records    uint64    `json:"records" doc:"Of their records, those that open and are in their place."`
	Damaged    []damaged `json:"damaged" nullable:"false" doc:"What is damaged or gone of single subjects; the first 10,000."`
	Damages    int       `json:"damages" doc:"How many there are of these."`
	Missing    uint64    `json:"missing" doc:"How many more subjects were acknowledged than there are. Who they are cannot be told."`
	Stale      bool      `json:"stale" doc:"Whether some subjects are not as the last commit left them."`
	Behind     bool      `json:"behind" doc:"Whether the newest acknowledged commits are gone."`
	Unreadable bool      `json:"unreadable" doc:"Whether rows could not be looked at, or not to their end."`
	Faults     []fault   `json:"faults" nullable:"false" doc:"What is wrong with files."`
	Code       string    `json:"code,omitempty" pattern:"^TMG-[A-Z]{3}-[0-9]{4}$" doc:"The finding, or what kept it from being made; absent when ok."`
	Title      string    `json:"title,omitempty" doc:"What the code means, in one sentence."`
	Next       string    `json:"next,omitempty" doc:"What to do now."`
}

type damaged struct {
	Subject string `json:"subject" doc:"A handle of the subject: always the same, and nothing that the subject could be told from."`
	Part    string `json:"part" enum:"keyring,stamp,record,consent" doc:"What is damaged."`
	Place   uint32 `json:"place" doc:"Which record, 0 for the first."`
}

type fault struct {
	Where string `json:"where" doc:"The file."`
	Rule  string `json:"rule" doc:"What is wrong with it."`
	Torn  bool   `json:"torn" doc:"Whether it may be no more than a write that a crash cut off and nobody was told of."`
}

const (
	checkPath = "/v1/gallery/check"
	// maxDamaged bounds a response; a register with so many is to be restored, whoever they are.
	maxDamaged = 10_000
)

func checkExample() check {
	return check{State: "done", What: "subjects", Done: 1200, Total: 1200, Subjects: 1200, Records: 4799, Damages: 1,
		Damaged: []damaged{{Subject: "8d3f5a0c1b2e4f60718a", Part: "record", Place: 2}}, Faults: []fault{},
		Code: string(protocol.CodeStoreDamaged)}
}

func (s service) checking(b *operation.Book) {
	start := b.Describe("check-gallery", http.MethodPost, checkPath, "Read everything that the gallery holds",
		"Begins to read every file that is not being written, every subject and every record, while the node goes on, and answers at once; ask for the state to see how far it is. "+
			"One that is under way goes on. A finding is data: the response is 200 with `ok` false. It names nobody. Needs the operator's token.", "Operation", checkExample())
	start.DefaultStatus = http.StatusOK
	huma.Register(b.API, *start, func(context.Context, *struct{}) (*checkOutput, error) {
		return &checkOutput{Body: newCheck(s.node.CheckGallery())}, nil
	})
	look := b.Describe("gallery-check", http.MethodGet, checkPath, "How far the check of the gallery is, and what it found",
		"From memory. Needs the operator's token.", "Operation", checkExample())
	huma.Register(b.API, *look, func(context.Context, *struct{}) (*checkOutput, error) {
		return &checkOutput{Body: newCheck(s.node.GalleryCheck())}, nil
	})
}

func newCheck(c checkup.Progress) check {
	r := c.Report
	out := check{State: string(c.State), What: c.What, Done: c.Done, Total: c.Total, OK: c.State == checkup.Done && r.Sound(),
		Subjects: r.Subjects, Records: r.Records, Damaged: []damaged{}, Damages: len(r.Damaged), Missing: r.Missing, Stale: r.Stale,
		Behind: r.Behind, Unreadable: r.Unreadable, Faults: []fault{}}
	for _, d := range r.Damaged[:min(len(r.Damaged), maxDamaged)] {
		out.Damaged = append(out.Damaged, damaged{d.Subject, d.Part, d.Place})
	}
	for _, f := range r.Faults {
		out.Faults = append(out.Faults, fault(f))
	}
	var code protocol.Code
	switch {
	case c.State == checkup.Done && !out.OK:
		code = protocol.CodeStoreDamaged
	case c.State == checkup.Failed:
		code = protocol.Code(problem.OfStore(c.Err, "").Code)
	default:
		return out
	}
	e, _ := protocol.Lookup(code)
	out.Code, out.Title, out.Next = string(e.Code), e.Title, e.Next
	return out
}

// In implements operation.Spoken.
func (r check) In(language string) any {
	operation.Say(language, r.Code, &r.Title, &r.Next)
	return r
}
