package responder

import (
	"context"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/pace"
)

// lap is the time of what depends on the subject. The zero value keeps none.
type lap struct{ *pace.Lap }

// rest waits until the lap is over, without the handler's slot: who is waited for must not keep others out. What
// comes after it waits for disks.
func (l lap) rest(ctx context.Context) {
	if l.Lap != nil {
		transport.Yield(ctx)
		l.Rest(ctx)
	}
}

// apart runs what takes as long whoever it is about, which is a write to disk.
func (l lap) apart(f func()) {
	l.Pause()
	defer l.Resume()
	f()
}

// Units of the time that comparisons take, by what was sent: a face or an iris is one. A finger is prepared, which for
// 40 minutiae takes 0.2 ms on both sides and for 255 seven, and compared with more than one reference. Signatures are
// compared with what ten others are found to have in common.
const (
	fingerUnits     = 2
	minutiaePerUnit = 20
	minutiaSize     = 6 // octets of ISO/IEC 19794-2:2005
	signatureUnits  = 30
)

// units is what the probes of a Question may take, by their kinds and lengths alone.
func units(probes []protocol.Probe) (sum int) {
	for _, p := range probes {
		switch p.Modality {
		case comparison.ModalityFinger:
			sum += fingerUnits + len(p.Data)/minutiaSize/minutiaePerUnit
		case comparison.ModalitySignature:
			sum += signatureUnits
		default:
			sum++
		}
	}
	return sum
}
