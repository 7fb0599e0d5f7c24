// Package protect turns face embeddings by a secret orthogonal transform before they are stored, so
// that a template that leaked can be re-issued and says nothing beside the templates of another node:
// renewable biometric references after ISO/IEC 24745:2022, 6.3.
//
// Start with [New] for the secret, its generation and a model, [Transform.Protect] references,
// [Transform.Turn] probes, and compare the results with package face. [Renew] moves a protected reference to the
// next secret. Inner products do not change, so neither do scores, thresholds or calibrations: those
// are of the model that [Base] names.
//
// The transform is drawn uniformly (by Haar measure) from all orthogonal matrices, as a product of
// Householder reflections of Gaussian vectors: G. W. Stewart, "The Efficient Generation of Random
// Orthogonal Matrices with an Application to Condition Estimators", SIAM J. Numer. Anal. 17(3), 1980;
// the signs that make it uniform are from F. Mezzadri, "How to Generate Random Matrices from the
// Classical Compact Groups", Notices of the AMS 54(5), 2007. A permutation with signs would cost less
// and protect nothing: sorted magnitudes survive it.
//
// What it does not do:
//
//   - It is no encryption. Whoever learns the secret has every vector again.
//   - It does not withstand known plaintexts. As many pairs of vector and protected vector as there
//     are dimensions give the transform by solving linear equations; fewer give its action on the
//     space that they span, and pairs of only similar vectors give it approximately.
//   - It hides single templates and not sets: angles between the templates of one node are those of
//     the vectors. Who holds two galleries can look for people of both by the angles among them, and
//     who knows the covariance of a population can align a large gallery with it: K. Liu, C.
//     Giannella, H. Kargupta, "An Attacker's View of Distance Preserving Maps for Privacy Preserving
//     Data Mining", PKDD 2006.
//
// So protected templates stay encrypted at rest; this is the second lock, for what was decrypted.
//
// Invariants:
//
//   - Templates of two secrets, generations or models are never compared: their names differ, and
//     package face makes that an error.
//   - A protected vector has unit length: the length, which no transform hides, is dropped first.
//   - Secrets and vectors never print, log or appear in an error, and working copies are wiped.
//
// One secret, generation and model give one transform for ever, up to rounding in float64 that differs
// between processors far below the precision of float32.
package protect

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
)

// SecretSize is the length of a secret in octets.
const SecretSize = 32

var (
	// ErrSecret says that a secret is not SecretSize octets, or all zero as a wiped one is.
	ErrSecret = errors.New("preparing face protection: unusable secret")
	// ErrParameter says that generation, model or dimensions are out of range.
	ErrParameter = errors.New("preparing face protection: generation, model or dimensions out of range")
	// ErrName says that a template is of another model, secret or generation than the transform: it
	// means "could not tell", not "no".
	ErrName = errors.New("protecting face template: template of another model, secret or generation")
	// ErrVector says that a vector cannot be transformed: wrong number of dimensions, not finite, or
	// without direction.
	ErrVector = errors.New("protecting face template: unusable vector")
	// ErrWiped says that a transform was nil, zero or used after Wipe.
	ErrWiped = errors.New("protecting face template: transform was wiped")
)

const label = "tamga/v1/face-protection"

// Transform is the transform of one secret, generation and model. It is immutable until wiped, so
// several goroutines may use it at once. Nil and zero Transforms transform nothing.
type Transform struct {
	model, name string
	dims        int
	// parts are the signs and reflections, behind a closure so that nothing prints them.
	parts func() *parts
}

// New derives the transform that a secret of [SecretSize] octets gives the vectors of a model. The
// secret is not kept. A generation is 1 or more; it is bound into the transform, so a secret used
// again under another generation gives another one. The error is [ErrSecret] or [ErrParameter].
func New(secret []byte, generation uint32, model string, dims int) (*Transform, error) {
	var set byte
	for _, b := range secret {
		set |= b
	}
	if len(secret) != SecretSize || set == 0 {
		return nil, ErrSecret
	}
	if generation == 0 || dims < face.MinDims || dims > face.MaxDims || !Protectable(model) {
		return nil, ErrParameter
	}
	if m, ok := face.Lookup(model); ok && m.Dims != dims {
		return nil, ErrParameter
	}
	// The label is of fixed length and the numbers stand before the model, so no two inputs meet.
	info := binary.BigEndian.AppendUint32([]byte(label), generation)
	info = binary.BigEndian.AppendUint16(info, uint16(dims))
	key, err := hkdf.Key(sha256.New, secret, nil, string(append(info, model...)), checkSize+streamKeySize)
	if err != nil {
		return nil, fmt.Errorf("preparing face protection: %w", err)
	}
	defer clear(key)
	p := draw(key[checkSize:], dims)
	return &Transform{
		model: model, dims: dims,
		name:  protectedName(model, generation, hex.EncodeToString(key[:checkSize])),
		parts: func() *parts { return p },
	}, nil
}

// Name is the model identifier that protected vectors carry; see [Base] for its grammar.
func (t *Transform) Name() string {
	if t == nil {
		return ""
	}
	return t.name
}

// Wipe overwrites the transform. It may be called twice and on nil, and must not run while another
// goroutine uses the transform.
func (t *Transform) Wipe() {
	if t == nil || t.parts == nil {
		return
	}
	t.parts().wipe()
	t.parts = nil
}

const redacted = "transform(redacted)"

// LogValue keeps the transform out of logs.
func (Transform) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the transform out of everything that package fmt prints.
func (Transform) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// Apply writes the protected form of the vector src to dst, which may be src: unit length, turned.
// Neither may have another number of values than the transform has dimensions. It does not allocate.
// On an error, [ErrVector] or [ErrWiped], dst is as it was.
func (t *Transform) Apply(dst, src []float32) error { return t.run(dst, src, false) }

// invert undoes Apply, but for the length.
func (t *Transform) invert(dst, src []float32) error { return t.run(dst, src, true) }

// run takes no function for the direction: through one, the working copy would escape to the heap.
func (t *Transform) run(dst, src []float32, back bool) error {
	if t == nil || t.parts == nil {
		return ErrWiped
	}
	if len(src) != t.dims || len(dst) != t.dims {
		return ErrVector
	}
	var work [face.MaxDims]float64
	v := work[:t.dims]
	defer clear(v)
	var sum float64
	for i, x := range src {
		v[i] = float64(x)
		sum += v[i] * v[i]
	}
	norm := math.Sqrt(sum)
	// Written so that NaN fails, too.
	if !(norm >= face.MinNorm && norm <= math.MaxFloat64) {
		return ErrVector
	}
	for i := range v {
		v[i] /= norm
	}
	if back {
		t.parts().backward(v)
	} else {
		t.parts().forward(v)
	}
	for i, x := range v {
		dst[i] = float32(x)
	}
	return nil
}

// Protect gives the protected form of an embedding of the transform's model, quantised again when the
// embedding was. The result shares no memory with e. The error is [ErrName] when e is of another
// model or protected already, [ErrVector] or [ErrWiped].
func (t *Transform) Protect(e exchange.Embedding) (exchange.Embedding, error) {
	if t == nil || t.parts == nil {
		return exchange.Embedding{}, ErrWiped
	}
	if e.Model != t.model {
		return exchange.Embedding{}, ErrName
	}
	return convert(e, t.name, t.Apply)
}

// Turn is the protected form of a template for comparison alone: it is not quantised again, since
// nothing of it is stored. The caller wipes both. The error is [ErrName], [ErrVector] or [ErrWiped].
func (t *Transform) Turn(e *face.Template) (*face.Template, error) {
	if t == nil || t.parts == nil {
		return nil, ErrWiped
	}
	if e.Model() != t.model {
		return nil, ErrName
	}
	turned, err := e.Turned(t.name, t.Apply)
	switch {
	case errors.Is(err, face.ErrWiped):
		return nil, ErrWiped
	case errors.Is(err, face.ErrVector):
		return nil, ErrVector
	}
	return turned, err
}

// Renew gives an embedding that from protected the protection of to, both being of one model. The
// vector itself exists only in working memory that is wiped. Errors are those of [Transform.Protect];
// an embedding that bears the name of to already is ErrName as well, so a caller that resumes asks
// for the name first.
func Renew(e exchange.Embedding, from, to *Transform) (exchange.Embedding, error) {
	if from == nil || to == nil || from.parts == nil || to.parts == nil {
		return exchange.Embedding{}, ErrWiped
	}
	if e.Model != from.name || from.model != to.model || from.dims != to.dims {
		return exchange.Embedding{}, ErrName
	}
	return convert(e, to.name, func(dst, src []float32) error {
		if err := from.invert(dst, src); err != nil {
			return err
		}
		return to.Apply(dst, dst)
	})
}

// convert maps the vector of e, whichever its form, and names the result.
func convert(e exchange.Embedding, name string, f func(dst, src []float32) error) (exchange.Embedding, error) {
	if e.Values != nil && e.Quantised != nil {
		return exchange.Embedding{}, ErrVector
	}
	v := make([]float32, len(e.Values)+len(e.Quantised))
	if e.Quantised == nil {
		copy(v, e.Values)
	} else {
		// The scale does not matter: only the direction is kept.
		for i, x := range e.Quantised {
			v[i] = float32(x)
		}
	}
	if err := f(v, v); err != nil {
		clear(v)
		return exchange.Embedding{}, err
	}
	if e.Quantised == nil {
		return exchange.Embedding{Model: name, Values: v}, nil
	}
	defer clear(v)
	return exchange.Quantised(name, v)
}
