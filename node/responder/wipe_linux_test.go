package responder_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/synth"
)

// scan counts where in this process's memory mark lies, all of it that can be
// written and is no file. mark is given inverted so that the search does not find itself.
func scan(t *testing.T, inverted []byte) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("no /proc/self/maps here")
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Skip("memory cannot be read here")
	}
	defer mem.Close()
	found := 0
	buf := make([]byte, 1<<20)
	defer clear(buf)
	s := bufio.NewScanner(bytes.NewReader(maps))
	for s.Scan() {
		var from, to uint64
		var perms string
		named := len(strings.Fields(s.Text())) > 5 // mapped files are the stores', which are encrypted
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x %s", &from, &to, &perms); n != 3 || named || !strings.HasPrefix(perms, "rw") {
			continue
		}
		for at := from; at < to; {
			n, err := mem.ReadAt(buf[:min(uint64(len(buf)), to-at)], int64(at))
			if n == 0 || err != nil && err != io.EOF {
				break
			}
			found += occurrences(buf[:n], inverted)
			if uint64(n) == to-at || n <= len(inverted) {
				break
			}
			at += uint64(n - len(inverted))
		}
		clear(buf)
	}
	return found
}

func occurrences(b, inverted []byte) int {
	anchor := 0 // a byte that is not everywhere
	for anchor < len(inverted)-1 && (^inverted[anchor] < 8 || ^inverted[anchor] > 0xf0) {
		anchor++
	}
	n := 0
	for at := 0; ; at++ {
		i := bytes.IndexByte(b[at:], ^inverted[anchor])
		if i < 0 {
			return n
		}
		at += i
		if at < anchor || at-anchor+len(inverted) > len(b) {
			continue
		}
		same := true
		for j, c := range inverted {
			if b[at-anchor+j] != ^c {
				same = false
				break
			}
		}
		if same {
			n++
		}
	}
}

// badContent is a sealed part with the probe in it that is refused: for a quality of
// 101, or for a member that there is none of.
func badContent(p protocol.Probe, unknown bool) []byte {
	record := map[int]any{1: p.Modality, 2: p.Format, 3: []byte(p.Data), 5: 101}
	if unknown {
		delete(record, 5)
		record[9] = 1
	}
	return must(must(cbor.CoreDetEncOptions().EncMode()).Marshal(map[int]any{
		1: map[int]string{1: "KAZ", 2: "passport", 3: "SYN1"}, 2: []any{record},
	}))
}

// TestProbeIsWiped answers Queries with one probe and then looks for that probe in
// the whole of the process's memory. The one who asks is in the same process, so
// this covers the sealing side as well.
func TestProbeIsWiped(t *testing.T) {
	p := person(7)
	for name, c := range map[string]struct {
		modality string
		at       int // where in the record the mark is taken
		code     protocol.Code
	}{
		"finger":      {"finger", 60, protocol.CodeMatched},
		"face":        {"face", 60, protocol.CodeMatched},
		"iris":        {"iris", 60, protocol.CodeMatched},
		"signature":   {"signature", 400, protocol.CodeUncalibrated},
		"refused":     {"finger", 60, protocol.CodeConsentHolder},
		"trailing":    {"finger", 60, protocol.CodeProbe},
		"no-decision": {"finger", 60, protocol.CodeInternal},
		"bad-content": {"finger", 60, protocol.CodeSealedContent},
		"bad-claim":   {"face", 60, protocol.CodeSealedContent},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld().withGallery(t, enrolled(p, append(append(bothEyes(p), signed(p, 5)...), faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2)))...))
			// A copy that the code leaves is left every time; one that the runtime makes
			// of the test's own rubbish, when it moves a stack, is not.
			var n int
			for try := range 3 {
				if n = w.left(t, p, c.modality, c.at, c.code, 41+try, name == "bad-claim"); n == 0 {
					return
				}
			}
			t.Errorf("%d more copies of the probe after the Query than before", n)
		})
	}
}

// left handles a Query with probe i of p and returns how many more copies of the
// probe there are afterwards than before.
func (w *world) left(t *testing.T, p synth.Person, modality string, at int, want protocol.Code, i int, unknown bool) int {
	t.Helper()
	// Without collection nothing overwrites what was forgotten.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	q := about(p, faceProbe(p.FaceProbe(i)))
	switch modality {
	case "finger":
		q = about(p, fingerProbe(2, p.FingerProbe(2, i)))
	case "iris":
		q = about(p, irisProbe(p.IrisProbe(1, i), 1, 0))
	case "signature":
		q = about(p, signatureProbe(p.SignatureCapture(i)))
	}
	switch want {
	case protocol.CodeConsentHolder:
		w.law.d.ConsentRequired, q.question.Consent = true, consented(person(8), nil)
	case protocol.CodeProbe:
		q.question.Probes[0].Data = append(q.question.Probes[0].Data, 0)
	case protocol.CodeSealedContent:
		q.claims = resealed(badContent(q.question.Probes[0], unknown))
	case protocol.CodeInternal:
		w.gallery.panic = "broken"
	}
	raw, ready := invert(q.question.Probes[0].Data[at:at+24]), invertDecoded(modality, q.question.Probes[0].Data)
	if scan(t, raw) == 0 {
		t.Fatal("the probe is not even found while it is there")
	}
	frame := q.pending(t).Frame
	q.question.Wipe()
	before := scan(t, raw) + scan(t, ready)
	if got := w.code(t, t.Context(), &protocol.Pending{Frame: frame}); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	return max(0, scan(t, raw)+scan(t, ready)-before)
}

func invert(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = ^c
	}
	return out
}

// invertDecoded is part of what a probe is in memory once it is decoded: three
// minutiae, six values of the vector that was scaled to unit length, three words of a
// code or a point of a pen.
func invertDecoded(modality string, record []byte) []byte {
	switch modality {
	case "iris":
		c := must(iriscode.Decode(record))
		var words []byte
		for at := 64; at < 88; at += 8 {
			words = binary.NativeEndian.AppendUint64(words, binary.BigEndian.Uint64(c.Sample.Code[at:]))
		}
		defer clear(words)
		clear(c.Sample.Code[:])
		return invert(words)
	case "signature":
		s := must(signature2007.Decode(record))
		defer clear(s.Points)
		return invert(unsafe.Slice((*byte)(unsafe.Pointer(&s.Points[20])), 24))
	case "finger":
		samples, err := exchange.DecodeFinger(record)
		if err != nil { // the case with a trailing octet
			samples = must(exchange.DecodeFinger(record[:len(record)-1]))
		}
		three := samples[0].Minutiae[4:7]
		defer clear(samples[0].Minutiae)
		return invert(unsafe.Slice((*byte)(unsafe.Pointer(&three[0])), 3*unsafe.Sizeof(three[0])))
	}
	e := must(exchange.ParseEmbedding(record))
	values := make([]float64, 0, face.MaxDims)
	for _, v := range e.Values {
		values = append(values, float64(v))
	}
	for _, v := range e.Quantised {
		values = append(values, float64(v))
	}
	var sum float64
	for _, v := range values {
		sum += v * v
	}
	six := make([]float32, 6)
	for i := range six {
		six[i] = float32(values[8+i] / math.Sqrt(sum))
	}
	defer clear(six)
	return invert(unsafe.Slice((*byte)(unsafe.Pointer(&six[0])), 24))
}
