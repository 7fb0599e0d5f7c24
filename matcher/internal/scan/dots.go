package scan

import "unsafe"

// dots1 and dots4 are the definition of the dot products. They sum in two
// lanes to hide the latency of the additions.

func dots1(out *int32, rows *byte, n, stride int, q *Vector) {
	o, r := unsafe.Slice(out, n), unsafe.Slice(rows, n*stride)
	for i := range o {
		o[i] = dot(q.Wide, r[i*stride:(i+1)*stride]) - q.Bias
	}
}

func dots4(out *int32, rows *byte, n, stride int, q *[Queries]Vector) {
	o, r := unsafe.Slice(out, Queries*n), unsafe.Slice(rows, n*stride)
	for i := range n {
		row := r[i*stride : (i+1)*stride]
		for k := range q {
			o[k*n+i] = dot(q[k].Wide, row) - q[k].Bias
		}
	}
}

// dot cannot overflow: 1024 products of at most 127*255.
func dot(q []int16, row []byte) int32 {
	var a, b int32
	q = q[:len(row)]
	for i := 0; i+2 <= len(row); i += 2 {
		a += int32(q[i]) * int32(row[i])
		b += int32(q[i+1]) * int32(row[i+1])
	}
	return a + b
}

// above is the definition of [Set.Above] over n values.
func above(dots *int32, norms *float32, n int, limit float32) int {
	d, f := unsafe.Slice(dots, n), unsafe.Slice(norms, n)
	for i := range d {
		if float32(d[i])*f[i] >= limit {
			return i
		}
	}
	return n
}
