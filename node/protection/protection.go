// Package protection keeps a node's face templates under its secret transforms
// (matcher/protect): what the gallery stores is turned by the current generation's,
// probes are turned like the reference that they are compared with, and a reference
// of an older generation can be moved to the current one.
//
// [New] it of the generations of a keystore, and give it to node/gallery and
// node/responder alike. [Faces.Replace] puts other generations into use for both.
//
// Invariants:
//
//   - a template is stored under the generation that it is said to be of, and two of
//     different generations are never compared;
//   - no vector, secret or transform is printed, logged or named in an error;
//   - what is replaced is wiped, once nothing uses it any more.
//
// It protects what was decrypted, beside encryption and not instead of it: see
// matcher/protect for what the transforms do not withstand.
package protection

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/protect"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
)

// ErrGeneration says that a template is of a generation, or a secret, that is not here.
// It means "could not tell", not "no".
var ErrGeneration = errors.New("face template under a secret that the node does not have")

// mostTransforms bounds the transforms that are kept: one of 512 dimensions takes 1 MiB
// and milliseconds to derive, one of 1,024 four times that. A register has one or two
// models, in two generations while it is renewed; of more, each is derived when needed.
const mostTransforms = 8

// Faces are the generations of one node. It is safe for concurrent use; the zero value
// has none and protects nothing. Wipe it.
type Faces struct {
	// life is held for reading while secrets or transforms are used, so that they are
	// not wiped under a user.
	life    sync.RWMutex
	secrets map[uint32][]byte
	current uint32

	// mu guards the list, which only grows while life is held for reading.
	mu   sync.Mutex
	kept []*transform
}

// transform is one that was derived.
type transform struct {
	generation uint32
	model      string
	dims       int
	by         *protect.Transform
}

var _ gallery.Protection = (*Faces)(nil)

// New takes a copy of the generations.
func New(g keys.Generations) (*Faces, error) {
	f := &Faces{}
	if err := f.take(g); err != nil {
		return nil, fmt.Errorf("loading face protection: %w", err)
	}
	return f, nil
}

func (f *Faces) take(g keys.Generations) error {
	secrets := make(map[uint32][]byte, len(g.Secrets))
	for n, s := range g.Secrets {
		if len(s) != protect.SecretSize || n == 0 {
			return keys.ErrMalformed
		}
		secrets[n] = append([]byte(nil), s...)
	}
	if _, ok := secrets[g.Current]; !ok {
		return keys.ErrMalformed
	}
	f.secrets, f.current = secrets, g.Current
	return nil
}

// Replace puts the generations of other into use, and empties other. It returns when
// nothing uses those that are gone.
func (f *Faces) Replace(other *Faces) {
	other.life.Lock()
	secrets, current := other.secrets, other.current
	other.secrets = nil
	other.wipeLocked()
	other.life.Unlock()

	f.life.Lock()
	defer f.life.Unlock()
	f.wipeLocked()
	f.secrets, f.current = secrets, current
}

// Wipe overwrites everything. It may be called twice, and on nil.
func (f *Faces) Wipe() {
	if f == nil {
		return
	}
	f.life.Lock()
	defer f.life.Unlock()
	f.wipeLocked()
}

func (f *Faces) wipeLocked() {
	for _, t := range f.kept {
		t.by.Wipe()
	}
	for _, s := range f.secrets {
		clear(s)
	}
	f.kept, f.secrets, f.current = nil, nil, 0
}

// Covers reports whether templates of a modality and format are stored protected.
func (*Faces) Covers(modality, format string) bool {
	return modality == "face" && format == exchange.FormatEmbedding
}

// Current is the generation that [Faces.Protect] and [Faces.Renew] use now.
func (f *Faces) Current() uint32 {
	f.life.RLock()
	defer f.life.RUnlock()
	return f.current
}

// Holds reports whether a generation is there.
func (f *Faces) Holds(generation uint32) bool {
	f.life.RLock()
	defer f.life.RUnlock()
	_, ok := f.secrets[generation]
	return ok
}

// Generations are the numbers of those that are there, in no order.
func (f *Faces) Generations() []uint32 {
	f.life.RLock()
	defer f.life.RUnlock()
	return slices.Collect(maps.Keys(f.secrets))
}

// Protect gives what is to be stored of a template that Covers covers, and the
// generation that it is of. It shares no memory with t.
func (f *Faces) Protect(t gallery.Template) (gallery.Template, uint32, error) {
	e, err := exchange.ParseEmbedding(t.Data)
	if err != nil {
		return gallery.Template{}, 0, fmt.Errorf("protecting face template: %w", err)
	}
	defer wipe(e)
	f.life.RLock()
	defer f.life.RUnlock()
	return f.protect(t, e)
}

func (f *Faces) protect(t gallery.Template, e exchange.Embedding) (gallery.Template, uint32, error) {
	to, done, err := f.transform(f.current, e.Model, len(e.Values)+len(e.Quantised))
	if err != nil {
		return gallery.Template{}, 0, err
	}
	defer done()
	out, err := to.Protect(e)
	if err != nil {
		return gallery.Template{}, 0, err
	}
	return f.stored(t, out)
}

// Renew gives what is to be stored under the current generation of a template that is
// stored under another, or unprotected. [ErrGeneration] when the other is not here.
func (f *Faces) Renew(t gallery.Template) (gallery.Template, uint32, error) {
	e, err := exchange.ParseEmbedding(t.Data)
	if err != nil {
		return gallery.Template{}, 0, fmt.Errorf("renewing face template: %w", err)
	}
	defer wipe(e)
	f.life.RLock()
	defer f.life.RUnlock()
	model, generation, ok := protect.Base(e.Model)
	if !ok {
		return f.protect(t, e)
	}
	dims := len(e.Values) + len(e.Quantised)
	from, release, err := f.transform(generation, model, dims)
	if err != nil {
		return gallery.Template{}, 0, err
	}
	defer release()
	to, done, err := f.transform(f.current, model, dims)
	if err != nil {
		return gallery.Template{}, 0, err
	}
	defer done()
	if generation == f.current {
		return gallery.Template{}, 0, fmt.Errorf("renewing face template: %w", protect.ErrName)
	}
	out, err := protect.Renew(e, from, to)
	if errors.Is(err, protect.ErrName) {
		err = ErrGeneration // the secret under that number is another
	}
	if err != nil {
		return gallery.Template{}, 0, fmt.Errorf("renewing face template: %w", err)
	}
	return f.stored(t, out)
}

// stored is t with e in it, which is wiped.
func (f *Faces) stored(t gallery.Template, e exchange.Embedding) (gallery.Template, uint32, error) {
	defer wipe(e)
	data, err := e.Encode()
	if err != nil {
		return gallery.Template{}, 0, fmt.Errorf("encoding face template: %w", err)
	}
	t.Data = data
	return t, f.current, nil
}

// Turn gives the form in which a probe compares with stored templates of that name,
// which are of its model and dimensions. The caller wipes it.
func (f *Faces) Turn(probe *face.Template, name string) (*face.Template, error) {
	model, generation, ok := protect.Base(name)
	if !ok || model != probe.Model() {
		return nil, face.ErrModelMismatch
	}
	f.life.RLock()
	defer f.life.RUnlock()
	t, done, err := f.transform(generation, model, probe.Dims())
	if err != nil {
		return nil, err
	}
	defer done()
	if t.Name() != name {
		return nil, ErrGeneration
	}
	return t.Turn(probe)
}

// transform derives one, or finds it. done must be called when it is no longer used.
// The caller holds life.
func (f *Faces) transform(generation uint32, model string, dims int) (t *protect.Transform, done func(), err error) {
	secret, ok := f.secrets[generation]
	if !ok {
		return nil, nil, ErrGeneration
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.kept {
		if k.generation == generation && k.model == model && k.dims == dims {
			return k.by, func() {}, nil
		}
	}
	if t, err = protect.New(secret, generation, model, dims); err != nil {
		return nil, nil, err
	}
	if len(f.kept) == mostTransforms {
		return t, t.Wipe, nil
	}
	f.kept = append(f.kept, &transform{generation, model, dims, t})
	return t, func() {}, nil
}

func wipe(e exchange.Embedding) {
	clear(e.Values)
	clear(e.Quantised)
}

// Format prints a constant whatever the verb.
func (*Faces) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "faces(redacted)") }

// LogValue is a constant.
func (*Faces) LogValue() slog.Value { return slog.StringValue("faces(redacted)") }
