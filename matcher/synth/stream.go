package synth

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// digest hashes everything that tells one random purpose from another:
//
//	SHA-256( "tamga/v1/synth" %x00 purpose %x00 jurisdiction %x00 seed *number )
//
// with seed and numbers as eight octets, big-endian. Purposes are constants of this package without
// a zero octet, and how many numbers follow depends on the purpose alone; a jurisdiction with a zero
// octet only makes an odd population.
func digest(seed uint64, jurisdiction, purpose string, index uint64, more ...uint64) [32]byte {
	b := make([]byte, 0, 96)
	b = append(b, "tamga/v1/synth\x00"...)
	b = append(b, purpose...)
	b = append(b, 0)
	b = append(b, jurisdiction...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, seed)
	b = binary.BigEndian.AppendUint64(b, index)
	for _, m := range more {
		b = binary.BigEndian.AppendUint64(b, m)
	}
	return sha256.Sum256(b)
}

// stream is a source of integers. It draws only whole words from ChaCha8, whose output C2SP
// specifies (chacha8rand), and shapes them here, because the methods of rand.Rand may shape them
// differently in another Go release.
type stream struct{ words *rand.ChaCha8 }

func newStream(seed uint64, jurisdiction, purpose string, index uint64, more ...uint64) *stream {
	return &stream{rand.NewChaCha8(digest(seed, jurisdiction, purpose, index, more...))}
}

// below gives an integer of 0 to n-1, even but for one part in 2^64/n.
func (s *stream) below(n int) int {
	return int(s.below64(uint64(n)))
}

func (s *stream) below64(n uint64) uint64 {
	hi, _ := bits.Mul64(s.words.Uint64(), n)
	return hi
}

// between gives an integer of lo to hi, both included.
func (s *stream) between(lo, hi int) int { return lo + s.below(hi-lo+1) }

// chance is true in percent of 100 cases.
func (s *stream) chance(percent int) bool { return s.below(100) < percent }

// normalUnit is the standard deviation of normal: sqrt(8 * (256^2 - 1) / 12), rounded.
const normalUnit = 209

// normal gives an integer of mean 0 and standard deviation normalUnit: eight octets summed, close
// to normal up to four deviations and never beyond five.
func (s *stream) normal() int {
	w := s.words.Uint64()
	sum := 0
	for range 8 {
		sum += int(w & 0xff)
		w >>= 8
	}
	return sum - 8*255/2
}

// spread gives an integer of mean 0 and the given standard deviation.
func (s *stream) spread(deviation int) int { return s.normal() * deviation / normalUnit }

// permutation maps 0..n-1 onto itself: x -> (a*x + b) mod n with a prime to n. It hides order from
// the eye and keeps numbers unique; it is no cipher.
type permutation struct{ a, b, n uint64 }

func newPermutation(s *stream, n uint64) permutation {
	p := permutation{a: 1, b: s.below64(n), n: n}
	for {
		p.a = s.below64(n)
		if gcd(p.a, n) == 1 {
			return p
		}
	}
}

func (p permutation) at(x uint64) uint64 {
	hi, lo := bits.Mul64(p.a, x)
	lo, carry := bits.Add64(lo, p.b, 0)
	_, rem := bits.Div64(hi+carry, lo, p.n)
	return rem
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
