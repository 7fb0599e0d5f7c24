// Package resemblance tells that a sample is an earlier one again, or an earlier one that was
// changed a little, from marks that no sample can be made from.
//
// [New] with a key, then [Marker.Marks] of each record, and [Alike] of two marks.
//
// A record has a digest, and of what is in it:
//
//   - a face, an iris and a signature, as vectors, have 32 bands: keyed hashes of 4 octets, each over
//     64 signs of the vector after a random rotation that the key chooses (Charikar, "Similarity
//     estimation techniques from rounding algorithms", STOC 2002; rotations by Hadamard transforms
//     and random signs: Andoni, Indyk, Laarhoven, Razenshteyn and Schmidt, NIPS 2015), or of an iris
//     over 64 of its bits (Indyk and Motwani, STOC 1998). Vectors at an angle of a have a band in
//     common with the chance (1 - a/180°)^64, and are alike with two, signatures with twelve;
//   - a finger, as a set of minutiae in the cells of two grids that the key lays through the image, and
//     once more through their middle, has the lowest bits of the 128 smallest of keyed hashes (Broder,
//     "On the resemblance and containment of documents", 1997; of one bit: Li and König, WWW 2010). Sets
//     that have a part of j of their union in common agree in (1 + j)/2 of the bits, and are alike with 96.
//
// Noise on every number of a face, point of a signature or minutia of a finger, some bits of an
// iris, and some minutiae that were moved, added or left out are told; so is a record in which
// nothing but what is around the sample differs. A finger that was turned, or a sample that was
// changed about as much as another capture differs, is not. How much is told is measured by the
// package's tests.
//
// Invariants: without the key a mark says nothing; with it, whether a sample that one has is like
// the marked one. A band does not say how near a guess came: the signs behind it, 64, have to be
// guessed at once, and of a finger fewer bits are kept than the places of its minutiae have. A mark is of one modality and, of faces, one model; marks of different ones are
// never alike. The package keeps nothing.
package resemblance

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"math/rand/v2"
)

// Marker makes marks. It is immutable and safe for concurrent use.
type Marker struct{ key [32]byte }

// New gives the Marker of a key. Marks of different keys are never alike.
func New(key [32]byte) *Marker { return &Marker{key} }

// Mark is what is kept of a record, or of a sample in it. Its first octet is its kind.
type Mark []byte

// LogValue is a constant.
func (Mark) LogValue() slog.Value { return slog.StringValue("mark(redacted)") }

// Format prints a constant whatever the verb.
func (Mark) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "mark(redacted)") }

const (
	ofRecord byte = iota + 1 // digest (16)
	ofVector                 // bands * bandSize
	ofPath                   // likewise
	ofSet                    // slots / 8
)

const (
	digestSize = 16
	bands      = 32
	bandBits   = 64
	bandSize   = 4
	slots      = 128
)

// How many bands or slots two samples that are alike have in common. See TestSecondCaptures for
// what that lets through and refuses.
const (
	commonBands     = 2
	commonPathBands = 12 // people sign more alike than cameras see their faces
	commonSlots     = 96
)

// Alike reports whether two marks are of the same record, or of samples that are nearly the same.
// What is no mark is like nothing.
func Alike(a, b Mark) bool {
	if len(a) != len(b) || len(a) == 0 || a[0] != b[0] {
		return false
	}
	switch {
	case a[0] == ofRecord && len(a) == 1+digestSize:
		return bytes.Equal(a, b)
	case a[0] == ofVector && len(a) == 1+bands*bandSize:
		return common(a[1:], b[1:]) >= commonBands
	case a[0] == ofPath && len(a) == 1+bands*bandSize:
		return common(a[1:], b[1:]) >= commonPathBands
	case a[0] == ofSet && len(a) == 1+slots/8:
		differ := 0
		for i := range a {
			differ += bits.OnesCount8(a[i] ^ b[i])
		}
		return slots-differ >= commonSlots
	}
	return false
}

// common is how many bands are the same.
func common(a, b []byte) (n int) {
	for i := 0; i+bandSize <= len(a); i += bandSize {
		if bytes.Equal(a[i:i+bandSize], b[i:i+bandSize]) {
			n++
		}
	}
	return n
}

// sum is a keyed hash of parts, of which all but the last have a fixed length or end in a zero.
func (m *Marker) sum(label string, parts ...[]byte) [32]byte {
	mac := hmac.New(sha256.New, m.key[:])
	mac.Write([]byte("tamga/v1/resemblance/" + label + "\x00"))
	for _, p := range parts {
		mac.Write(p)
	}
	return [32]byte(mac.Sum(nil))
}

// stream is random numbers that the key chooses for a label.
func (m *Marker) stream(label string) *rand.ChaCha8 {
	return rand.NewChaCha8(m.sum("stream", []byte(label)))
}

func (m *Marker) record(record []byte) Mark {
	sum := m.sum("record", record)
	return append(Mark{ofRecord}, sum[:digestSize]...)
}

// banded is the mark of 64 bits for each band.
func (m *Marker) banded(of byte, kind string, signs *[bands]uint64) Mark {
	out := Mark{of}
	for i, b := range signs {
		var text [9]byte
		text[0] = byte(i)
		binary.BigEndian.PutUint64(text[1:], b)
		sum := m.sum("band", []byte(kind+"\x00"), text[:])
		out = append(out, sum[:bandSize]...)
	}
	return out
}

// set is the mark of a set, whose elements are numbers. They are used up.
func (m *Marker) set(kind string, elements []uint64) Mark {
	s := m.stream("set " + kind)
	out := make(Mark, 1+slots/8)
	out[0] = ofSet
	for i := range slots {
		a, b, least := s.Uint64()|1, s.Uint64(), ^uint64(0)
		for _, e := range elements {
			least = min(least, mix(e*a+b))
		}
		out[1+i/8] |= byte(least&1) << (i % 8)
	}
	clear(elements)
	return out
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// vector is the mark of a vector's direction. The vector is used up.
func (m *Marker) vector(of byte, kind string, v []float32) Mark {
	size := bandBits
	for size < len(v) {
		size *= 2
	}
	s := m.stream("rotation " + kind)
	turned := make([]float32, size)
	defer clear(turned)
	var signs [bands]uint64
	for done := 0; done < bands*bandBits; {
		clear(turned)
		copy(turned, v)
		for range 3 {
			for i := 0; i < size; i += 64 {
				flips := s.Uint64()
				for j := range turned[i : i+64] {
					if flips>>j&1 == 1 {
						turned[i+j] = -turned[i+j]
					}
				}
			}
			hadamard(turned)
		}
		for i := 0; i < size && done < bands*bandBits; i++ {
			if turned[i] > 0 {
				signs[done/bandBits] |= 1 << (done % bandBits)
			}
			done++
		}
	}
	clear(v)
	return m.banded(of, kind, &signs)
}

// hadamard is the Walsh-Hadamard transform of a vector whose length is a power of two.
func hadamard(v []float32) {
	for h := 1; h < len(v); h *= 2 {
		for i := 0; i < len(v); i += 2 * h {
			for j := i; j < i+h; j++ {
				v[j], v[j+h] = v[j]+v[j+h], v[j]-v[j+h]
			}
		}
	}
}

// sampled is the mark of a code's bits, of which the key chooses which.
func (m *Marker) sampled(kind string, code []byte) Mark {
	r := rand.New(m.stream("bits " + kind))
	var signs [bands]uint64
	for done := 0; done < bands*bandBits; {
		for _, at := range r.Perm(8 * len(code)) {
			if done == bands*bandBits {
				break
			}
			signs[done/bandBits] |= uint64(code[at/8]>>(at%8)&1) << (done % bandBits)
			done++
		}
	}
	return m.banded(ofVector, kind, &signs)
}
