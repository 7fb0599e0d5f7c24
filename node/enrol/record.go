// Package enrol brings people into a gallery in bulk: it reads an NDJSON manifest or a
// folder of ISO/IEC 19794-2 templates, checks every record, and hands what is good
// to a [Sink] batch by batch.
//
// Open a [Source] with [Manifest] or [Folder], then call [Import]. A record that
// breaks a rule is reported with its place and the rule, never with what it says,
// and changes nothing; the others are enrolled. An import that was cut off resumes
// after the last batch that was acknowledged.
//
// Manifest: one JSON object a line.
//
//	{"subject":{"type":"national_number","value":"..."},
//	 "holder_key":{"kty":"OKP","crv":"Ed25519","x":"..."},            optional
//	 "biometrics":[{"modality":"finger","format":"iso-19794-2-2005","data":"<base64>"},
//	               {"modality":"face","format":"tamga-embedding-1","file":"faces/1.emb"}]}
//
// A finger may also be of format "iso-19794-2-2011" or, behind a CBEFF header,
// "iso-19785-3-bit"; it is stored as a record of 2005.
//
// holder_key is the public key with which the person signs consents; holder_jkt, in
// its place, is that key's RFC 7638 SHA-256 thumbprint. A file is named relative to
// the manifest's folder and may not lie outside it.
//
// Invariants:
//
//   - no error, outcome or checkpoint says what a record contains; a file's name may
//     be an identifier and is not said either;
//   - records are parsed, enrolled and reported in the order of the source;
//   - every record is enrolled, or reported with the rule it breaks; none is skipped.
package enrol

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/gallery"
)

// Record is one line of a manifest.
type Record struct {
	Subject    Subject         `json:"subject"`
	HolderKey  json.RawMessage `json:"holder_key,omitempty"`
	HolderJKT  string          `json:"holder_jkt,omitempty"`
	Biometrics []Biometric     `json:"biometrics"`
}

// RecordOf is the record that ParseRecord reads back as e.
func RecordOf(e gallery.Enrolment) Record {
	r := Record{Subject: Subject{Type: e.Subject.Type, Value: e.Subject.Value}, HolderJKT: e.Holder}
	for _, t := range e.Templates {
		r.Biometrics = append(r.Biometrics, Biometric{Modality: t.Modality, Format: t.Format, Data: base64.StdEncoding.EncodeToString(t.Data)})
	}
	return r
}

// Subject is an identifier within the node's own jurisdiction.
type Subject struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Biometric is one template: its bytes in standard base64, or the file that holds them.
type Biometric struct {
	Modality string `json:"modality"`
	Format   string `json:"format"`
	Data     string `json:"data,omitempty"`
	File     string `json:"file,omitempty"`

	// detect lets the record's first bytes decide on Format, which is kept where they do not.
	detect bool
}

// RuleError says which rule of the format a record breaks and at which member. It
// never says what the record contains.
type RuleError struct {
	Code   protocol.Code // CodeRecord or CodeTemplate
	Member string        // for instance "biometrics[0].data"
	Rule   string
}

func (e *RuleError) Error() string { return e.Member + ": " + e.Rule }

func broken(member, rule string) error {
	return &RuleError{protocol.CodeRecord, member, rule}
}

// ParseRecord checks a line and returns what it enrols. files resolves "file"
// members; nil allows none.
func ParseRecord(line []byte, jurisdiction string, files fs.FS) (gallery.Enrolment, error) {
	var r Record
	if err := jose.DecodeClaims(line, &r); err != nil {
		if errors.Is(err, jose.ErrTooLarge) {
			return gallery.Enrolment{}, tooLong()
		}
		return gallery.Enrolment{}, notRecord(err)
	}
	return r.enrolment(jurisdiction, files)
}

// notRecord says where a line is not one JSON object with exactly the members of a
// Record. Members that a Record does not have are the file's own and stay unnamed.
func notRecord(err error) error {
	at, ok := errors.AsType[*jose.ClaimsError](err)
	if !ok {
		return broken("line", "is not a JSON object")
	}
	member, rule := at.Member, at.Rule
	if member == "" {
		member = "line"
	}
	return broken(member, fmt.Sprintf("%s (noticed at byte %d)", rule, at.Offset+1))
}

// thumbprintLen is the length of 32 bytes in base64url; a longer text that decodes to
// 32 bytes holds line breaks.
const thumbprintLen = 43

func tooLong() error {
	return broken("line", "is longer than 196,608 bytes: put templates into files")
}

func (r Record) enrolment(jurisdiction string, files fs.FS) (gallery.Enrolment, error) {
	var e gallery.Enrolment
	var err error
	if e.Subject, err = r.Subject.identifier(jurisdiction); err != nil {
		return gallery.Enrolment{}, err
	}
	if e.Holder, err = r.holder(); err != nil {
		return gallery.Enrolment{}, err
	}
	if len(r.Biometrics) == 0 || len(r.Biometrics) > gallery.MaxRecords {
		return gallery.Enrolment{}, broken("biometrics", fmt.Sprintf("must hold 1 to %d templates", gallery.MaxRecords))
	}
	for i, b := range r.Biometrics {
		t, err := b.template(fmt.Sprintf("biometrics[%d]", i), files)
		if err != nil {
			wipe(e)
			return gallery.Enrolment{}, err
		}
		e.Templates = append(e.Templates, t)
	}
	return e, nil
}

func (s Subject) identifier(jurisdiction string) (pseudonym.Identifier, error) {
	switch s.Type {
	case pseudonym.IDPassport, pseudonym.IDNationalNumber:
	case "":
		return pseudonym.Identifier{}, broken("subject.type", "is missing")
	default:
		return pseudonym.Identifier{}, broken("subject.type", "must be "+pseudonym.IDPassport+" or "+pseudonym.IDNationalNumber)
	}
	if s.Value == "" {
		return pseudonym.Identifier{}, broken("subject.value", "is missing")
	}
	id, err := pseudonym.Identifier{Jurisdiction: jurisdiction, Type: s.Type, Value: s.Value}.Normalize()
	if err != nil {
		return pseudonym.Identifier{}, broken("subject.value", "must be 1 to 32 letters A-Z and digits; spaces, hyphens, underscores and full stops are ignored")
	}
	return id, nil
}

// holder is the thumbprint of the person's consent key, or empty.
func (r Record) holder() (string, error) {
	switch {
	case len(r.HolderKey) > 0 && r.HolderJKT != "":
		return "", broken("holder_jkt", "stands beside holder_key: give one of them")
	case len(r.HolderKey) > 0:
		var k jose.PublicKey
		// Not json.Unmarshal, whose own faults quote what they found.
		if err := k.UnmarshalJSON(r.HolderKey); err != nil {
			return "", broken("holder_key", "is not an Ed25519 public JWK: "+err.Error())
		}
		return k.KeyID(), nil
	case r.HolderJKT != "":
		raw, err := base64.RawURLEncoding.Strict().DecodeString(r.HolderJKT)
		if err != nil || len(raw) != sha256.Size || len(r.HolderJKT) != thumbprintLen {
			return "", broken("holder_jkt", fmt.Sprintf("is not a SHA-256 thumbprint: %d characters of base64url", thumbprintLen))
		}
	}
	return r.HolderJKT, nil
}

// wipe clears the templates of an enrolment that is done with.
func wipe(e gallery.Enrolment) {
	for _, t := range e.Templates {
		clear(t.Data)
	}
}

func (b Biometric) template(at string, files fs.FS) (gallery.Template, error) {
	var data []byte
	switch {
	case b.Data == "" && b.File == "":
		return gallery.Template{}, broken(at, "has neither data nor file")
	case b.Data != "" && b.File != "":
		return gallery.Template{}, broken(at, "has data and file: give one of them")
	case b.Data != "":
		var err error
		// The decoder skips line breaks; the standard has none.
		if fold := strings.IndexAny(b.Data, "\r\n"); fold >= 0 {
			return gallery.Template{}, broken(at+".data", fmt.Sprintf("is not standard base64: line break at character %d", fold+1))
		}
		if data, err = base64.StdEncoding.Strict().DecodeString(b.Data); err != nil {
			return gallery.Template{}, broken(at+".data", "is not standard base64"+where(err))
		}
	default:
		var err error
		if data, err = readFile(files, b.File); err != nil {
			return gallery.Template{}, broken(at+".file", err.Error())
		}
	}
	if f, err := exchange.Detect(data); b.detect && err == nil {
		b.Format = string(f)
	}
	return NewTemplate(at, b.Modality, b.Format, data)
}

// where is the place of a fault in base64.
func where(err error) string {
	if at, ok := errors.AsType[base64.CorruptInputError](err); ok {
		return fmt.Sprintf(": character %d", int64(at)+1)
	}
	return ""
}

func readFile(files fs.FS, name string) ([]byte, error) {
	if files == nil {
		return nil, errors.New("cannot be used here: send data")
	}
	if !fs.ValidPath(name) {
		return nil, errors.New("must be a path below the manifest's folder, with / and no parent folders")
	}
	// Asked first, because opening a named pipe waits for a writer.
	if info, err := fs.Stat(files, name); err != nil {
		return nil, errors.New("is not there, or lies outside the folder")
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, errors.New("cannot be opened")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, gallery.MaxRecordSize+1))
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	return data, nil
}

// NewTemplate checks data against the format it names and returns what the
// gallery stores: finger records of other editions and behind CBEFF headers become
// records of ISO/IEC 19794-2:2005, and data is wiped then. at says where it stands,
// for the error.
func NewTemplate(at, modality, format string, data []byte) (gallery.Template, error) {
	t := gallery.Template{Modality: modality, Format: format, Data: data}
	if len(data) > gallery.MaxRecordSize {
		return gallery.Template{}, &RuleError{protocol.CodeTemplate, at, fmt.Sprintf("is larger than %d bytes", gallery.MaxRecordSize)}
	}
	var err error
	switch {
	case modality == "finger" && readsFinger(format):
		t.Format = exchange.FormatFinger2005
		t.Data, t.Position, err = finger2005(format, data)
	case modality == "face" && format == exchange.FormatEmbedding:
		err = checkFace(data)
	default:
		return gallery.Template{}, unknownFormat(at, modality)
	}
	if err != nil {
		return gallery.Template{}, &RuleError{protocol.CodeTemplate, at, rule(err)}
	}
	return t, nil
}

// unknownFormat says which of the two names is not one that this node compares.
func unknownFormat(at, modality string) error {
	want, ok := map[string]string{"finger": exchange.FormatFinger2005, "face": exchange.FormatEmbedding}[modality]
	if !ok {
		return broken(at+".modality", "must be finger or face")
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
func finger2005(format string, data []byte) (out []byte, position uint8, err error) {
	if format == exchange.FormatFinger2005 {
		position, err = checkFinger(data)
		return data, position, err
	}
	if f, err := exchange.Detect(data); err != nil || string(f) != format {
		return nil, 0, &exchange.FormatError{Format: format, Rule: "record is of another format"}
	}
	defer clear(data)
	year, month, day := time.Now().UTC().Date()
	out, err = intake.Finger2005(data, cbeff.Date{Year: uint16(year), Month: uint8(month), Day: uint8(day)})
	if err != nil {
		return nil, 0, err
	}
	if len(out) > gallery.MaxRecordSize {
		return nil, 0, &exchange.FormatError{Format: format, Rule: "record is too large once converted"}
	}
	position, err = checkFinger(out)
	return out, position, err
}

// errMissing says that a record's fingers are missing or could not be captured: a
// finding about the person, and no fault of the record.
var errMissing = errors.New("checking finger record: every finger in it is missing")

// checkFinger gives the position of the first finger that there is. Missing ones are
// kept in the record beside it.
func checkFinger(data []byte) (position uint8, err error) {
	samples, err := exchange.DecodeFinger(data)
	if err != nil {
		return 0, err
	}
	err = errMissing
	for _, s := range samples {
		if s.Absent != finger.Present {
			continue
		}
		t, prepareErr := finger.Prepare(s)
		if prepareErr != nil {
			return 0, prepareErr
		}
		t.Wipe()
		if err != nil {
			position, err = s.Position, nil
		}
	}
	return position, err
}

func checkFace(data []byte) error {
	t, err := exchange.DecodeEmbedding(data)
	if err == nil {
		t.Wipe()
	}
	return err
}

// rule is what a decoder's error says about the format; those errors name offsets
// and rules only.
func rule(err error) string {
	if f, ok := errors.AsType[*exchange.FormatError](err); ok {
		return f.Error()
	}
	switch {
	case errors.Is(err, finger.ErrTooFewMinutiae):
		return "has too few minutiae to be compared"
	case errors.Is(err, errMissing):
		return "says of each of its fingers that it is missing or was not captured: enrol another finger or a face"
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
