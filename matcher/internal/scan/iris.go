package scan

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Shape of an iris code: 128 angles of 16 bits, and as many of mask, in one
// row of code then mask. A bit of the mask is 1 where the code is usable.
const (
	CodeBytes = 256
	IrisRow   = 2 * CodeBytes
	CodeBits  = 8 * CodeBytes
	stepBytes = CodeBytes / 128 // one step of the angle

	// Turns is the number of rotations that are tried, half of them either way.
	Turns = 17
)

// Probe is an iris code in all the rotations in which it is compared.
type Probe struct {
	code [Turns][CodeBytes]byte
	mask [Turns][CodeBytes]byte
	// Full says that the mask excludes nothing.
	Full bool
}

// Rotations is what a masked comparison counts, by rotation: bits that are
// usable in both and differ, and bits that are usable in both. It is longer
// than [Turns] so that loops may write whole registers; the rest is unspecified.
type Rotations struct {
	Differing [32]uint16
	Usable    [32]uint16
}

// Set prepares p from a code and its mask, each of [CodeBytes].
func (p *Probe) Set(code, mask []byte) {
	code, mask = code[:CodeBytes], mask[:CodeBytes]
	for t := range Turns {
		shift := (t - Turns/2) * stepBytes
		for i := range CodeBytes {
			from := (i + CodeBytes - shift) % CodeBytes
			p.code[t][i], p.mask[t][i] = code[from], mask[from]
		}
	}
	p.Full = FullMask(mask)
}

// FullMask reports whether a mask excludes nothing.
func FullMask(mask []byte) bool {
	for _, b := range mask {
		if b != 0xff {
			return false
		}
	}
	return true
}

// Ones counts the bits set.
func Ones(b []byte) int {
	n := 0
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

// Iris sets out[i] to the least Hamming distance, over the rotations of p, of
// its code and that of row i, with no regard to masks.
func (s *Set) Iris(out []uint16, rows []byte, p *Probe) {
	if len(out) == 0 {
		return
	}
	_ = rows[len(out)*IrisRow-1]
	s.iris(&out[0], &rows[0], len(out), p)
}

// IrisMasked sets out[i] to the counts of p against row i.
func (s *Set) IrisMasked(out []Rotations, rows []byte, p *Probe) {
	if len(out) == 0 {
		return
	}
	_ = rows[len(out)*IrisRow-1]
	s.irisAll(&out[0], &rows[0], len(out), p)
}

func irisCodes(out *uint16, rows *byte, n int, p *Probe) {
	o, r := unsafe.Slice(out, n), unsafe.Slice(rows, n*IrisRow)
	for i := range o {
		row := r[i*IrisRow:][:CodeBytes]
		least := CodeBits
		for t := range p.code {
			differing := 0
			for k := 0; k < CodeBytes; k += 8 {
				differing += bits.OnesCount64(binary.LittleEndian.Uint64(row[k:]) ^ binary.LittleEndian.Uint64(p.code[t][k:]))
			}
			least = min(least, differing)
		}
		o[i] = uint16(least)
	}
}

func irisMasked(out *Rotations, rows *byte, n int, p *Probe) {
	o, r := unsafe.Slice(out, n), unsafe.Slice(rows, n*IrisRow)
	for i := range o {
		code, mask := r[i*IrisRow:][:CodeBytes], r[i*IrisRow+CodeBytes:][:CodeBytes]
		for t := range p.code {
			differing, usable := 0, 0
			for k := 0; k < CodeBytes; k += 8 {
				m := binary.LittleEndian.Uint64(mask[k:]) & binary.LittleEndian.Uint64(p.mask[t][k:])
				x := binary.LittleEndian.Uint64(code[k:]) ^ binary.LittleEndian.Uint64(p.code[t][k:])
				usable += bits.OnesCount64(m)
				differing += bits.OnesCount64(x & m)
			}
			o[i].Differing[t], o[i].Usable[t] = uint16(differing), uint16(usable)
		}
	}
}
