package scan

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/tamga-id/tamga/matcher/internal/mcc"
)

// TestOffsets holds the layout of Vector and Probe to what the assembly takes for granted.
func TestOffsets(t *testing.T) {
	var v Vector
	var p Probe
	got := []uintptr{unsafe.Offsetof(v.Narrow), unsafe.Offsetof(v.Wide), unsafe.Offsetof(v.Bias), unsafe.Sizeof(v),
		unsafe.Offsetof(p.code), unsafe.Offsetof(p.mask), unsafe.Sizeof(Rotations{})}
	for i, want := range []uintptr{0, 24, 48, 56, 0, 17 * 256, 128} {
		if got[i] != want {
			t.Errorf("offset %d is %d, want %d", i, got[i], want)
		}
	}
}

// TestChoice: a set that gives another result in any of its loops is not chosen, and all that can run here agree.
func TestChoice(t *testing.T) {
	sets := Sets()
	if sets[len(sets)-1].Name != "go" {
		t.Error("the last set is not the one in pure Go")
	}
	for _, s := range sets {
		if !s.agrees() {
			t.Errorf("%s does not agree with pure Go", s.Name)
		}
	}
	for name, spoil := range map[string]func(*Set){
		"dots1": func(s *Set) {
			s.dots1 = func(out *int32, rows *byte, n, stride int, q *Vector) { dots1(out, rows, n, stride, q); *out++ }
		},
		"dots4": func(s *Set) {
			s.dots4 = func(out *int32, rows *byte, n, stride int, q *[Queries]Vector) {
				dots4(out, rows, n, stride, q)
				*out++
			}
		},
		"above": func(s *Set) { s.above = func(*int32, *float32, int, float32) int { return 0 } },
		"iris": func(s *Set) {
			s.iris = func(out *uint16, rows *byte, n int, p *Probe) { irisCodes(out, rows, n, p); *out ^= 1 }
		},
		"masked": func(s *Set) {
			s.irisAll = func(out *Rotations, rows *byte, n int, p *Probe) { irisMasked(out, rows, n, p); out.Usable[16]++ }
		},
		"local": func(s *Set) {
			s.local = func(probe *uint64, np int, reference *uint64, n int) int { return local(probe, np, reference, n) + 1 }
		},
	} {
		bad := generic
		bad.Name = name
		spoil(&bad)
		if got := choose([]*Set{&bad, &generic}); got != &generic {
			t.Errorf("a set with a wrong %s was chosen", name)
		}
	}
	t.Logf("chosen: %s", Best().Name)
}

// extremes draws values that make sums as large as they get, or anything.
func extremes(r *rand.Rand, kind int) (query int8, stored byte) {
	switch kind {
	case 0:
		return 127, 255
	case 1:
		return -127, 255
	case 2:
		return 127, 1
	case 3:
		return []int8{-127, 0, 127}[r.IntN(3)], []byte{0, 1, 128, 255}[r.IntN(4)]
	}
	return int8(r.IntN(255) - 127), byte(r.IntN(256))
}

func vector(values []int8) Vector {
	v := Vector{Narrow: values, Wide: make([]int16, len(values))}
	for i, x := range values {
		v.Wide[i] = int16(x)
		v.Bias += 128 * int32(x)
	}
	return v
}

// TestDotsAgree holds every set against a loop in int64 over lengths, row counts, alignments
// and extreme values.
func TestDotsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range Sets() {
		for stride := Lanes; stride <= 1024; stride += Lanes {
			for _, n := range []int{4, 8, 12, 20} {
				kind, align := r.IntN(6), r.IntN(64)
				var q [Queries]Vector
				for k := range q {
					values := make([]int8, align+stride)[align:]
					for i := range values {
						values[i], _ = extremes(r, kind)
					}
					q[k] = vector(values)
				}
				rows := make([]byte, align+n*stride)[align:]
				for i := range rows {
					_, rows[i] = extremes(r, kind)
				}
				out := make([]int32, Queries*n+1)
				out[Queries*n] = 12345
				s.DotsBatch(out, rows, n, &q)
				single := make([]int32, n)
				for k := range q {
					s.Dots(single, rows, &q[k])
					for i := range n {
						var want int64
						for j, x := range q[k].Narrow {
							want += int64(x) * (int64(rows[i*stride+j]) - 128)
						}
						if int64(out[k*n+i]) != want || int64(single[i]) != want {
							t.Fatalf("%s, stride %d, query %d, row %d of %d: %d in the batch, %d alone, want %d",
								s.Name, stride, k, i, n, out[k*n+i], single[i], want)
						}
					}
				}
				if out[Queries*n] != 12345 {
					t.Fatalf("%s wrote past the end", s.Name)
				}
			}
		}
	}
}

func TestAboveAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	nan := float32(math.NaN())
	for _, s := range Sets() {
		for n := range 1031 {
			dots, norms := make([]int32, n), make([]float32, n)
			for i := range dots {
				dots[i] = int32(r.IntN(1<<25) - 1<<24)
				norms[i] = []float32{r.Float32(), r.Float32(), nan}[r.IntN(3)]
			}
			limit := []float32{0, -math.MaxFloat32, 1 << 23, 1 << 24, float32(math.Inf(-1)), nan}[r.IntN(6)]
			if n > 0 && r.IntN(2) == 0 { // a tie
				at := r.IntN(n)
				limit = float32(dots[at]) * norms[at]
			}
			for from := 0; from <= n; {
				want := from
				for want < n && !(float32(dots[want])*norms[want] >= limit) {
					want++
				}
				if got := s.Above(dots, norms, from, limit); got != want {
					t.Fatalf("%s: index %d of %d from %d, want %d", s.Name, got, n, from, want)
				}
				from = want + 1 + r.IntN(30)
			}
		}
	}
}

// irisRow draws a row whose mask is full, empty, sparse or random.
func irisRow(r *rand.Rand, row []byte, kind int) {
	for i := range row {
		row[i] = byte(r.IntN(256))
	}
	for i := CodeBytes; i < IrisRow; i++ {
		switch kind {
		case 0:
			row[i] = 0xff
		case 1:
			row[i] = 0
		case 2:
			row[i] &= byte(r.IntN(256))
			row[i] &= byte(r.IntN(256)) // a quarter of the bits is left
		}
	}
}

// bit is bit j of angle a.
func bit(b []byte, a, j int) byte {
	at := ((a%128+128)%128)*16 + j
	return b[at/8] >> (7 - at%8) & 1
}

// TestIrisAgrees holds every set against a loop over single bits.
func TestIrisAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 60 {
		n, align := 1+r.IntN(5), r.IntN(32)
		probe := make([]byte, IrisRow)
		irisRow(r, probe, r.IntN(4))
		rows := make([]byte, align+n*IrisRow)[align:]
		for i := range n {
			irisRow(r, rows[i*IrisRow:][:IrisRow], r.IntN(4))
			if round == 0 { // as far apart as can be
				for k := range CodeBytes {
					rows[i*IrisRow+k], probe[k] = 0xff, 0
				}
			}
		}
		var p Probe
		p.Set(probe[:CodeBytes], probe[CodeBytes:])
		wantLeast, want := make([]int, n), make([]Rotations, n)
		for i := range n {
			wantLeast[i], want[i] = count(probe, rows[i*IrisRow:][:IrisRow])
		}
		for _, s := range Sets() {
			least, counts := make([]uint16, n), make([]Rotations, n)
			s.Iris(least, rows, &p)
			s.IrisMasked(counts, rows, &p)
			for i := range n {
				for turn := range Turns {
					if counts[i].Differing[turn] != want[i].Differing[turn] || counts[i].Usable[turn] != want[i].Usable[turn] {
						t.Fatalf("%s, turn %d: %d of %d, want %d of %d", s.Name, turn, counts[i].Differing[turn],
							counts[i].Usable[turn], want[i].Differing[turn], want[i].Usable[turn])
					}
				}
				if int(least[i]) != wantLeast[i] {
					t.Fatalf("%s: least %d, want %d", s.Name, least[i], wantLeast[i])
				}
			}
		}
	}
}

// count compares bit by bit.
func count(probe, row []byte) (least int, counts Rotations) {
	least = CodeBits
	for turn := range Turns {
		all := 0
		for a := range 128 {
			for j := range 16 {
				x := bit(probe[:CodeBytes], a-(turn-8), j) ^ bit(row[:CodeBytes], a, j)
				m := bit(probe[CodeBytes:], a-(turn-8), j) & bit(row[CodeBytes:], a, j)
				all += int(x)
				counts.Differing[turn] += uint16(x & m)
				counts.Usable[turn] += uint16(m)
			}
		}
		least = min(least, all)
	}
	return least, counts
}

// cylinders draws up to n of them, with few bits, all bits, or any.
func cylinders(r *rand.Rand, n int) []mcc.Cylinder {
	cs := make([]mcc.Cylinder, n)
	for i := range cs {
		c := &cs[i]
		c.Valid = mcc.Disc()
		kind := r.IntN(4)
		for k := range c.Bits {
			c.Bits[k] = r.Uint64()
			switch kind {
			case 0:
				c.Bits[k] = 0
			case 1:
				c.Bits[k] = ^uint64(0)
			case 2:
				c.Bits[k] &= r.Uint64() & r.Uint64()
			}
			c.Bits[k] &= c.Valid
			c.Ones += uint16(bits.OnesCount64(c.Bits[k]))
		}
	}
	return cs
}

// TestLocalAgrees holds every set against the definition over unpacked cylinders.
func TestLocalAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 256 {
		m := []int{0, 1, 2, 7, 8, 9, 40, r.IntN(256)}[r.IntN(8)]
		a, b := cylinders(r, m), cylinders(r, n)
		if n > 0 && m > 0 {
			b[r.IntN(n)] = a[r.IntN(m)]
		}
		want := 0
		for i := range a {
			top := -1 << 30
			for j := range b {
				differing := 0
				for k := range a[i].Bits {
					differing += bits.OnesCount64(a[i].Bits[k] ^ b[j].Bits[k])
				}
				top = max(top, (9*int(a[i].Ones)+8)/16+(9*int(b[j].Ones)+8)/16-differing)
			}
			want += max(0, top)
		}
		probe, reference := PackProbe(nil, a), PackReference(b)
		for _, s := range Sets() {
			if got := s.Local(probe, reference, n); got != want {
				t.Fatalf("%s, %d with %d: %d, want %d", s.Name, m, n, got, want)
			}
		}
	}
}

func BenchmarkLocal(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 9))
	probe, reference := PackProbe(nil, cylinders(r, 40)), PackReference(cylinders(r, 40))
	for _, s := range Sets() {
		b.Run(s.Name, func(b *testing.B) {
			for b.Loop() {
				s.Local(probe, reference, 40)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e3, "ktemplates/s")
		})
	}
}

func TestPaddingIsDemanded(t *testing.T) {
	short := Vector{Narrow: make([]int8, 60), Wide: make([]int16, 60)}
	good := vector(make([]int8, 64))
	for i, f := range []func(){
		func() { Best().Dots(make([]int32, 4), make([]byte, 240), &short) },
		func() { Best().Dots(make([]int32, 3), make([]byte, 192), &good) },
		func() { Best().Dots(make([]int32, 4), make([]byte, 255), &good) },
		func() { Best().Iris(make([]uint16, 2), make([]byte, 1023), &Probe{}) },
		func() { Best().DotsBatch(make([]int32, 15), make([]byte, 256), 4, &[4]Vector{good, good, good, good}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("case %d was accepted", i)
				}
			}()
			f()
		}()
	}
}

func BenchmarkDots(b *testing.B) {
	const stride, n = 512, 4096
	rows := make([]byte, n*stride)
	out := make([]int32, Queries*n)
	q := vector(make([]int8, stride))
	qs := [Queries]Vector{q, q, q, q}
	for _, s := range Sets() {
		b.Run(fmt.Sprintf("one/%s", s.Name), func(b *testing.B) {
			for b.Loop() {
				s.Dots(out[:n], rows, &q)
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mdots/s")
		})
		b.Run(fmt.Sprintf("four/%s", s.Name), func(b *testing.B) {
			for b.Loop() {
				s.DotsBatch(out, rows, n, &qs)
			}
			b.ReportMetric(float64(b.N)*n*Queries/b.Elapsed().Seconds()/1e6, "Mdots/s")
		})
	}
}

func BenchmarkIris(b *testing.B) {
	const n = 1024
	rows := make([]byte, n*IrisRow)
	var p Probe
	p.Set(rows[:CodeBytes], rows[CodeBytes:IrisRow])
	least, counts := make([]uint16, n), make([]Rotations, n)
	for _, s := range Sets() {
		b.Run("codes/"+s.Name, func(b *testing.B) {
			for b.Loop() {
				s.Iris(least, rows, &p)
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "M/s")
		})
		b.Run("masked/"+s.Name, func(b *testing.B) {
			for b.Loop() {
				s.IrisMasked(counts, rows, &p)
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "M/s")
		})
	}
}
