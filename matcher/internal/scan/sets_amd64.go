package scan

import "golang.org/x/sys/cpu"

// Sets lists the sets that this processor can run, fastest first. The last is
// the one in pure Go.
func Sets() []*Set {
	var sets []*Set
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL &&
		cpu.X86.HasAVX512VNNI && cpu.X86.HasAVX512VPOPCNTDQ && cpu.X86.HasAVX2 {
		sets = append(sets, &Set{
			Name: "avx512", dots1: dots1AVX512, dots4: dots4AVX512, above: aboveAVX2,
			iris: irisAVX512, irisAll: irisMaskedAVX512, local: localAVX512,
		})
	}
	if cpu.X86.HasAVX2 {
		sets = append(sets, &Set{
			Name: "avx2", dots1: dots1AVX2, dots4: dots4AVX2, above: aboveAVX2,
			iris: irisAVX2, irisAll: irisMaskedAVX2, local: localAVX2,
		})
	}
	return append(sets, &generic)
}

// Rows are taken four at a time: n is a multiple of Tile in the loops over
// vectors, and of 32 in aboveAVX2.

//go:noescape
func dots1AVX2(out *int32, rows *byte, n, stride int, q *Vector)

//go:noescape
func dots4AVX2(out *int32, rows *byte, n, stride int, q *[Queries]Vector)

//go:noescape
func aboveAVX2(dots *int32, norms *float32, n int, limit float32) int

//go:noescape
func irisAVX2(out *uint16, rows *byte, n int, p *Probe)

//go:noescape
func irisMaskedAVX2(out *Rotations, rows *byte, n int, p *Probe)

//go:noescape
func dots1AVX512(out *int32, rows *byte, n, stride int, q *Vector)

//go:noescape
func dots4AVX512(out *int32, rows *byte, n, stride int, q *[Queries]Vector)

//go:noescape
func irisAVX512(out *uint16, rows *byte, n int, p *Probe)

//go:noescape
func irisMaskedAVX512(out *Rotations, rows *byte, n int, p *Probe)

//go:noescape
func localAVX2(probe *uint64, np int, reference *uint64, n int) int

//go:noescape
func localAVX512(probe *uint64, np int, reference *uint64, n int) int
