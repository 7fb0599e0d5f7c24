package scan

import (
	"math/bits"
	"unsafe"
)

// local is the definition of [Set.Local].
func local(probe *uint64, np int, reference *uint64, n int) int {
	p := unsafe.Slice(probe, np*probeWords)
	r := unsafe.Slice(reference, (n+Group-1)/Group*groupWords)
	sum := 0
	for ; len(p) > 0; p = p[probeWords:] {
		top := never
		for i := range n {
			at := r[i/Group*groupWords+i%Group:][:Words*Group+1]
			differing := bits.OnesCount64(at[0]^p[0]) + bits.OnesCount64(at[Group]^p[1]) + bits.OnesCount64(at[2*Group]^p[2]) +
				bits.OnesCount64(at[3*Group]^p[3]) + bits.OnesCount64(at[4*Group]^p[4])
			top = max(top, int(int64(at[Words*Group]))-differing)
		}
		sum += max(0, top+int(p[Words]))
	}
	return sum
}
