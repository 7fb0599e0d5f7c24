// Package scan holds the inner loops of one-to-many search: dot products of
// quantised vectors, Hamming distances of iris codes, distances of minutia
// cylinders.
//
// Every loop exists in pure Go and, where it pays, in assembly; [Best] chooses
// one set by what the processor can do, and [Sets] lists all that can run here,
// so that tests hold them against each other. All sets give the same results
// bit for bit: what is counted are integers, and the one multiplication in
// floating point ([Set.Above]) is a single correctly rounded operation. Best
// sees to that itself before it chooses one (check.go), for the set for AVX-512
// (VNNI, VPOPCNTDQ) was written without a processor at hand that has these
// instructions.
//
// Callers own all memory. The loops check no bounds in assembly: their Go
// wrappers do, and panic on a caller's mistake as an index expression would.
// Nothing here allocates, keeps or prints what it is given.
//
// M. Mula, N. Kurz, D. Lemire, "Faster Population Counts Using AVX2
// Instructions", The Computer Journal 61(1), 2018, describes the nibble table
// by which AVX2 counts bits.
package scan

// Lanes is the number of bytes to which rows are padded: one AVX-512 register.
const Lanes = 64

// Tile is the number of rows that loops take at once: row counts are multiples of it.
const Tile = 4

// Queries is the number of vectors that one pass over memory compares with.
const Queries = 4

// Vector is a query in the forms that the loops want. Both slices have the
// length of a row; Bias is 128 times the sum of the values, by which the dot
// product with values stored as v+128 is too large.
type Vector struct {
	Narrow []int8
	Wide   []int16
	Bias   int32
}

// Set is one implementation of the loops.
type Set struct {
	// Name says which instructions the set uses.
	Name string

	dots1   func(out *int32, rows *byte, n, stride int, q *Vector)
	dots4   func(out *int32, rows *byte, n, stride int, q *[Queries]Vector)
	above   func(dots *int32, norms *float32, n int, limit float32) int
	iris    func(out *uint16, rows *byte, n int, p *Probe)
	irisAll func(out *Rotations, rows *byte, n int, p *Probe)
	local   func(probe *uint64, np int, reference *uint64, n int) int
}

// Dots sets out[i] to the dot product of q and row i of rows, which holds
// values as v+128. The rows are len(out), a multiple of [Tile].
func (s *Set) Dots(out []int32, rows []byte, q *Vector) {
	stride := len(q.Narrow)
	if len(out) == 0 {
		return
	}
	if stride == 0 || stride%Lanes != 0 || len(q.Wide) != stride || len(out)%Tile != 0 {
		panic("scan: vector or row count is not padded")
	}
	_ = rows[len(out)*stride-1]
	s.dots1(&out[0], &rows[0], len(out), stride, q)
}

// DotsBatch does the work of Dots for several vectors of one length in one
// pass over the rows: out holds the products of the first vector with all n
// rows, then those of the second.
func (s *Set) DotsBatch(out []int32, rows []byte, n int, q *[Queries]Vector) {
	stride := len(q[0].Narrow)
	if n == 0 {
		return
	}
	if n < 0 || stride == 0 || stride%Lanes != 0 || n%Tile != 0 {
		panic("scan: vector or row count is not padded")
	}
	for i := range q {
		if len(q[i].Narrow) != stride || len(q[i].Wide) != stride {
			panic("scan: vectors of different lengths")
		}
	}
	_, _ = rows[n*stride-1], out[Queries*n-1]
	s.dots4(&out[0], &rows[0], n, stride, q)
}

// Above returns the first index at or after from at which float32(dots[i])
// times norms[i] is at least limit, or len(dots) when there is none. A norm
// that is not a number never qualifies.
func (s *Set) Above(dots []int32, norms []float32, from int, limit float32) int {
	norms = norms[:len(dots)]
	if whole := (len(dots) - from) &^ 31; whole > 0 {
		if i := s.above(&dots[from], &norms[from], whole, limit); i < whole {
			return from + i
		}
		from += whole
	}
	for i := from; i < len(dots); i++ {
		if float32(dots[i])*norms[i] >= limit {
			return i
		}
	}
	return len(dots)
}

// generic is the set in pure Go, which is also the definition of the others.
var generic = Set{
	Name: "go", dots1: dots1, dots4: dots4, above: above, iris: irisCodes, irisAll: irisMasked, local: local,
}
