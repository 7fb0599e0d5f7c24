package protect

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math"
)

const streamKeySize = 32

// parts are the factors of Q = H(d) H(d-1) ... H(2) D: reflections H(k) = I - v v' in the last k
// coordinates, and the signs D. Applying them one by one takes as many multiplications as the matrix
// would, stays orthogonal to rounding in float64 and needs half the memory.
type parts struct {
	signs   []float64
	vectors []float64 // of length 2, 3, ..., d, each of squared norm 2
}

func (p *parts) wipe() {
	clear(p.signs)
	clear(p.vectors)
}

// draw takes Gaussian vectors from a keyed stream and makes reflections of them.
func draw(key []byte, dims int) *parts {
	g := newGaussian(key)
	defer g.wipe()
	p := &parts{signs: make([]float64, dims), vectors: make([]float64, dims*(dims+1)/2-1)}
	p.signs[dims-1] = math.Copysign(1, g.next())
	at := 0
	for k := 2; k <= dims; k++ {
		v := p.vectors[at : at+k]
		at += k
		var sum float64
		for i := range v {
			v[i] = g.next()
			sum += v[i] * v[i]
		}
		// Adding with the sign of the first value cancels nothing, and H(k) x = -sign |x| e: Mezzadri's
		// signs undo that, without which the result would not be uniform.
		norm, first := math.Sqrt(sum), v[0]
		v[0] += math.Copysign(norm, first)
		p.signs[dims-k] = -math.Copysign(1, first)
		length := math.Sqrt((sum - first*first + v[0]*v[0]) / 2)
		for i := range v {
			v[i] /= length
		}
	}
	return p
}

func (p *parts) forward(x []float64) {
	for i, s := range p.signs {
		x[i] *= s
	}
	at := 0
	for k := 2; k <= len(x); k++ {
		reflect(p.vectors[at:at+k], x[len(x)-k:])
		at += k
	}
}

func (p *parts) backward(x []float64) {
	at := len(p.vectors)
	for k := len(x); k >= 2; k-- {
		at -= k
		reflect(p.vectors[at:at+k], x[len(x)-k:])
	}
	for i, s := range p.signs {
		x[i] *= s
	}
}

// reflect subtracts v (v'x), in four lanes that hide the latency of the additions.
func reflect(v, x []float64) {
	x = x[:len(v)]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(v); i += 4 {
		s0 += v[i] * x[i]
		s1 += v[i+1] * x[i+1]
		s2 += v[i+2] * x[i+2]
		s3 += v[i+3] * x[i+3]
	}
	for ; i < len(v); i++ {
		s0 += v[i] * x[i]
	}
	s := (s0 + s1) + (s2 + s3)
	for i, c := range v {
		x[i] -= s * c
	}
}

// gaussian draws normal deviates by the polar method (G. Marsaglia, T. A. Bray, "A Convenient Method
// for Generating Normal Variables", SIAM Review 6(3), 1964) from AES-256 in counter mode.
type gaussian struct {
	stream cipher.Stream
	buf    [1024]byte
	left   []byte
	spare  float64
	full   bool
}

func newGaussian(key []byte) *gaussian {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("protect: " + err.Error()) // the key's length is ours
	}
	return &gaussian{stream: cipher.NewCTR(block, make([]byte, aes.BlockSize))}
}

func (g *gaussian) wipe() {
	clear(g.buf[:])
	g.left, g.spare, g.full = nil, 0, false
}

// uniform is in (-1, 1): 53 bits, symmetric around zero and never zero.
func (g *gaussian) uniform() float64 {
	if len(g.left) == 0 {
		clear(g.buf[:])
		g.stream.XORKeyStream(g.buf[:], g.buf[:])
		g.left = g.buf[:]
	}
	u := binary.LittleEndian.Uint64(g.left) >> 11
	g.left = g.left[8:]
	return float64(int64(2*u+1)-1<<53) / (1 << 53)
}

func (g *gaussian) next() float64 {
	if g.full {
		g.full = false
		return g.spare
	}
	for {
		a, b := g.uniform(), g.uniform()
		s := a*a + b*b
		if s >= 1 || s == 0 {
			continue
		}
		f := math.Sqrt(-2 * math.Log(s) / s)
		g.spare, g.full = b*f, true
		return a * f
	}
}
