package upkeep

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

type keysOutput struct{ Body keysReport }

type keysReport struct {
	Retirements []retirement `json:"retirements" nullable:"false" doc:"Keys of which old generations are being destroyed now. One that is not listed any more is done, or was taken back with the keystore."`
	Replicas    []replica    `json:"replicas" nullable:"false" doc:"The other nodes of the gallery's database that are alive, as last seen."`
}

type replica struct {
	Name string `json:"name" doc:"Its host, and a mark that tells two nodes of it apart."`
	Keys []span `json:"keys" nullable:"false" doc:"Generations of keys that it has."`
}

type span struct {
	Key     string `json:"key" enum:"kek,pseudonym-key,template-key" doc:"Which key."`
	Current uint32 `json:"current" minimum:"1" doc:"The generation that it uses for what is new."`
	Newest  uint32 `json:"newest" minimum:"1" doc:"The newest one it has: a generation is to be made current when every node has it."`
}

type retirement struct {
	Key     string   `json:"key" enum:"kek,pseudonym-key" doc:"Which key."`
	State   string   `json:"state" enum:"running,waiting,failed" doc:"Running: people are moved to the newer generation. Waiting: until nobody else needs the old ones. Failed: tried again by itself; nothing was lost."`
	Keep    uint32   `json:"keep" minimum:"1" doc:"The generations before this one are destroyed in the end."`
	Done    uint64   `json:"done" doc:"Subjects who were looked at."`
	Total   uint64   `json:"total" doc:"How many people are enrolled."`
	Waiting []string `json:"waiting" nullable:"false" doc:"For what is waited: other nodes of the store, by host, or what this one is doing."`
	Code    string   `json:"code,omitempty" pattern:"^TMG-[A-Z]{3}-[0-9]{4}$" doc:"What keeps it from being done; absent unless failed."`
	Title   string   `json:"title,omitempty" doc:"What the code means, in one sentence."`
	Next    string   `json:"next,omitempty" doc:"What to do now."`
}

const keysPath = "/v1/keys"

func keysExample() keysReport {
	return keysReport{Retirements: []retirement{{Key: "kek", State: "running", Keep: 3, Done: 250_000, Total: 1_000_000, Waiting: []string{}}},
		Replicas: []replica{{Name: "db-client-2-8c01fe", Keys: []span{{Key: "kek", Current: 3, Newest: 3}, {Key: "pseudonym-key", Current: 1, Newest: 1}}}}}
}

func (s service) keys(b *operation.Book) {
	take := b.Describe("take-up-keys", http.MethodPost, keysPath, "Take up a changed keystore now",
		"After `tamga key rotate`: the node does by itself what this does, but only within its refresh time. Begins what the keystore says is to be retired, "+
			"and answers meanwhile. Needs the operator's token.", "Operation", keysExample())
	take.DefaultStatus = http.StatusOK
	huma.Register(b.API, *take, s.takeUpKeys)
	look := b.Describe("keys", http.MethodGet, keysPath, "How far the retirement of keys is",
		"From memory. Needs the operator's token.", "Operation", keysExample())
	huma.Register(b.API, *look, func(context.Context, *struct{}) (*keysOutput, error) {
		return &keysOutput{Body: s.keysReport(s.node.Retirements())}, nil
	})
}

func (s service) takeUpKeys(ctx context.Context, _ *struct{}) (*keysOutput, error) {
	r, err := s.node.TakeUpKeys(ctx)
	if err != nil {
		return nil, problem.New(http.StatusServiceUnavailable, protocol.CodeRotation, "The keystore could not be taken up; the node goes on with the keys it has, and its log says why.")
	}
	return &keysOutput{Body: s.keysReport(r)}, nil
}

func (s service) keysReport(all map[keys.Family]rotation.Retirement) keysReport {
	out := keysReport{Retirements: []retirement{}, Replicas: []replica{}}
	for _, o := range s.node.Replicas() {
		r := replica{Name: o.Name, Keys: []span{}}
		for _, key := range slices.Sorted(maps.Keys(o.Keys)) {
			r.Keys = append(r.Keys, span{key, o.Keys[key].Current, o.Keys[key].Newest})
		}
		out.Replicas = append(out.Replicas, r)
	}
	for _, f := range slices.Sorted(maps.Keys(all)) {
		r := all[f]
		one := retirement{Key: string(f), State: string(r.State), Keep: r.Keep, Done: min(r.Done, r.Total), Total: r.Total, Waiting: operation.List(r.Waiting)}
		if r.State == rotation.RetirementFailed {
			e, _ := protocol.Lookup(keyCode(r.Err))
			one.Code, one.Title, one.Next = string(e.Code), e.Title, e.Next
		}
		out.Retirements = append(out.Retirements, one)
	}
	return out
}

// keyCode says what keeps the node from replacing a key.
func keyCode(err error) protocol.Code {
	switch {
	case errors.Is(err, gallery.ErrOutdated), errors.Is(err, registrar.ErrReplicas):
		return protocol.CodeRotation
	case errors.Is(err, keystore.ErrPseudonymKey), errors.Is(err, keystore.ErrForeignPseudonymKey):
		return protocol.CodePseudonymKey
	case errors.Is(err, gallery.ErrDamaged):
		return protocol.CodeStoreDamaged
	case errors.Is(err, custody.ErrBusy):
		return protocol.CodeStoreLocked
	case errors.Is(err, custody.ErrRoot):
		return protocol.CodeCustody
	}
	return protocol.Code(problem.OfStore(err, "").Code)
}

// In implements operation.Spoken.
func (r keysReport) In(language string) any {
	for i := range r.Retirements {
		one := &r.Retirements[i]
		operation.Say(language, one.Code, &one.Title, &one.Next)
	}
	return r
}
