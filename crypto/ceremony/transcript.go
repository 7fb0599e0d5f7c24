package ceremony

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/zk/dl"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
)

const (
	formatRecord          = "tamga-ceremony-record-1"
	formatTranscript      = "tamga-ceremony-transcript-1"
	formatAcknowledgement = "tamga-ceremony-acknowledgement-1"
	typTranscript         = "tamga-ceremony+jwt"
	labelAcknowledgement  = "tamga/v1/ceremony-acknowledgement"
)

// record is what the node signs: the plan, and what was dealt after it.
type record struct {
	Format      string   `json:"format"`
	Plan        Plan     `json:"plan"`
	Commitments [][]byte `json:"commitments"`
	Sealed      [][]byte `json:"sealed_sha256"` // Of the files, in the plan's order.
}

func newRecord(p Plan, c custody.Custodians, sealed [][]byte) record {
	r := record{Format: formatRecord, Plan: p, Commitments: c.Commitments}
	for _, f := range sealed {
		sum := sha256.Sum256(f)
		r.Sealed = append(r.Sealed, sum[:])
	}
	return r
}

func (r record) terms() custody.Custodians {
	return custody.Custodians{Ceremony: [custody.CeremonySize]byte(r.Plan.Ceremony), Threshold: r.Plan.Threshold,
		Shares: len(r.Plan.Custodians), Commitments: r.Commitments}
}

func (r record) validate() error {
	if r.Format != formatRecord || len(r.Sealed) != len(r.Plan.Custodians) || len(r.Commitments) != r.Plan.Threshold {
		return ErrFormat
	}
	for _, d := range r.Sealed {
		if len(d) != sha256.Size {
			return ErrFormat
		}
	}
	if err := r.Plan.validate(); err != nil {
		return err
	}
	_, err := elements(r.Commitments)
	return err
}

// Transcript is the account of a ceremony: what was dealt, signed by the node,
// and who of the custodians holds his share. It holds no secret.
type Transcript struct {
	Format           string            `json:"format"`
	Signed           string            `json:"signed"` // JWS of the record, typ "tamga-ceremony+jwt".
	Acknowledgements []Acknowledgement `json:"acknowledgements"`
}

// Acknowledgement proves that a custodian knows the share that the transcript
// commits to. Proof is V || R of RFC 8235.
type Acknowledgement struct {
	Format   string `json:"format"`
	Ceremony []byte `json:"ceremony"`
	Index    int    `json:"index"`
	Proof    []byte `json:"proof"`
}

// Transcript signs what was dealt with the node's key.
func (d Dealt) Transcript(key jose.PrivateKey) (Transcript, error) {
	payload, err := json.Marshal(d.record)
	if err != nil {
		return Transcript{}, fmt.Errorf("signing transcript: %w", err)
	}
	signed, err := jose.Sign(key, typTranscript, payload)
	if err != nil {
		return Transcript{}, fmt.Errorf("signing transcript: %w", err)
	}
	return Transcript{Format: formatTranscript, Signed: signed, Acknowledgements: []Acknowledgement{}}, nil
}

// ParseTranscript reads what [Transcript.Encode] wrote. Nothing in it is
// verified yet.
func ParseTranscript(data []byte) (Transcript, error) {
	var t Transcript
	if err := decode(data, &t); err != nil {
		return Transcript{}, fmt.Errorf("reading transcript: %w", err)
	}
	if t.Format != formatTranscript || t.Acknowledgements == nil || len(t.Acknowledgements) > custody.MaxShares {
		return Transcript{}, fmt.Errorf("reading transcript: %w", ErrFormat)
	}
	return t, nil
}

// Encode returns the transcript as a file.
func (t Transcript) Encode() []byte { return encode(t) }

// Verified is a transcript whose signature and acknowledgements were checked.
type Verified struct {
	Plan   Plan
	Terms  custody.Custodians
	Acked  []string // Custodians who proved that they hold their share, in the plan's order.
	record record
	digest [sha256.Size]byte
}

// Complete reports whether every custodian has acknowledged.
func (v Verified) Complete() bool { return len(v.Acked) == len(v.Plan.Custodians) }

// Missing returns the custodians who have not acknowledged.
func (v Verified) Missing() []string {
	var out []string
	for _, c := range v.Plan.Custodians {
		if !slices.Contains(v.Acked, c.Name) {
			out = append(out, c.Name)
		}
	}
	return out
}

// Verify checks the node's signature and every acknowledgement. Whatever does
// not hold is [ErrTranscript].
func (t Transcript) Verify(keys jose.KeySet) (Verified, error) {
	payload, err := jose.Verify(t.Signed, typTranscript, keys)
	if err != nil {
		return Verified{}, fmt.Errorf("verifying transcript: signature: %w", ErrTranscript)
	}
	var r record
	if err := jose.DecodeClaims(payload, &r); err != nil {
		return Verified{}, fmt.Errorf("verifying transcript: record: %w", ErrTranscript)
	}
	if err := r.validate(); err != nil {
		return Verified{}, fmt.Errorf("verifying transcript: record: %w", ErrTranscript)
	}
	v := Verified{Plan: r.Plan, Terms: r.terms(), record: r, digest: sha256.Sum256([]byte(t.Signed))}
	acked := make(map[int]bool)
	for i, a := range t.Acknowledgements {
		if err := v.accept(a); err != nil || acked[a.Index] {
			return Verified{}, fmt.Errorf("verifying transcript: acknowledgement %d: %w", i+1, ErrTranscript)
		}
		acked[a.Index] = true
	}
	for i, c := range r.Plan.Custodians {
		if acked[i+1] {
			v.Acked = append(v.Acked, c.Name)
		}
	}
	return v, nil
}

// Add takes one more acknowledgement. [ErrForeign] when it is of another
// ceremony, [ErrShare] when its proof does not hold, [ErrRepeated] when that
// custodian has acknowledged.
func (t *Transcript) Add(v Verified, a Acknowledgement) error {
	if err := v.accept(a); err != nil {
		return fmt.Errorf("adding acknowledgement: %w", err)
	}
	for _, have := range t.Acknowledgements {
		if have.Index == a.Index {
			return fmt.Errorf("adding acknowledgement: %w", ErrRepeated)
		}
	}
	t.Acknowledgements = append(t.Acknowledgements, a)
	slices.SortFunc(t.Acknowledgements, func(x, y Acknowledgement) int { return x.Index - y.Index })
	return nil
}

// context binds an acknowledgement to all that was signed.
func (v Verified) context() []byte {
	return append([]byte(labelAcknowledgement+"\x00"), v.digest[:]...)
}

// point is the public point of share index: what its value times the generator
// must be, computed from the commitments.
func (v Verified) point(index int) (group.Element, error) {
	commitments, err := elements(v.Terms.Commitments)
	if err != nil {
		return nil, err
	}
	id := sharing().NewScalar().SetUint64(uint64(index))
	sum := sharing().Identity()
	for _, c := range slices.Backward(commitments) {
		sum.Mul(sum, id)
		sum.Add(sum, c)
	}
	return sum, nil
}

func (v Verified) accept(a Acknowledgement) error {
	if !bytes.Equal(a.Ceremony, v.Plan.Ceremony) {
		return ErrForeign
	}
	if a.Format != formatAcknowledgement || a.Index < 1 || a.Index > len(v.Plan.Custodians) || len(a.Proof) != 64 {
		return ErrFormat
	}
	kG, err := v.point(a.Index)
	if err != nil {
		return err
	}
	p := dl.Proof{V: sharing().NewElement(), R: sharing().NewScalar()}
	if p.V.UnmarshalBinary(a.Proof[:32]) != nil || p.R.UnmarshalBinary(a.Proof[32:]) != nil {
		return ErrFormat
	}
	if !dl.Verify(sharing(), sharing().Generator(), kG, p, []byte(v.Plan.Custodians[a.Index-1].Name), v.context()) {
		return ErrShare
	}
	return nil
}

// Acknowledge checks a custodian's share, and the sealed file it came in,
// against the transcript and proves that he holds it. [ErrForeign] when they are
// of another ceremony, [ErrShare] when they are not what was dealt.
func (v Verified) Acknowledge(sealed []byte, s Share) (Acknowledgement, error) {
	share, err := s.check(v.Terms)
	if err != nil {
		return Acknowledgement{}, fmt.Errorf("acknowledging share: %w", err)
	}
	sum := sha256.Sum256(sealed)
	if !bytes.Equal(sum[:], v.record.Sealed[s.Index()-1]) || s.Custodian() != v.Plan.Custodians[s.Index()-1].Name || s.Entity() != v.Plan.Entity {
		return Acknowledgement{}, fmt.Errorf("acknowledging share: file or name: %w", ErrShare)
	}
	kG, err := v.point(s.Index())
	if err != nil {
		return Acknowledgement{}, fmt.Errorf("acknowledging share: %w", err)
	}
	p := dl.Prove(sharing(), sharing().Generator(), kG, share.Value, []byte(s.Custodian()), v.context(), rand.Reader)
	vb, err := p.V.MarshalBinaryCompress()
	if err != nil {
		return Acknowledgement{}, fmt.Errorf("acknowledging share: %w", err)
	}
	rb, err := p.R.MarshalBinary()
	if err != nil {
		return Acknowledgement{}, fmt.Errorf("acknowledging share: %w", err)
	}
	return Acknowledgement{Format: formatAcknowledgement, Ceremony: v.Plan.Ceremony, Index: s.Index(), Proof: append(vb, rb...)}, nil
}

// ParseAcknowledgement reads what [Acknowledgement.Encode] wrote.
func ParseAcknowledgement(data []byte) (Acknowledgement, error) {
	var a Acknowledgement
	if err := decode(data, &a); err != nil {
		return Acknowledgement{}, fmt.Errorf("reading acknowledgement: %w", err)
	}
	return a, nil
}

// Encode returns the acknowledgement as a file.
func (a Acknowledgement) Encode() []byte { return encode(a) }

// ID is how people compare a ceremony's id: hexadecimal digits in groups of four.
func ID(ceremony [custody.CeremonySize]byte) string {
	digits := hex.EncodeToString(ceremony[:])
	var groups []string
	for part := range slices.Chunk([]byte(digits), 4) {
		groups = append(groups, string(part))
	}
	return strings.Join(groups, "-")
}
