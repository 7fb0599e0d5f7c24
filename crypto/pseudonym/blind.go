package pseudonym

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
)

// PublicKey is what the answers of a [Key] are verified against. It is
// immutable, safe for concurrent use and may be copied. The zero value is no
// key.
type PublicKey struct{ k *publicKey }

type publicKey struct {
	oprf *oprf.PublicKey
	raw  []byte
}

// ParsePublicKey decodes the 32 bytes of a public key, one ristretto255
// element in its canonical encoding (RFC 9496 section 4.3.1), not the
// identity; else it returns [ErrKey].
func ParsePublicKey(b []byte) (PublicKey, error) {
	if _, err := parseElement(b); err != nil {
		return PublicKey{}, fmt.Errorf("parsing pseudonym public key: %w", ErrKey)
	}
	pub := new(oprf.PublicKey)
	if err := pub.UnmarshalBinary(oprf.SuiteRistretto255, b); err != nil {
		return PublicKey{}, fmt.Errorf("parsing pseudonym public key: %w", ErrKey)
	}
	return PublicKey{&publicKey{pub, bytes.Clone(b)}}, nil
}

// Bytes returns a copy of the encoded key, nil for the zero value.
func (p PublicKey) Bytes() []byte {
	if p.k == nil {
		return nil
	}
	return bytes.Clone(p.k.raw)
}

// IsZero reports whether p is the zero value.
func (p PublicKey) IsZero() bool { return p.k == nil }

// Equal reports whether both are the same key, or both zero.
func (p PublicKey) Equal(o PublicKey) bool { return bytes.Equal(p.Bytes(), o.Bytes()) }

// Blinding is the asking side's state between [Blind] and
// [Blinding.Finalize]. It holds the identifier, is not comparable, prints as
// a redaction mark, and serves one answer; the zero value serves none.
type Blinding struct {
	open func() *blindingSecret
}

type blindingSecret struct {
	client oprf.VerifiableClient
	data   *oprf.FinalizeData
}

// Blind normalises id and hides it behind a fresh random factor. The request,
// [RequestSize] bytes, reveals nothing about id and goes to the holder of the
// key behind to. It returns [ErrIdentifier] or [ErrKey].
func Blind(to PublicKey, id Identifier) (Blinding, []byte, error) {
	id, err := id.Normalize()
	if err != nil {
		return Blinding{}, nil, fmt.Errorf("blinding identifier: %w", err)
	}
	return blind(to, id.Canonical(), group.Ristretto255.RandomNonZeroScalar(nil))
}

func blind(to PublicKey, input []byte, factor group.Scalar) (Blinding, []byte, error) {
	if to.IsZero() {
		return Blinding{}, nil, fmt.Errorf("blinding identifier: %w", ErrKey)
	}
	client := oprf.NewVerifiableClient(oprf.SuiteRistretto255, to.k.oprf)
	data, req, err := client.DeterministicBlind([][]byte{input}, []oprf.Blind{factor})
	if err != nil {
		return Blinding{}, nil, fmt.Errorf("blinding identifier: %w", ErrElement)
	}
	request, err := req.Elements[0].MarshalBinaryCompress()
	if err != nil {
		return Blinding{}, nil, fmt.Errorf("blinding identifier: %w", ErrElement)
	}
	s := &blindingSecret{client, data}
	return Blinding{func() *blindingSecret { return s }}, request, nil
}

// Evaluate answers a request:
//
//	response = element (32) || proof c (32) || proof s (32)
//
// The proof shows that the key of [Key.Public] was used. It returns
// [ErrElement] for a malformed request and [ErrKey] on the zero key and a shared one. Whoever
// may call it without limit can test guesses, so callers limit the rate.
func (k Key) Evaluate(request []byte) ([]byte, error) {
	if k.IsZero() || k.open().shared != nil {
		return nil, fmt.Errorf("evaluating request: %w", ErrKey)
	}
	element, err := parseElement(request)
	if err != nil {
		return nil, fmt.Errorf("evaluating request: %w", err)
	}
	ev, err := k.open().server.Evaluate(&oprf.EvaluationRequest{Elements: []oprf.Blinded{element}})
	if err != nil {
		return nil, fmt.Errorf("evaluating request: %w", ErrElement)
	}
	out, err := ev.Elements[0].MarshalBinaryCompress()
	if err != nil {
		return nil, fmt.Errorf("evaluating request: %w", ErrElement)
	}
	proof, err := ev.Proof.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("evaluating request: %w", ErrElement)
	}
	return append(out, proof...), nil
}

// Finalize checks the response to this blinding's request and gives the
// element that [Key.Element] would. It returns [ErrElement] for malformed
// bytes and [ErrProof] when another key answered or the answer was altered.
func (b Blinding) Finalize(response []byte) (Element, error) {
	e, _, err := b.finalize(response)
	if err != nil {
		return Element{}, fmt.Errorf("finalizing pseudonym: %w", err)
	}
	return e, nil
}

// finalize gives the protocol's output beside the element.
func (b Blinding) finalize(response []byte) (Element, []byte, error) {
	if b.open == nil {
		return Element{}, nil, ErrElement
	}
	element, proof, err := parseResponse(response)
	if err != nil {
		return Element{}, nil, err
	}
	s := b.open()
	outs, err := s.client.Finalize(s.data, &oprf.Evaluation{Elements: []oprf.Evaluated{element}, Proof: proof})
	if err != nil {
		return Element{}, nil, ErrProof
	}
	factor := group.Ristretto255.NewScalar().Inv(s.data.CopyBlinds()[0])
	e, err := encodeElement(group.Ristretto255.NewElement().Mul(element, factor))
	return e, outs[0], err
}

// parseResponse decodes what [Key.Evaluate] answers.
func parseResponse(response []byte) (group.Element, *dleq.Proof, error) {
	if len(response) != ResponseSize {
		return nil, nil, ErrElement
	}
	element, err := parseElement(response[:RequestSize])
	if err != nil {
		return nil, nil, err
	}
	proof := new(dleq.Proof)
	if err := proof.UnmarshalBinary(group.Ristretto255, response[RequestSize:]); err != nil {
		return nil, nil, ErrElement
	}
	// Scalars have one encoding in RFC 9497 section 4.1; the library reduces.
	if again, err := proof.MarshalBinary(); err != nil || !bytes.Equal(again, response[RequestSize:]) {
		return nil, nil, ErrElement
	}
	return element, proof, nil
}

// parseElement decodes one group element: 32 bytes, canonical, not the
// identity, which would make every output computable without the key.
func parseElement(b []byte) (group.Element, error) {
	if len(b) != RequestSize {
		return nil, ErrElement
	}
	e := group.Ristretto255.NewElement()
	if err := e.UnmarshalBinary(b); err != nil || e.IsIdentity() {
		return nil, ErrElement
	}
	// The library accepts some non-canonical encodings.
	if again, err := e.MarshalBinaryCompress(); err != nil || !bytes.Equal(again, b) {
		return nil, ErrElement
	}
	return e, nil
}

const redactedBlinding = "blinding(redacted)"

// LogValue implements [slog.LogValuer] without the state.
func (Blinding) LogValue() slog.Value { return slog.StringValue(redactedBlinding) }

// Format implements [fmt.Formatter] without the state, whatever the verb.
func (Blinding) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedBlinding) }
