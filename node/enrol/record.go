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
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
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
		return gallery.Enrolment{}, broken("line", "is not one JSON object with exactly the members of a manifest record")
	}
	return r.enrolment(jurisdiction, files)
}

// thumbprintLen is the length of 32 bytes in base64url; a longer text that decodes to
// 32 bytes holds line breaks.
const thumbprintLen = 43

func tooLong() error {
	return broken("line", "is longer than 196,608 bytes: put templates into files")
}

func (r Record) enrolment(jurisdiction string, files fs.FS) (gallery.Enrolment, error) {
	var e gallery.Enrolment
	id, err := pseudonym.Identifier{Jurisdiction: jurisdiction, Type: r.Subject.Type, Value: r.Subject.Value}.Normalize()
	if err != nil {
		return e, broken("subject", "is not a passport or national_number of 1 to 32 letters A-Z and digits")
	}
	e.Subject = id
	if len(r.HolderKey) > 0 {
		var k jose.PublicKey
		if err := json.Unmarshal(r.HolderKey, &k); err != nil {
			return gallery.Enrolment{}, broken("holder_key", "is not an Ed25519 public JWK")
		}
		e.Holder = k.KeyID()
	}
	if r.HolderJKT != "" {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(r.HolderJKT)
		if err != nil || len(raw) != 32 || len(r.HolderJKT) != thumbprintLen || e.Holder != "" {
			return gallery.Enrolment{}, broken("holder_jkt", "is not a SHA-256 thumbprint in base64url, or stands beside holder_key")
		}
		e.Holder = r.HolderJKT
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

// wipe clears the templates of an enrolment that is done with.
func wipe(e gallery.Enrolment) {
	for _, t := range e.Templates {
		clear(t.Data)
	}
}

func (b Biometric) template(at string, files fs.FS) (gallery.Template, error) {
	var data []byte
	switch {
	case (b.Data == "") == (b.File == ""):
		return gallery.Template{}, broken(at, "must have data or file, not both")
	case b.Data != "":
		var err error
		// The decoder skips line breaks; the standard has none.
		if data, err = base64.StdEncoding.Strict().DecodeString(b.Data); err != nil || strings.ContainsAny(b.Data, "\r\n") {
			return gallery.Template{}, broken(at+".data", "is not standard base64")
		}
	default:
		var err error
		if data, err = readFile(files, b.File); err != nil {
			return gallery.Template{}, broken(at+".file", err.Error())
		}
	}
	return NewTemplate(at, b.Modality, b.Format, data)
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
// gallery stores. at says where it stands, for the error.
func NewTemplate(at, modality, format string, data []byte) (gallery.Template, error) {
	t := gallery.Template{Modality: modality, Format: format, Data: data}
	if len(data) > gallery.MaxRecordSize {
		return gallery.Template{}, &RuleError{protocol.CodeTemplate, at, fmt.Sprintf("is larger than %d bytes", gallery.MaxRecordSize)}
	}
	var err error
	switch {
	case modality == "finger" && format == exchange.FormatFinger2005:
		t.Position, err = checkFinger(data)
	case modality == "face" && format == exchange.FormatEmbedding:
		err = checkFace(data)
	default:
		return gallery.Template{}, broken(at, "modality and format are not a pair that this node compares")
	}
	if err != nil {
		return gallery.Template{}, &RuleError{protocol.CodeTemplate, at, rule(err)}
	}
	return t, nil
}

func checkFinger(data []byte) (uint8, error) {
	samples, err := exchange.DecodeFinger(data)
	if err != nil {
		return 0, err
	}
	for _, s := range samples {
		t, err := finger.Prepare(s)
		if err != nil {
			return 0, err
		}
		t.Wipe()
	}
	return samples[0].Position, nil
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
	if errors.Is(err, finger.ErrTooFewMinutiae) {
		return "has too few minutiae to be compared"
	}
	return "is not a valid template of this format"
}
