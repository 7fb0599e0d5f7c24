package keycmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/progress"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/rotation"
)

const keysPath = "/v1/keys"

// retirement is how far a running node is, as its API reports it.
type retirement struct {
	State   string        `json:"state"`
	Keep    uint32        `json:"keep"`
	Done    uint64        `json:"done"`
	Total   uint64        `json:"total"`
	Waiting []string      `json:"waiting"`
	Code    protocol.Code `json:"code,omitempty"`
	Title   string        `json:"title,omitempty"`
}

// progress is what stands behind the state in a table.
func (r retirement) progress() string {
	switch r.State {
	case string(rotation.RetirementWaiting):
		return " (waiting for " + strings.Join(r.Waiting, ", ") + ")"
	case string(rotation.RetirementFailed):
		return fmt.Sprintf(" (%s, tried again by itself)", r.Code)
	}
	return fmt.Sprintf(" (%d of %d)", r.Done, r.Total)
}

type keysReply struct {
	Retirements []struct {
		Key keys.Family `json:"key"`
		retirement
	} `json:"retirements"`
	Replicas []replica `json:"replicas"`
}

// replica is another node of the gallery's database.
type replica struct {
	Name string `json:"name"`
	Keys []struct {
		Key     keys.Family `json:"key"`
		Current uint32      `json:"current"`
		Newest  uint32      `json:"newest"`
	} `json:"keys"`
}

// String says which generations it uses.
func (r replica) String() string {
	out := r.Name
	for _, k := range r.Keys {
		out += fmt.Sprintf(", %s %d", k.Key, k.Current)
	}
	return out
}

// lacks reports whether it does not have a generation of a key.
func (r replica) lacks(f keys.Family, number uint32) bool {
	for _, k := range r.Keys {
		if k.Key == f {
			return k.Newest < number
		}
	}
	return false
}

func (k keysReply) of(f keys.Family) *retirement {
	for _, r := range k.Retirements {
		if r.Key == f {
			return &r.retirement
		}
	}
	return nil
}

// lockRotation keeps other commands from rotating keys of the node. A pseudonym keystore
// alone has no node.
func lockRotation(dir string) (release func(), err error) {
	release, err = rotation.Lock(filepath.Join(dir, node.ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil // what is missing shows next
	}
	return release, err
}

// answering is a client of the running node, nil when there is none that answers: then
// the gallery's lock tells whether it is there.
func answering(ctx context.Context, a *cli.App, dir string) *nodeclient.Client {
	cl, err := nodeclient.Flags{Dir: dir}.Running(ctx)
	if err != nil {
		return nil
	}
	return cl
}

// keysThere asks the running node, if there is one, about keys that are being retired and
// about the other nodes of its database.
func keysThere(ctx context.Context, a *cli.App, dir string) (reply keysReply) {
	if cl := answering(ctx, a, dir); cl == nil || cl.Call(ctx, http.MethodGet, keysPath, "", nil, &reply) != nil {
		return keysReply{}
	}
	return reply
}

// riskReplicas is what --accept-risk names to activate a key that other nodes lack.
const riskReplicas = "nodes-behind"

// riskHolders is what --accept-risk names to activate a pseudonym key of which a holder has
// no share yet.
const riskHolders = "holders-behind"

// everyHolder refuses to activate a pseudonym key that some of its holders do not answer for:
// once the key before is retired nobody can give them a share of it any more.
func everyHolder(r rotationStep) error {
	if r.key != keys.Pseudonym || r.risk == riskHolders {
		return nil
	}
	err := rotation.EveryHolderReady(r.dir, r.roots)
	if errors.Is(err, pseudonym.ErrHolders) {
		return &fault.Failure{Exit: fault.ExitUnreachable, Code: protocol.CodePseudonymHolder, Err: fmt.Errorf("activating %s: not every holder answers for it: %w", r.key, err),
			Hint: "have each run `tamga holder replace` and `tamga holder serve`; or give those up for good, who cannot be replaced later, with --accept-risk=" + riskHolders + ". Nothing was changed"}
	}
	return err
}

// allHave refuses to activate a key that another node of the database lacks: it could not
// read who is written under it.
func allHave(ctx context.Context, r rotationStep) error {
	if r.running == nil || !rotation.IsUsed(r.key) || r.risk == riskReplicas {
		return nil
	}
	families, err := rotation.Keys(r.dir, r.roots, time.Now())
	if err != nil {
		return err
	}
	var reply keysReply
	if err := r.running.Call(ctx, http.MethodPost, keysPath, "", nil, &reply); err != nil { // which looks again
		return err
	}
	for _, f := range families {
		newest := f.Generations[len(f.Generations)-1].Number
		for _, other := range reply.Replicas {
			if f.Name == r.key && other.lacks(f.Name, newest) {
				return &fault.Failure{Exit: fault.ExitRefused, Code: protocol.CodeRotation, Err: fmt.Errorf("activating %s: %s on the same database does not have generation %d", f.Name, other.Name, newest),
					Hint: "give it this node's keystore.json, and wait until it took that up, which takes its refresh time; or accept that it refuses people until then with --accept-risk=" + riskReplicas + ". Nothing was changed"}
			}
		}
	}
	return nil
}

// takeUp has the running node use the changed keystore now.
func takeUp(ctx context.Context, a *cli.App, running *nodeclient.Client) {
	if running == nil {
		return
	}
	if err := mustTakeUp(ctx, running); err != nil {
		a.Say("the running node has not taken this up yet: %v; it tries again within its refresh time", err)
	}
}

// mustTakeUp has the running node, if there is one, use the keystore as it is now.
func mustTakeUp(ctx context.Context, running *nodeclient.Client) error {
	if running == nil {
		return nil
	}
	var reply keysReply
	return running.Call(ctx, http.MethodPost, keysPath, "", nil, &reply)
}

// retireKey retires a key: of a running node, by it.
func retireKey(ctx context.Context, a *cli.App, r rotationStep) (gone []uint32, next string, err error) {
	next = "write the key escrow anew (tamga backup escrow), and destroy key escrows and copies of keystore.json from before; they hold what was destroyed"
	p := &retireProgress{Bar: progress.Bar{App: a, Doing: "retiring"}}
	defer p.End()
	if r.running == nil || !rotation.IsUsed(r.key) {
		gone, err = rotation.RetireKey(ctx, filepath.Join(r.dir, node.ConfigFile), r.roots, r.key, p.stopped)
		if !errors.Is(err, gallery.ErrLocked) {
			return gone, next, err
		}
		if r.running = answering(ctx, a, r.dir); r.running == nil { // or it was just started
			return nil, next, &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeStoreLocked, Err: err,
				Hint: "it is written down and nothing else was changed: the node does it when it runs, or run this again when nothing else uses the gallery"}
		}
	}
	gone, err = p.follow(ctx, r)
	return gone, next, err
}

// retireProgress shows how far a retirement is.
type retireProgress struct {
	progress.Bar
	waiting string // for whom, as last said
}

func (p *retireProgress) stopped(r rotation.Retirement) { p.at(r.Done, r.Total, r.Waiting) }

func (p *retireProgress) at(done, total uint64, waiting []string) {
	if names := strings.Join(waiting, ", "); names != p.waiting {
		if p.waiting = names; names != "" {
			p.App.Say("waiting for %s", names)
		}
	}
	if len(waiting) == 0 {
		p.Show(done, total)
	}
}

// follow has the running node retire the old generations, and returns when they are gone
// from the keystore.
func (p *retireProgress) follow(ctx context.Context, r rotationStep) (gone []uint32, err error) {
	keep, err := rotation.MarkKey(r.dir, r.roots, r.key)
	if err != nil {
		return nil, err
	}
	if gone, err = before(r, keep); err != nil {
		return nil, err
	}
	every := time.NewTicker(progress.PollEvery)
	defer every.Stop()
	for method := http.MethodPost; ; {
		var reply keysReply
		if err := r.running.Call(ctx, method, keysPath, "", nil, &reply); err != nil {
			return nil, retiringThere(err)
		}
		method = http.MethodGet
		switch now := reply.of(r.key); {
		case now == nil:
			left, err := before(r, keep)
			if err != nil || len(left) == 0 {
				return gone, err
			}
			method = http.MethodPost // it has not seen it yet
		case now.State == string(rotation.RetirementFailed):
			return nil, p.failed(r.key, *now)
		default:
			p.at(now.Done, now.Total, now.Waiting)
		}
		select {
		case <-ctx.Done():
			return nil, retiringThere(ctx.Err())
		case <-every.C:
		}
	}
}

// failed says what is in the way.
func (p *retireProgress) failed(f keys.Family, r retirement) error {
	out := &fault.Failure{Exit: fault.ExitFailure, Code: r.Code, Err: fmt.Errorf("retiring %s: %s", f, r.Title),
		Hint: "the node tries again by itself and both keys open until it is done; its log says what is in the way"}
	if r.Code == protocol.CodeStoreDamaged {
		out.Exit, out.Hint = fault.ExitIntegrity, "`tamga gallery fsck` lists whom the old key is still needed for and cannot be moved: mend what it finds, and the node, which tries again by itself, goes on"
	}
	return out
}

// before are the generations of a key before keep that are in the keystore.
func before(r rotationStep, keep uint32) (numbers []uint32, err error) {
	families, err := rotation.Keys(r.dir, r.roots, time.Now())
	for _, f := range families {
		for _, g := range f.Generations {
			if f.Name == r.key && g.Number < keep {
				numbers = append(numbers, g.Number)
			}
		}
	}
	return numbers, err
}

// retiringThere is a failure to learn how far the running node is.
func retiringThere(err error) error {
	f := *fault.Classify(err)
	f.Hint = "it is written down: the node goes on by itself, also when it is started again; `tamga key list` shows how far it is"
	return &f
}
