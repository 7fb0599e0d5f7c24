package wsq

// longest is the length of the longest Huffman code.
const longest = 16

// huffman decodes canonical codes as in ISO/IEC 10918-1 annex F.2.2.3: the codes of one length
// are consecutive, so the first of each length and how many there are suffice.
type huffman struct {
	first  [longest + 1]int32 // code
	count  [longest + 1]int32
	index  [longest + 1]int32 // of the first code's symbol
	symbol []byte
}

// huffmanTables = length 1*(id 16count *symbol) (clause B.2.4.3)
func (d *decoder) huffmanTables(b []byte, at int) error {
	if len(b) == 0 {
		return d.fault(at-2, "no Huffman table in its segment")
	}
	for len(b) > 0 {
		if len(b) < 1+longest {
			return d.fault(at, "Huffman table is short")
		}
		id := int(b[0])
		if id >= len(d.tables) {
			return d.fault(at, "Huffman table number out of range")
		}
		h := &huffman{}
		code, total := int32(0), int32(0)
		for n := 1; n <= longest; n++ {
			h.first[n], h.count[n], h.index[n] = code, int32(b[n]), total
			code, total = code+h.count[n], total+h.count[n]
			if code >= 1<<n && !(code == 1<<n && h.count[n] == 0) {
				// A code of ones only is reserved: blocks are padded with ones.
				return d.fault(at+n, "too many Huffman codes of this length")
			}
			code <<= 1
		}
		if total == 0 || total > 255 || len(b) < 1+longest+int(total) {
			return d.fault(at, "Huffman table has the wrong length")
		}
		h.symbol = b[1+longest : 1+longest+total]
		d.tables[id] = h
		b, at = b[1+longest+total:], at+1+longest+int(total)
	}
	return nil
}

// bits reads the coded data of one block, most significant bit first. After 0xff comes a stuffed
// 0x00; any other octet there begins a marker, which ends the block.
type bits struct {
	in  []byte
	at  int
	acc uint32
	n   uint // bits in acc
}

// take returns the next k bits, k <= 16.
func (r *bits) take(k uint) (uint32, bool) {
	for r.n < k {
		if r.at >= len(r.in) {
			return 0, false
		}
		b := r.in[r.at]
		if b == 0xff {
			if r.at+1 >= len(r.in) || r.in[r.at+1] != 0 {
				return 0, false
			}
			r.at++
		}
		r.at++
		r.acc = r.acc<<8 | uint32(b)
		r.n += 8
	}
	r.n -= k
	return r.acc >> r.n & (1<<k - 1), true
}

// padded reports whether nothing but the ones that fill the last octet is left.
func (r *bits) padded() bool {
	return r.n < 8 && r.acc&(1<<r.n-1) == 1<<r.n-1
}

// next decodes one symbol.
func (h *huffman) next(r *bits) (byte, bool) {
	code := int32(0)
	for n := 1; n <= longest; n++ {
		bit, ok := r.take(1)
		if !ok {
			return 0, false
		}
		code = code<<1 | int32(bit)
		if k := code - h.first[n]; k < h.count[n] {
			return h.symbol[h.index[n]+k], true
		}
	}
	return 0, false
}

// blocks are the runs of subbands that are coded together (clause A.4.1).
var blocks = [3][2]int{{0, 19}, {19, 52}, {52, coded}}

// block = length id, then Huffman codes for the coefficients of its subbands (clauses A.4.2 and
// B.2.3). The symbols are those of table A.5.
func (d *decoder) block(span [2]int) error {
	b, at, err := d.segment()
	if err != nil {
		return err
	}
	if len(b) != 1 {
		return d.fault(at-2, "block header has the wrong length")
	}
	if int(b[0]) >= len(d.tables) || d.tables[b[0]] == nil {
		return d.fault(at, "block uses a Huffman table that is not defined")
	}
	if !d.quantised {
		return d.fault(at, "block before the quantisation table")
	}
	want := 0
	for k := span[0]; k < span[1]; k++ {
		if d.bins[k] > 0 {
			want += d.bands[k].width * d.bands[k].height
		}
	}
	if d.values == nil {
		d.values = make([]int32, 0, d.width*d.height)
	}
	r := &bits{in: d.in, at: d.at}
	if err := d.coefficients(d.tables[b[0]], r, len(d.values)+want); err != nil {
		return err
	}
	d.at = r.at
	if !r.padded() {
		return d.fault(d.at, "block is not padded with ones")
	}
	return nil
}

// coefficients appends to d.values until it holds end of them.
func (d *decoder) coefficients(h *huffman, r *bits, end int) error {
	for len(d.values) < end {
		at := r.at
		s, ok := h.next(r)
		if !ok {
			return d.fault(at, "coded data end early")
		}
		width := uint(0)
		switch s {
		case 101, 102, 105:
			width = 8
		case 103, 104, 106:
			width = 16
		}
		v, ok := r.take(width)
		if !ok {
			return d.fault(at, "coded data end early")
		}
		run := 0
		switch {
		case s >= 1 && s <= 100:
			run = int(s)
		case s == 105 || s == 106:
			run = int(v)
		case s == 101 || s == 103:
			d.values = append(d.values, int32(v))
		case s == 102 || s == 104:
			d.values = append(d.values, -int32(v))
		case s >= 107 && s <= 254 && s != 180:
			d.values = append(d.values, int32(s)-180)
		default:
			return d.fault(at, "symbol is not defined")
		}
		if run > end-len(d.values) || (s == 105 || s == 106) && run == 0 {
			return d.fault(at, "run of zeros out of range")
		}
		n := len(d.values)
		d.values = d.values[:n+run]
		clear(d.values[n:])
	}
	return nil
}
