package canary_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/tamga-id/tamga/matcher/finger"
)

// forms maps the name of an encoding to the byte strings by which a mark would be
// recognised in it.
type forms map[string][][]byte

func (f forms) add(encoding string, b ...[]byte) { f[encoding] = append(f[encoding], b...) }

// names are the encodings, the plainest first: a byte string that is the same in
// two is called by the first.
func (f forms) names() []string {
	names := slices.Sorted(maps.Keys(f))
	slices.SortStableFunc(names, func(a, b string) int { return btoi(b == "raw") - btoi(a == "raw") })
	return names
}

func (f forms) text(encoding string, s ...string) {
	for _, one := range s {
		f.add(encoding, []byte(one))
	}
}

// bytesForms are the forms of a window of binary data.
func bytesForms(w []byte) forms {
	f := forms{}
	back := slices.Clone(w)
	slices.Reverse(back)
	f.add("raw", w)
	f.add("reversed", back)
	f.encoded(w)
	return f
}

// encoded adds what text makes of bytes.
func (f forms) encoded(w []byte) {
	h := hex.EncodeToString(w)
	f.text("hex", h, strings.ToUpper(h))
	f.text("hex with separators", separated(w, "%02x", ":"), separated(w, "%02X", ":"), separated(w, "%02x", " "), separated(w, "0x%x", ", "))
	for shift := range 3 {
		f.text("base64", middle(base64.StdEncoding, w, shift), middle(base64.URLEncoding, w, shift))
	}
	f.text("decimal bytes", separated(w, "%d", " "), separated(w, "%d", ","), separated(w, "%d", ", "))
	f.text("URL-escaped", escaped(w, "%%%02X"), escaped(w, "%%%02x"))
	f.text("backslash-escaped", escaped(w, `\x%02x`), escaped(w, `\u%04x`), escaped(w, `\u%04X`))
	f.text("quoted", quoted(w))
}

// quoted is what %q makes of w.
func quoted(w []byte) string {
	q := strconv.Quote(string(w))
	return q[1 : len(q)-1]
}

// middle is the part of the base64 of w, shift bytes into a group of three, that
// does not depend on its neighbours.
func middle(enc *base64.Encoding, w []byte, shift int) string {
	s := enc.WithPadding(base64.NoPadding).EncodeToString(append(make([]byte, shift), w...))
	first := (shift*8 + 5) / 6
	last := (shift + len(w)) * 8 / 6
	return s[first:last]
}

func separated(w []byte, verb, sep string) string {
	parts := make([]string, len(w))
	for i, b := range w {
		parts[i] = fmt.Sprintf(verb, b)
	}
	return strings.Join(parts, sep)
}

func escaped(w []byte, verb string) string { return separated(w, verb, "") }

// textForms are the forms of a name or number, also as systems that fold case or
// think in UTF-16 write them.
func textForms(s string) forms {
	f := forms{}
	for _, v := range variants(s) {
		f.text("raw", v)
		f.text("URL-escaped", url.QueryEscape(v))
		f.encoded([]byte(v))
		var le, be []byte
		for _, u := range utf16.Encode([]rune(v)) {
			le, be = binary.LittleEndian.AppendUint16(le, u), binary.BigEndian.AppendUint16(be, u)
		}
		f.add("UTF-16", le[:len(le)-1], be)
	}
	return f
}

func variants(s string) []string {
	return slices.Compact(slices.Sorted(slices.Values([]string{s, strings.ToLower(s), strings.ToUpper(s)})))
}

// floatForms are the forms of a run of vector elements: their bytes in both orders,
// as float32 and float64, and as text.
func floatForms(v []float32) forms {
	f := forms{}
	var le, be, le64, be64 []byte
	for _, x := range v {
		le, be = binary.LittleEndian.AppendUint32(le, math.Float32bits(x)), binary.BigEndian.AppendUint32(be, math.Float32bits(x))
		le64, be64 = binary.LittleEndian.AppendUint64(le64, math.Float64bits(float64(x))), binary.BigEndian.AppendUint64(be64, math.Float64bits(float64(x)))
	}
	for name, w := range map[string][]byte{"float32 little-endian": le, "float32 big-endian": be, "float64 little-endian": le64[:16], "float64 big-endian": be64[:16]} {
		for encoding, list := range bytesForms(w) {
			f.add(name+", "+encoding, list...)
		}
	}
	for _, bits := range []int{32, 64} {
		a, b := strconv.FormatFloat(float64(v[0]), 'g', -1, bits), strconv.FormatFloat(float64(v[1]), 'g', -1, bits)
		for _, sep := range []string{" ", ",", ", ", "\n"} {
			f.text("decimal", a+sep+b)
		}
	}
	if six := strconv.FormatFloat(float64(v[0]), 'f', 8, 32); len(strings.TrimLeft(six, "-0.")) >= 6 {
		f.text("decimal", six) // truncated or rounded at the eighth decimal, of whatever precision it was
	}
	return f
}

// minutiaForms are the forms that printing decoded minutiae gives.
func minutiaForms(m []finger.Minutia) forms {
	f := forms{}
	inner := func(s string) string { return strings.Trim(s, "[]{}") }
	f.text("printed", inner(fmt.Sprintf("%v", m)), inner(fmt.Sprintf("%+v", m)))
	if b, err := json.Marshal(m); err == nil {
		f.text("JSON", inner(string(b)))
	}
	return f
}

// scoreForms are the forms of a comparison score. Those shorter than eight bytes
// need care in random data; see needle.
func scoreForms(score float64) forms {
	f := forms{}
	le, be := binary.LittleEndian.AppendUint64(nil, math.Float64bits(score)), binary.BigEndian.AppendUint64(nil, math.Float64bits(score))
	for name, w := range map[string][]byte{"float64 little-endian": le, "float64 big-endian": be} {
		f.add(name, w)
		f.encoded(w)
	}
	single := math.Float32bits(float32(score))
	f.add("float32 little-endian", binary.LittleEndian.AppendUint32(nil, single))
	f.add("float32 big-endian", binary.BigEndian.AppendUint32(nil, single))
	f.add("CBOR float32", binary.BigEndian.AppendUint32([]byte{0xfa}, single))
	f.text("hex", fmt.Sprintf("%016x", math.Float64bits(score)), fmt.Sprintf("%08x", single))
	f.text("decimal", significant(score)...)
	return f
}

// significant is the score to four digits, rounded, and the first four digits of
// it at any greater precision.
func significant(score float64) []string {
	score = math.Abs(score) // the sign is one more byte before the same digits
	digits := 4 - int(math.Floor(math.Log10(score))) - 1
	rounded := strconv.FormatFloat(score, 'f', digits, 64)
	scale := math.Pow10(digits)
	cut := strconv.FormatFloat(math.Floor(score*scale)/scale, 'f', digits, 64)
	out := slices.Compact([]string{rounded, cut})
	return append(out, strconv.FormatFloat(score, 'e', 3, 64), strconv.FormatFloat(score, 'e', -1, 64), strconv.FormatFloat(score, 'e', 6, 64))
}
