package wsq_test

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// A small encoder after the same clauses, for want of a foreign file. It shares nothing with the
// decoder: subbands are found by their path of low (L) and high (H) filters, not by place.

// The analysis filters of FBI encoder number one (part 3, table 1), right halves.
var (
	lowTaps  = []float64{0.85269867900940, 0.37740285561265, -0.11062440441842, -0.023849465019380, 0.037828455506995}
	highTaps = []float64{0.78848561640566, -0.41809227322221, -0.040689417609558, 0.064538882628938}
)

type grid [][]float64 // rows

// analyse filters and halves a line: low bands keep even places, high ones odd.
func analyse(v []float64, letter byte) []float64 {
	taps, start := lowTaps, 0
	if letter == 'H' {
		taps, start = highTaps, 1
	}
	at := func(i int) float64 {
		for i < 0 || i >= len(v) {
			if i < 0 {
				i = -i
			}
			if i >= len(v) {
				i = 2*(len(v)-1) - i
			}
		}
		return v[i]
	}
	var out []float64
	for i := start; i < len(v); i += 2 {
		sum := taps[0] * v[i]
		for d := 1; d < len(taps); d++ {
			sum += taps[d] * (at(i-d) + at(i+d))
		}
		out = append(out, sum)
	}
	return out
}

func transpose(g grid) grid {
	out := make(grid, len(g[0]))
	for x := range out {
		for y := range g {
			out[x] = append(out[x], g[y][x])
		}
	}
	return out
}

func along(g grid, letter byte) grid {
	out := make(grid, len(g))
	for y := range g {
		out[y] = analyse(g[y], letter)
	}
	return out
}

// path extends a path by the half that comes first (0) or second (1) in order of frequency:
// after an odd number of high filters the spectrum is reversed.
func path(p string, half int) string {
	if (half == 1) != (strings.Count(p, "H")%2 == 1) {
		return p + "H"
	}
	return p + "L"
}

// plan lists the x and y paths of the 60 coded subbands in the order of figure A.2.
func plan() (out [][2]string) {
	sixteen := func(x, y string) (out [][2]string) {
		for i := range 16 {
			out = append(out, [2]string{path(path(x, i>>2&1), i&1), path(path(y, i>>3&1), i>>1&1)})
		}
		return out
	}
	deep := [][2]string{{"LLLLL", "LLLLL"}, {"LLLLH", "LLLLL"}, {"LLLLL", "LLLLH"}, {"LLLLH", "LLLLH"}}
	out = append(out, deep...)
	out = append(out, sixteen("LL", "LL")[1:]...)
	out = append(out, sixteen("LH", "LL")...)
	out = append(out, sixteen("LL", "LH")...)
	out = append(out, sixteen("", "")[3:12]...)
	return out
}

// quantise is clause A.3.1.
func quantise(v, q float64) int {
	z := 1.2 * q
	switch {
	case v > z/2:
		return int(math.Floor((v-z/2)/q)) + 1
	case v < -z/2:
		return int(math.Ceil((v+z/2)/q)) - 1
	}
	return 0
}

// symbol is one entry of table A.5 with its extra bits.
type symbol struct {
	code  byte
	extra int
	width int
}

func symbols(values []int) (out []symbol) {
	run := 0
	flush := func() {
		for ; run > 0; run -= min(run, 65535) {
			switch n := min(run, 65535); {
			case n <= 100:
				out = append(out, symbol{code: byte(n)})
			case n <= 255:
				out = append(out, symbol{105, n, 8})
			default:
				out = append(out, symbol{106, n, 16})
			}
		}
	}
	for _, v := range values {
		if v == 0 {
			run++
			continue
		}
		flush()
		size := max(v, -v)
		switch {
		case v >= -73 && v <= 74:
			out = append(out, symbol{code: byte(v + 180)})
		case v > 0 && size < 256:
			out = append(out, symbol{101, size, 8})
		case size < 256:
			out = append(out, symbol{102, size, 8})
		case v > 0:
			out = append(out, symbol{103, size, 16})
		default:
			out = append(out, symbol{104, size, 16})
		}
	}
	flush()
	return out
}

// table gives every symbol a code: two of 2 bits, fourteen of 6, the rest of 11.
func table(list []symbol) (counts [16]byte, order []byte) {
	frequency := map[byte]int{}
	for _, s := range list {
		frequency[s.code]++
	}
	for c := 1; c < 255; c++ {
		if c != 180 {
			order = append(order, byte(c))
		}
	}
	slices.SortStableFunc(order, func(a, b byte) int { return frequency[b] - frequency[a] })
	counts[1], counts[5], counts[10] = 2, 14, byte(len(order)-16)
	return counts, order
}

type bitWriter struct {
	out []byte
	acc uint64
	n   int
}

func (w *bitWriter) put(v, n int) {
	for n--; n >= 0; n-- {
		w.acc = w.acc<<1 | uint64(v>>n&1)
		if w.n++; w.n == 8 {
			w.out = append(w.out, byte(w.acc))
			if byte(w.acc) == 0xff {
				w.out = append(w.out, 0)
			}
			w.acc, w.n = 0, 0
		}
	}
}

// entropy codes one block.
func entropy(list []symbol, counts [16]byte, order []byte) []byte {
	codes, lengths := map[byte]int{}, map[byte]int{}
	code, k := 0, 0
	for n, count := range counts {
		for range count {
			codes[order[k]], lengths[order[k]] = code, n+1
			code, k = code+1, k+1
		}
		code <<= 1
	}
	w := &bitWriter{}
	for _, s := range list {
		w.put(codes[s.code], lengths[s.code])
		w.put(s.extra, s.width)
	}
	for w.n != 0 {
		w.put(1, 1)
	}
	return w.out
}

func segment(out []byte, marker uint16, body []byte) []byte {
	out = binary.BigEndian.AppendUint16(out, marker)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(out, body...)
}

// encode compresses with bins of width q, which must be below 100.
func encode(pix []uint8, width, height int, q float64) []byte {
	g := make(grid, height)
	mean := 0.0
	for _, v := range pix {
		mean += float64(v) / float64(len(pix))
	}
	mean = math.Round(mean*100) / 100
	const scale = 1.0
	for y := range g {
		for x := range width {
			g[y] = append(g[y], (float64(pix[y*width+x])-mean)/scale)
		}
	}
	bins := make([]float64, 64)
	var blocks [3][]int
	for k, p := range plan() {
		bins[k] = q
		band := g
		for i := range p[0] {
			band = transpose(along(transpose(along(band, p[0][i])), p[1][i]))
		}
		b := 0
		if k >= 19 {
			b++
		}
		if k >= 52 {
			b++
		}
		for _, row := range band {
			for _, v := range row {
				blocks[b] = append(blocks[b], quantise(v, q))
			}
		}
	}
	out := []byte{0xff, 0xa0}
	out = segment(out, 0xffa8, []byte("NIST_COM 3\nPPI 500\nLOSSY 1\n"))
	out = segment(out, 0xffa4, transforms())
	out = segment(out, 0xffa5, quantisation(bins))
	frame := []byte{0, 255}
	frame = binary.BigEndian.AppendUint16(frame, uint16(height))
	frame = binary.BigEndian.AppendUint16(frame, uint16(width))
	frame = append(frame, 2)
	frame = binary.BigEndian.AppendUint16(frame, uint16(math.Round(mean*100)))
	frame = append(frame, 4)
	frame = binary.BigEndian.AppendUint16(frame, 10000)
	out = segment(out, 0xffa2, append(frame, 0, 0, 0))
	for b, values := range blocks {
		list := symbols(values)
		counts, order := table(list)
		out = segment(out, 0xffa6, append(append([]byte{byte(b)}, counts[:]...), order...))
		out = segment(out, 0xffa3, []byte{byte(b)})
		out = append(out, entropy(list, counts, order)...)
	}
	return append(out, 0xff, 0xa1)
}

func transforms() []byte {
	out := []byte{9, 7}
	for _, taps := range [][]float64{lowTaps, highTaps} {
		for _, v := range taps {
			sign := byte(0)
			if v < 0 {
				sign = 1
			}
			out = append(out, sign, 9)
			out = binary.BigEndian.AppendUint32(out, uint32(math.Round(math.Abs(v)*1e9)))
		}
	}
	return out
}

func quantisation(bins []float64) []byte {
	out := []byte{2}
	out = binary.BigEndian.AppendUint16(out, 44)
	for _, q := range bins {
		out = append(out, 2)
		out = binary.BigEndian.AppendUint16(out, uint16(math.Round(q*100)))
		out = append(out, 2)
		out = binary.BigEndian.AppendUint16(out, uint16(math.Round(q*120)))
	}
	return out
}
