package pseudonym

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
)

// A key may be shared among holders, so that no machine has it: holder i has the value
// f(i) of a polynomial over the group's scalars with f(0) the key (Shamir, CACM 1979),
// and any Threshold of them evaluate together. Each answers a blinded request as the
// holder of a key of its own does, with a proof against its own public key f(i)*G, and
// the answers are combined in the exponent by Lagrange coefficients: the threshold OPRF
// of Jarecki, Kiayias, Krawczyk and Xu, "TOPPSS", ACNS 2017, made verifiable by the
// proofs of RFC 9497 section 2.2, so that a holder that lies is found and named.

// MaxHolders bounds how many may share a key.
const MaxHolders = 16

var (
	// ErrTerms reports terms of a shared key that are not of one polynomial, or out of bounds.
	ErrTerms = errors.New("malformed terms of a shared pseudonym key")
	// ErrHolders reports that fewer holders than needed gave an answer that is right.
	ErrHolders = errors.New("too few holders of the pseudonym key answered")
	// ErrShared reports an update away from a shared key, which nobody here can undo.
	ErrShared = errors.New("the pseudonym key before is shared, and cannot be replaced by another")
)

// Terms are what is public of a shared key: how many holders evaluate, 2 to all of
// them, and their public keys, that of holder n at n-1.
type Terms struct {
	Threshold int
	Holders   []PublicKey
}

// Public gives the key that the holders share, or [ErrTerms] when their keys are not of
// one polynomial of that degree.
func (t Terms) Public() (PublicKey, error) {
	n := len(t.Holders)
	if t.Threshold < 2 || t.Threshold > n || n > MaxHolders {
		return PublicKey{}, fmt.Errorf("reading terms: %d of %d holders: %w", t.Threshold, n, ErrTerms)
	}
	points := make(map[int]group.Element, n)
	for i, p := range t.Holders {
		if p.IsZero() {
			return PublicKey{}, fmt.Errorf("reading terms: holder %d has no key: %w", i+1, ErrTerms)
		}
		e, err := parseElement(p.k.raw)
		if err != nil {
			return PublicKey{}, fmt.Errorf("reading terms: holder %d: %w", i+1, ErrTerms)
		}
		points[i+1] = e
	}
	first := make([]int, t.Threshold)
	for i := range first {
		first[i] = i + 1
	}
	for i := t.Threshold + 1; i <= n; i++ {
		if !interpolate(first, i, points).IsEqual(points[i]) {
			return PublicKey{}, fmt.Errorf("reading terms: holder %d has another polynomial: %w", i, ErrTerms)
		}
	}
	raw, err := encodeElement(interpolate(first, 0, points))
	if err != nil {
		return PublicKey{}, fmt.Errorf("reading terms: %w", ErrTerms)
	}
	return ParsePublicKey(raw[:])
}

// interpolate is the point at x of the polynomial through those at.
func interpolate(at []int, x int, points map[int]group.Element) group.Element {
	sum := group.Ristretto255.Identity()
	for _, i := range at {
		sum.Add(sum, group.Ristretto255.NewElement().Mul(points[i], lagrange(at, i, x)))
	}
	return sum
}

// lagrange is the coefficient at x of the value at i, among those at.
func lagrange(at []int, i, x int) group.Scalar {
	over, under := scalarOfInt(1), scalarOfInt(1)
	for _, j := range at {
		if j != i {
			over.Mul(over, scalarOfInt(x-j))
			under.Mul(under, scalarOfInt(i-j))
		}
	}
	return over.Mul(over, under.Inv(under))
}

func scalarOfInt(n int) group.Scalar {
	s := group.Ristretto255.NewScalar()
	if n < 0 {
		return s.Neg(s.SetUint64(uint64(-n)))
	}
	return s.SetUint64(uint64(n))
}

// Ask sends a request to the holder of that number, from 1, and returns its response. It
// is called for several at a time and must return in a bounded time.
type Ask func(holder int, request []byte) (response []byte, err error)

// HolderError says which holder did not give a right answer: [ErrProof] or [ErrElement]
// for one that lies, and else what [Ask] returned.
type HolderError struct {
	Holder int // from 1
	Err    error
}

// Error implements error.
func (e *HolderError) Error() string { return fmt.Sprintf("holder %d: %v", e.Holder, e.Err) }

// Unwrap implements errors.Unwrap.
func (e *HolderError) Unwrap() error { return e.Err }

// Lies reports whether the holder answered, and wrongly.
func (e *HolderError) Lies() bool { return errors.Is(e.Err, ErrProof) || errors.Is(e.Err, ErrElement) }

// NewShared makes the key that holders share on the terms. [Key.Element] and [Key.Update]
// ask Threshold of them, and others for those that fail; failed, if it is not nil, is told
// of each that does, possibly by several goroutines. Such a key has no seed, answers no
// requests, and gives elements as the holders do together.
func NewShared(t Terms, ask Ask, failed func(*HolderError)) (Key, error) {
	public, err := t.Public()
	if err != nil {
		return Key{}, err
	}
	if ask == nil {
		return Key{}, fmt.Errorf("making shared pseudonym key: %w", ErrKey)
	}
	if failed == nil {
		failed = func(*HolderError) {}
	}
	s := &keySecret{public: public, shared: &sharedKey{t, ask, failed}}
	return Key{func() *keySecret { return s }}, nil
}

// NewShare makes the key of one holder of his share, 32 bytes as [Join] gave them. It
// returns [ErrKey] for others.
func NewShare(share []byte) (Key, error) {
	private := new(oprf.PrivateKey)
	if len(share) != SeedSize {
		return Key{}, fmt.Errorf("loading share: %w", ErrKey)
	}
	if err := private.UnmarshalBinary(oprf.SuiteRistretto255, share); err != nil {
		return Key{}, fmt.Errorf("loading share: %w", ErrKey)
	}
	if again, err := private.MarshalBinary(); err != nil || !bytes.Equal(again, share) || bytes.Equal(share, make([]byte, SeedSize)) {
		return Key{}, fmt.Errorf("loading share: %w", ErrKey)
	}
	return newKey(private, nil)
}

type sharedKey struct {
	terms  Terms
	ask    Ask
	failed func(*HolderError)
}

type answered struct {
	holder int
	point  group.Element // nil when err is not
	err    error
}

// evaluate has the holders multiply a point by the key.
func (s *sharedKey) evaluate(point group.Element) (group.Element, error) {
	points := make(map[int]group.Element, s.terms.Threshold)
	var at []int
	var errs []error
	next := 1
	for len(at) < s.terms.Threshold {
		n := min(s.terms.Threshold-len(at), len(s.terms.Holders)+1-next)
		if n == 0 {
			return nil, errors.Join(append([]error{ErrHolders}, errs...)...)
		}
		for _, a := range s.askAll(next, n, point) {
			if a.err != nil {
				e := &HolderError{a.holder, a.err}
				s.failed(e)
				errs = append(errs, e)
				continue
			}
			points[a.holder], at = a.point, append(at, a.holder)
		}
		next += n
	}
	return interpolate(at, 0, points), nil
}

// askAll asks n holders at once, from the one of number first on.
func (s *sharedKey) askAll(first, n int, point group.Element) []answered {
	out := make([]answered, n)
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			out[i].holder = first + i
			out[i].point, out[i].err = s.askOne(first+i, point)
		})
	}
	wg.Wait()
	return out
}

// askOne hides the point behind a factor of its own, so that no two holders see the same.
func (s *sharedKey) askOne(holder int, point group.Element) (group.Element, error) {
	factor := group.Ristretto255.RandomNonZeroScalar(nil)
	blinded := group.Ristretto255.NewElement().Mul(point, factor)
	request, err := blinded.MarshalBinaryCompress()
	if err != nil {
		return nil, ErrElement
	}
	response, err := s.ask(holder, request)
	if err != nil {
		return nil, err
	}
	element, proof, err := parseResponse(response)
	if err != nil {
		return nil, err
	}
	public, err := parseElement(s.terms.Holders[holder-1].k.raw)
	if err != nil {
		return nil, ErrKey
	}
	v := dleq.Verifier{Params: dleq.Params{G: group.Ristretto255, H: oprf.SuiteRistretto255.Hash(), DST: []byte(contextString)}}
	if !v.VerifyBatchRFC9497(public, []group.Element{blinded}, []group.Element{element}, proof) {
		return nil, ErrProof
	}
	return element.Mul(element, factor.Inv(factor)), nil
}
