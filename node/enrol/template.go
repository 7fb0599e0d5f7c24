package enrol

import (
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/protect"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/node/gallery"
)

// NewTemplate checks data against the format it names and returns what the
// gallery stores: finger records of other editions and behind CBEFF headers become
// records of ISO/IEC 19794-2:2005, and data is wiped then. Fingers that a record calls
// missing are returned as absences, and when it has no others the template is the zero
// value. at says where it stands, for the error.
func NewTemplate(at, modality, format string, data []byte) (gallery.Template, []gallery.Absence, error) {
	t := gallery.Template{Modality: modality, Format: format, Data: data}
	if len(data) > gallery.MaxRecordSize {
		return gallery.Template{}, nil, &RuleError{protocol.CodeTemplate, at, fmt.Sprintf("is larger than %d bytes", gallery.MaxRecordSize)}
	}
	var absent []gallery.Absence
	var err error
	switch {
	case modality == "finger" && readsFinger(format):
		t, absent, err = finger2005(format, data)
	case modality == "face" && format == exchange.FormatEmbedding:
		err = checkFace(data)
	case modality == "iris" && format == exchange.FormatIris:
		t.Position, err = checkIris(data)
	case modality == "signature" && (format == exchange.FormatSignature2007 || format == svc2004.Format):
		t, err = signature2007Of(format, data)
	default:
		return gallery.Template{}, nil, unknownFormat(at, modality)
	}
	if err != nil {
		return gallery.Template{}, nil, &RuleError{protocol.CodeTemplate, at, TemplateRule(err)}
	}
	return t, absent, nil
}

// unknownFormat says which of the two names is not one that this node compares.
func unknownFormat(at, modality string) error {
	want, ok := map[string]string{"finger": exchange.FormatFinger2005, "face": exchange.FormatEmbedding,
		"iris": exchange.FormatIris, "signature": exchange.FormatSignature2007 + " or " + svc2004.Format}[modality]
	if !ok {
		return broken(at+".modality", "must be finger, face, iris or signature")
	}
	return broken(at+".format", "must be "+want+" for "+modality)
}

// readsFinger reports whether package intake knows finger records of a format, if
// only to say why they cannot be enrolled.
func readsFinger(format string) bool {
	switch format {
	case exchange.FormatFinger2005, exchange.FormatFinger2011, exchange.FormatCBEFF,
		exchange.FormatFinger39794, exchange.FormatFinger378, exchange.FormatFingerImage:
		return true
	}
	return false
}

// finger2005 makes the stored record of one in another format. One in the stored
// format stays as it is.
func finger2005(format string, data []byte) (gallery.Template, []gallery.Absence, error) {
	if format == exchange.FormatFinger2005 {
		return checkFinger(data)
	}
	if f, err := exchange.Detect(data); err != nil || string(f) != format {
		return gallery.Template{}, nil, &exchange.FormatError{Format: format, Rule: "record is of another format"}
	}
	defer clear(data)
	year, month, day := time.Now().UTC().Date()
	out, err := intake.Finger2005(data, cbeff.Date{Year: uint16(year), Month: uint8(month), Day: uint8(day)})
	if err != nil {
		return gallery.Template{}, nil, err
	}
	if len(out) > gallery.MaxRecordSize {
		return gallery.Template{}, nil, &exchange.FormatError{Format: format, Rule: "record is too large once converted"}
	}
	return checkFinger(out)
}

// checkFinger makes the template of a record of 2005, at the position of the first
// finger that there is. Missing ones are kept in the record beside it.
func checkFinger(data []byte) (t gallery.Template, absent []gallery.Absence, err error) {
	samples, err := exchange.DecodeFinger(data)
	if err != nil {
		return gallery.Template{}, nil, err
	}
	for _, s := range samples {
		if s.Absent != finger.Present {
			absent = union(absent, gallery.Absence{Modality: "finger", Position: s.Position, Reason: reasonOf(s.Absent)})
			continue
		}
		if err := comparable2005(s); err != nil {
			return gallery.Template{}, nil, err
		}
		if t.Data == nil {
			t = gallery.Template{Modality: "finger", Format: exchange.FormatFinger2005, Position: s.Position, Data: data}
		}
	}
	if t.Data == nil {
		clear(data)
	}
	return t, absent, nil
}

// comparable2005 is the error of finger.Prepare, without the cylinders, which cost
// more than everything else that an import does.
func comparable2005(s finger.Sample) error {
	switch n := len(s.Minutiae); {
	case n < finger.MinMinutiae:
		return finger.ErrTooFewMinutiae
	case n > finger.MaxMinutiae:
		return finger.ErrTooMany
	}
	return nil
}

// checkFace also refuses a model's name that leaves no room for what the node adds when
// it stores the template protected, or that looks like one with that.
func checkFace(data []byte) error {
	t, err := exchange.DecodeEmbedding(data)
	if err != nil {
		return err
	}
	defer t.Wipe()
	if !protect.Protectable(t.Model()) {
		return errModelName
	}
	return nil
}

var errModelName = errors.New("model identifier cannot be stored protected")

func svc2004Rule(err error) string {
	if f, ok := errors.AsType[*svc2004.Error](err); ok {
		return f.Error()
	}
	return ""
}

// checkIris gives the eye that the record names.
func checkIris(data []byte) (eye uint8, err error) {
	c, err := iriscode.Decode(data)
	if err != nil {
		return 0, err
	}
	defer func() { clear(c.Sample.Code[:]); clear(c.Sample.Mask[:]) }()
	t, err := iris.Prepare(c.Sample)
	t.Wipe()
	return c.Eye, err
}

// signature2007Of makes the stored record of one in the text form of SVC2004. One in the stored format stays as it is.
func signature2007Of(format string, data []byte) (gallery.Template, error) {
	decode := signature2007.Decode
	if format == svc2004.Format {
		decode = svc2004.Decode
	}
	s, err := decode(data)
	if err != nil {
		return gallery.Template{}, err
	}
	defer clear(s.Points)
	t, err := signature.Prepare(s)
	if err != nil {
		return gallery.Template{}, err
	}
	t.Wipe()
	if format == svc2004.Format {
		clear(data)
		if data, err = signature2007.Encode(s); err != nil {
			return gallery.Template{}, err
		}
	}
	return gallery.Template{Modality: "signature", Format: exchange.FormatSignature2007, Data: data}, nil
}

// TemplateRule is what an error of a decoder says about the record: the offset and the
// rule that it breaks, and never what it contains.
func TemplateRule(err error) string {
	if f, ok := errors.AsType[*exchange.FormatError](err); ok {
		return f.Error()
	}
	switch {
	case errors.Is(err, errModelName):
		return "names its model by more than 43 characters, or as protected templates are named: enrol what the model computed"
	case errors.Is(err, finger.ErrTooFewMinutiae):
		return "has too few minutiae to be compared"
	case svc2004Rule(err) != "":
		return svc2004Rule(err)
	case errors.Is(err, iris.ErrTooFewBits):
		return "shows too little of the iris to be compared"
	case errors.Is(err, signature.ErrTooFewPoints), errors.Is(err, signature.ErrStill):
		return "is too short for a signature, or the pen does not move"
	case errors.Is(err, cbeff.ErrExpired), errors.Is(err, cbeff.ErrNotYetValid):
		return "is not valid today, as its CBEFF header says"
	case errors.Is(err, intake.ErrNotRead):
		return "is of ISO/IEC 39794-2 or INCITS 378, which are not read: export it as ISO/IEC 19794-2"
	case errors.Is(err, intake.ErrImage):
		return "holds images of fingers, not minutiae: extract templates first, for instance with tamga extract"
	case errors.Is(err, intake.ErrNone):
		return "is a CBEFF group without records: the document says that there are no fingerprints"
	}
	return "is not a valid template of this format"
}
