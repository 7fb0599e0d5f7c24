// Package demo runs a whole federation on one machine: a Trust Anchor and four
// nodes with synthetic people, on loopback, in a folder that is deleted afterwards.
//
// Start makes the federation, Play plays the scenes of `tamga demo` on it. Tests,
// `tamga bench` and `tamga conform` use Start too. Every part is the real one that
// a country would run: what differs is the cheap key derivation, the sandbox's
// identifiers, and that nobody in it exists.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/requester"
)

// Seed makes the demo's people; the same seed makes the same people.
const Seed = 20260921

// EnrolledFinger is the ISO/IEC 19794-2 position of the one finger that each
// synthetic person is enrolled with: right index.
const EnrolledFinger = 2

// Country names what the narration calls a node.
type Country struct{ Code, Name, Agency string }

// Countries are the four of the demo.
func Countries() []Country {
	return []Country{
		{"KAZ", "Kazakhstan", "Sandbox Identity Agency of Kazakhstan"},
		{"KGZ", "Kyrgyzstan", "Sandbox Identity Agency of Kyrgyzstan"},
		{"TJK", "Tajikistan", "Sandbox Identity Agency of Tajikistan"},
		{"UZB", "Uzbekistan", "Sandbox Identity Agency of Uzbekistan"},
	}
}

// Options say what to start. The zero value starts nothing; Dir must exist.
type Options struct {
	Dir       string
	Countries []Country
	People    int // enrolled in each country
	Log       *slog.Logger
	Overrides map[string]node.Overrides     // by country code
	API       func(*node.Node) http.Handler // nil: the nodes serve no HTTP API
	Progress  func(what string, took time.Duration)
}

// Federation is a running sandbox.
type Federation struct {
	Anchor  trust.Anchor
	Members map[string]*Member

	authority *authority.Authority
	api       func(*node.Node) http.Handler
	dir       string
	log       *slog.Logger
	stop      context.CancelFunc
	tasks     *errgroup.Group
	ctx       context.Context
}

// Member is one country of the sandbox.
type Member struct {
	Country
	Node *node.Node // nil while the node is down
	Dir  string
	Pop  *synth.Population

	overrides node.Overrides
	alarms    atomic.Int32 // canaries that its log told of
	recorder  *recorder
	stop      context.CancelFunc
	done      chan struct{}
}

// Authority is the sandbox's Trust Anchor.
func (f *Federation) Authority() *authority.Authority { return f.authority }

// Passphrase opens every node of a sandbox. It protects nothing: the folder is
// deleted and the people do not exist.
const Passphrase = "sandbox sandbox sandbox sandbox"

const anchorID = "https://anchor.sandbox.tamga.example"

// EntityID is the Entity Identifier of a country's sandbox node.
func EntityID(code string) string { return "https://" + lower(code) + ".sandbox.tamga.example" }

func lower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] |= 0x20
	}
	return string(b)
}

// Start runs a federation until Close. On error nothing is left running.
func Start(ctx context.Context, o Options) (_ *Federation, err error) {
	ctx, stop := context.WithCancel(ctx)
	tasks, ctx := errgroup.WithContext(ctx)
	f := &Federation{Members: make(map[string]*Member), dir: o.Dir, log: o.Log, api: o.API, stop: stop, tasks: tasks, ctx: ctx}
	if f.api == nil {
		f.api = func(*node.Node) http.Handler { return http.NotFoundHandler() }
	}
	if o.Progress == nil {
		o.Progress = func(string, time.Duration) {}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	begin := time.Now()
	if err := f.startAnchor(); err != nil {
		return nil, fmt.Errorf("starting trust anchor: %w", err)
	}
	o.Progress("trust anchor "+anchorID, time.Since(begin))
	for _, c := range o.Countries {
		m := &Member{Country: c, Dir: filepath.Join(o.Dir, lower(c.Code)), Pop: synth.New(Seed, c.Code), overrides: o.Overrides[c.Code]}
		f.Members[c.Code] = m
		begin := time.Now()
		if err := f.make(m, o.People); err != nil {
			return nil, fmt.Errorf("starting node %s: %w", c.Code, err)
		}
		o.Progress(fmt.Sprintf("node %s      %s, %d synthetic people", c.Code, c.Name, o.People), time.Since(begin))
	}
	begin = time.Now()
	if err := f.Introduce(ctx); err != nil {
		return nil, err
	}
	o.Progress("federated     every chain verified to the anchor", time.Since(begin))
	return f, nil
}

func (f *Federation) startAnchor() error {
	key, err := jose.GenerateKey()
	if err != nil {
		return err
	}
	f.authority, err = authority.New(authority.Config{EntityID: anchorID, Key: key,
		Dir: filepath.Join(f.dir, "anchor"), OrganizationName: "Sandbox Federation", Clock: time.Now})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f.Anchor = f.authority.Anchor()
	f.Anchor.Location = "http://" + l.Addr().String()
	s := &http.Server{Handler: f.authority.Handler(), ReadHeaderTimeout: 5 * time.Second}
	f.tasks.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	f.tasks.Go(func() error {
		<-f.ctx.Done()
		return s.Close()
	})
	return nil
}

// make initialises a node, enrols its people, starts it and enrols it with the anchor.
func (f *Federation) make(m *Member, people int) error {
	_, err := founding.Init(founding.Options{
		Dir: m.Dir, EntityID: EntityID(m.Code), Jurisdiction: m.Code, Name: m.Agency,
		Listen: "127.0.0.1:0", API: "127.0.0.1:0", Anchor: f.Anchor,
		Passphrase: []byte(Passphrase), Custody: custody.TestParams(), Now: time.Now,
	})
	if err != nil {
		return err
	}
	if err := f.Up(m); err != nil {
		return err
	}
	if err := Enrol(f.ctx, m.Node, m.Pop, people); err != nil {
		return err
	}
	token, err := m.Node.EntityConfiguration()
	if err != nil {
		return err
	}
	_, err = f.authority.Enroll(token, authority.EnrollOptions{Jurisdiction: m.Code})
	return err
}

// Up starts a member's node; Down stops it. Its data stay where they are.
func (f *Federation) Up(m *Member) error {
	o := m.overrides
	m.recorder = &recorder{}
	o.Exchanger = func(x requester.Exchanger) requester.Exchanger { m.recorder.under = x; return m.recorder }
	n, err := node.Open(f.ctx, filepath.Join(m.Dir, node.ConfigFile), []byte(Passphrase), slog.New(alarms{f.log.Handler(), &m.alarms}), o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(f.ctx)
	m.Node, m.stop, m.done = n, stop, make(chan struct{})
	f.tasks.Go(func() error {
		defer close(m.done)
		return n.Run(ctx, f.api(n))
	})
	return nil
}

// Down stops a member's node.
func (f *Federation) Down(m *Member) error {
	if m.Node == nil {
		return nil
	}
	m.stop()
	<-m.done
	err := m.Node.Close()
	m.Node = nil
	return err
}

// Introduce lets every node learn who the members are.
func (f *Federation) Introduce(ctx context.Context) error {
	for code, m := range f.Members {
		if err := m.Node.Refresh(ctx); err != nil {
			return fmt.Errorf("refreshing members of %s: %w", code, err)
		}
	}
	return nil
}

// Close stops everything and returns the first failure of any part.
func (f *Federation) Close() error {
	var errs []error
	for _, m := range f.Members {
		errs = append(errs, f.Down(m))
	}
	f.stop()
	if err := f.tasks.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Enrol enrols the first n people of a population with face, one finger and
// consent key.
func Enrol(ctx context.Context, to enrol.Sink, pop *synth.Population, n int) error {
	const batch = 250
	for start := 0; start < n; start += batch {
		var es []gallery.Enrolment
		for i := start; i < min(start+batch, n); i++ {
			e, err := Enrolment(pop.Person(i))
			if err != nil {
				return err
			}
			es = append(es, e)
		}
		results, err := to.Enrol(ctx, es)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Err != nil {
				return fmt.Errorf("enrolling synthetic people: %w", r.Err)
			}
		}
	}
	return nil
}

// Enrolment is what a synthetic person is enrolled with.
func Enrolment(p synth.Person) (gallery.Enrolment, error) {
	holder, err := HolderKey(p)
	if err != nil {
		return gallery.Enrolment{}, err
	}
	return gallery.Enrolment{
		Subject: Subject(p), Holder: holder.Public().KeyID(),
		Templates: []gallery.Template{
			{Modality: comparison.ModalityFace, Format: exchange.FormatEmbedding, Data: p.FaceReference()},
			{Modality: comparison.ModalityFinger, Format: exchange.FormatFinger2005, Position: EnrolledFinger, Data: p.FingerReference(EnrolledFinger)},
		},
	}, nil
}

// Subject is the identifier that a synthetic person is enrolled under.
func Subject(p synth.Person) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: p.Jurisdiction, Type: pseudonym.IDPassport, Value: p.PassportNumber}
}

// HolderKey is the key with which a synthetic person signs consents.
func HolderKey(p synth.Person) (jose.PrivateKey, error) {
	seed := p.HolderSeed()
	return jose.NewPrivateKey(seed[:])
}

// TempDir makes a folder for a sandbox and returns how to delete it.
func TempDir() (string, func(), error) {
	dir, err := os.MkdirTemp("", "tamga-sandbox-")
	if err != nil {
		return "", nil, fmt.Errorf("making sandbox folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// Dir is the sandbox's folder.
func (f *Federation) Dir() string { return f.dir }
