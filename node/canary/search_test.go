package canary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// mark is something by which a person could be recognised, or known about.
type mark struct {
	kind  string // "passport number"
	who   string // "person 3 of KGZ"
	forms forms
}

func (m mark) String() string { return m.kind + " of " + m.who }

// needle is one byte string to look for.
type needle struct {
	bytes    []byte
	mark     int
	encoding string
}

// searcher looks for many needles in one pass over the data. Immutable.
type searcher struct {
	marks   []mark
	needles []needle
	long    index // by the first eight bytes
	short   index // by the first four
	longest int
}

// index finds needles by their first bytes: a filter that fits the processor's cache
// before a table.
type index struct {
	filter []uint64
	table  map[uint64][]int32
}

const filterBits = 22

func slot(k uint64) (word, bit uint64) {
	h := k * 0x9e3779b97f4a7c15 >> (64 - filterBits)
	return h / 64, 1 << (h % 64)
}

func newIndex() index {
	return index{make([]uint64, 1<<filterBits/64), make(map[uint64][]int32)}
}

func (x index) add(k uint64, at int32) {
	x.table[k] = append(x.table[k], at)
	word, bit := slot(k)
	x.filter[word] |= bit
}

func (x index) find(k uint64) []int32 {
	if word, bit := slot(k); x.filter[word]&bit == 0 {
		return nil
	}
	return x.table[k]
}

func newSearcher(marks []mark) *searcher {
	s := &searcher{marks: marks, long: newIndex(), short: newIndex()}
	seen := make(map[string]bool)
	for i, m := range marks {
		for _, encoding := range m.forms.names() {
			for _, b := range m.forms[encoding] {
				if len(b) >= 4 && !seen[string(b)] { // two people may share a name: it is reported once
					seen[string(b)] = true
					s.add(needle{b, i, encoding})
				}
			}
		}
	}
	return s
}

func (s *searcher) add(n needle) {
	at := int32(len(s.needles))
	s.needles = append(s.needles, n)
	s.longest = max(s.longest, len(n.bytes))
	if len(n.bytes) < 8 {
		s.short.add(uint64(binary.LittleEndian.Uint32(n.bytes)), at)
		return
	}
	s.long.add(binary.LittleEndian.Uint64(n.bytes), at)
}

// hit is a needle and where it was found.
type hit struct {
	needle needle
	mark   mark
	offset int64
	layer  string // how the bytes around it had to be decoded first
}

// search finds every needle of at least least bytes in b.
func (s *searcher) search(b []byte, base int64, least int) []hit {
	var hits []hit
	at := func(i int, needles []int32) {
		for _, at := range needles {
			n := s.needles[at]
			// 12:00:30.7512 is no score of 0.7512.
			if len(n.bytes) < least || !bytes.HasPrefix(b[i:], n.bytes) || n.encoding == "decimal" && i > 0 && digit(b[i-1]) {
				continue
			}
			hits = append(hits, hit{needle: n, mark: s.marks[n.mark], offset: base + int64(i)})
		}
	}
	var k uint64
	for i := 0; i+4 <= len(b); i++ {
		if i+8 > len(b) {
			at(i, s.short.find(uint64(binary.LittleEndian.Uint32(b[i:]))))
			continue
		}
		if k = binary.LittleEndian.Uint64(b[i:]); k == 0 {
			continue
		}
		at(i, s.long.find(k))
		at(i, s.short.find(k&math.MaxUint32))
	}
	return hits
}

func digit(c byte) bool { return c >= '0' && c <= '9' || c == '.' }

// shortest is the length from which a needle found in b means something: some megabytes of
// ciphertext hold any four bytes by chance, and a few kilobytes of text or of a
// ledger leaf do not.
func shortest(b []byte) int {
	switch {
	case utf8.Valid(b) && bytes.IndexByte(b, 0) < 0:
		return 4
	case len(b) <= 1024:
		return 5
	}
	return 6
}

// deep searches b and whatever in it is base64 or hex of something else, three
// layers down: the claims of a token in the evidence in a JSON response. Needles shorter
// than least count only where shortest says so.
func (s *searcher) deep(b []byte, least int) []hit {
	var hits []hit
	var down func(b []byte, layer string, depth int)
	down = func(b []byte, layer string, depth int) {
		floor := shortest(b)
		if depth == 0 {
			floor = min(floor, least)
		}
		found := s.search(b, 0, floor)
		for i := range found {
			found[i].layer = layer
		}
		hits = append(hits, found...)
		if depth == 3 {
			return
		}
		for name, inner := range layers(b) {
			for _, one := range inner {
				down(one, layer+" inside "+name, depth+1)
			}
		}
	}
	down(b, "", 0)
	return hits
}

var (
	base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}`)
	hexRun    = regexp.MustCompile(`[0-9A-Fa-f]{16,}`)
)

// layers decodes what looks encoded in b.
func layers(b []byte) map[string][][]byte {
	out := make(map[string][][]byte)
	for _, run := range base64Run.FindAll(b, -1) {
		s := strings.NewReplacer("+", "-", "/", "_").Replace(string(run))
		if d, err := base64.RawURLEncoding.DecodeString(s[:len(s)-btoi(len(s)%4 == 1)]); err == nil {
			out["base64"] = append(out["base64"], d)
		}
	}
	for _, run := range hexRun.FindAll(b, -1) {
		if d, err := hex.DecodeString(string(run[:len(run)&^1])); err == nil {
			out["hex"] = append(out["hex"], d)
		}
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// chunk is how much of a file is in memory at a time.
const chunk = 1 << 20

// file searches a file of any size, a small one in its layers too. Pages of zeros, as
// preallocated logs have, cost next to nothing.
func (s *searcher) file(name string) (hits []hit, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	buf := make([]byte, chunk+s.longest)
	zeros := make([]byte, chunk+s.longest)
	kept := 0
	for {
		n, err := io.ReadFull(f, buf[kept:])
		b := buf[:kept+n]
		if !bytes.Equal(b, zeros[:len(b)]) {
			hits = append(hits, s.search(b, size-int64(kept), 6)...)
		}
		size += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return hits, size, err
		}
		kept = copy(buf, b[len(b)-s.longest:])
	}
	if size <= chunk {
		hits = s.deep(buf[:size], 6)
	}
	return hits, size, nil
}
