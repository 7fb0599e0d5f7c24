package responder_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
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
		"refused":     {"finger", 60, protocol.CodeConsentHolder},
		"trailing":    {"finger", 60, protocol.CodeProbe},
		"no-decision": {"finger", 60, protocol.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			// Without collection nothing overwrites what was forgotten.
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			w := newWorld().withGallery(t, enrolled(p, faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2))))
			q := about(p, faceProbe(p.FaceProbe(41)))
			if c.modality == "finger" {
				q = about(p, fingerProbe(2, p.FingerProbe(2, 41)))
			}
			switch c.code {
			case protocol.CodeConsentHolder:
				w.law.d.ConsentRequired, q.question.Consent = true, consented(person(8), nil)
			case protocol.CodeProbe:
				q.question.Probes[0].Data = append(q.question.Probes[0].Data, 0)
			case protocol.CodeInternal:
				w.gallery.panic = "broken"
			}
			inverted := make([]byte, 24)
			for i, b := range q.question.Probes[0].Data[c.at : c.at+24] {
				inverted[i] = ^b
			}
			if scan(t, inverted) == 0 {
				t.Fatal("the probe is not even found while it is there")
			}
			frame := q.pending(t).Frame
			q.question.Wipe()
			runtime.GC() // what synth left is not ours to answer for
			left := scan(t, inverted)
			if left != 0 {
				t.Logf("%d copies before the Query is handled", left)
			}
			if got := w.code(t, t.Context(), &protocol.Pending{Frame: frame}); got != c.code {
				t.Fatalf("got %s, want %s", got, c.code)
			}
			if n := scan(t, inverted); n > left {
				t.Errorf("%d copies of the probe are left, %d before", n, left)
			}
		})
	}
}
