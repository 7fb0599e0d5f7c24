// Package person reads what a command line says of a person: who it is, and the probe. Neither is repeated in
// an error.
package person

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/comparison"
)

// ReadProbe reads the file of one probe.
func ReadProbe(file string) (Probe, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Probe{}, Unread(fmt.Errorf("reading probe: %w", fault.Nameless(err)), "--probe")
	}
	return Recognise(b, time.Now())
}

// Probe is a record of one sample, in a format of the protocol.
type Probe struct {
	Modality string `json:"modality"`
	Format   string `json:"format"`
	Data     []byte `json:"data"`
}

// Unread is about a file whose name may be a person's number and is not repeated.
func Unread(err error, flag string) error {
	return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeFile, Err: err, Hint: "check the path that " + flag + " gives; nothing was asked"}
}

// Recognise tells a record's format by its first bytes. Finger records that the
// protocol does not know become ones that it knows.
func Recognise(b []byte, now time.Time) (Probe, error) {
	fail := func(err error) (Probe, error) {
		return Probe{}, &fault.Failure{Exit: fault.ExitUsage, Code: protocol.CodeProbe, Err: fmt.Errorf("reading probe: %w", err),
			Hint: "check the path that --probe gives, and the capture software's export; nothing was asked"}
	}
	format, err := exchange.Detect(b)
	if err != nil {
		if s, err := svc2004.Decode(b); err == nil {
			defer clear(s.Points)
			if b, err = signature2007.Encode(s); err != nil {
				return fail(err)
			}
			return Probe{comparison.ModalitySignature, exchange.FormatSignature2007, b}, nil
		}
		return fail(errors.New("neither an ISO/IEC 19794-2 record, bare or behind a CBEFF header, nor a signature of ISO/IEC 19794-7 or SVC2004, nor a container of an embedding or an iris code"))
	}
	switch format {
	case exchange.FormatFinger2005:
		return Probe{comparison.ModalityFinger, exchange.FormatFinger2005, b}, nil
	case exchange.FormatEmbedding:
		return Probe{comparison.ModalityFace, exchange.FormatEmbedding, b}, nil
	case exchange.FormatIris:
		return Probe{comparison.ModalityIris, exchange.FormatIris, b}, nil
	case exchange.FormatSignature2007:
		return Probe{comparison.ModalitySignature, exchange.FormatSignature2007, b}, nil
	}
	year, month, day := now.UTC().Date()
	b, err = intake.Finger2005(b, cbeff.Date{Year: uint16(year), Month: uint8(month), Day: uint8(day)})
	if err != nil {
		return fail(err)
	}
	return Probe{comparison.ModalityFinger, exchange.FormatFinger2005, b}, nil
}
