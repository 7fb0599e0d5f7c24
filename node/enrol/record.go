// Package enrol brings people into a gallery in bulk: it reads an NDJSON manifest or a
// folder of ISO/IEC 19794-2 templates, checks every record, and hands what is good
// to a [Sink] batch by batch.
//
// Open a [Source] with [Manifest] or [Folder], then call [Import]. A record that
// breaks a rule is reported with its place and the rule, never with what it says,
// and changes nothing; the others are enrolled. An import that was cut off resumes
// after the last batch that was acknowledged.
// What one import adds is recorded under its name, see [NewBatchID], by which the gallery
// takes it back; [Batches] lists them.
//
// Manifest: one JSON object a line.
//
//	{"subject":{"type":"national_number","value":"..."},
//	 "holder_key":{"kty":"OKP","crv":"Ed25519","x":"..."},            optional
//	 "class":"minor",                                                 optional
//	 "biometrics":[{"modality":"finger","format":"iso-19794-2-2005","data":"<base64>"},
//	               {"modality":"face","format":"tamga-embedding-1","file":"faces/1.emb"}]}
//
// A finger may also be of format "iso-19794-2-2011" or, behind a CBEFF header,
// "iso-19785-3-bit"; it is stored as a record of 2005.
//
// What could not be captured is said in place of a template or beside others, so that
// a person without usable fingers is enrolled with what there is:
//
//	"absent":[{"modality":"finger","position":3,"reason":"amputated"},
//	          {"modality":"face","reason":"unable_to_capture"}]
//
// with the reason amputated, unable_to_capture (bandaged, diseased or out of reach),
// not_captured or not_extracted, and no position, or 0, for all of a modality. Finger
// records say the same in themselves, and then it is taken from there.
//
// class is what the person is in law, a word of the vocabulary (adult, minor, ward, protected); law may ask for it. What is
// said last holds, and a record that says nothing leaves it.
//
// holder_key is the public key with which the person signs consents; holder_jkt, in
// its place, is that key's RFC 7638 SHA-256 thumbprint. consent is the artefact by which
// alone the person is held, if there is one (node/holding); its form is looked at here. A file is named relative to
// the manifest's folder and may not lie outside it.
//
// Invariants:
//
//   - no error, outcome or checkpoint says what a record contains; a file's name may
//     be an identifier and is not said either;
//   - records are enrolled and reported in the order of the source, and parsed in any;
//   - no more than two batches of records are in memory, however long the source is;
//     of a folder also the names;
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
	"slices"
	"strings"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/gallery"
)

// Record is one line of a manifest.
type Record struct {
	Subject    Subject         `json:"subject"`
	HolderKey  json.RawMessage `json:"holder_key,omitempty"`
	HolderJKT  string          `json:"holder_jkt,omitempty"`
	Class      string          `json:"class,omitempty"`
	Biometrics []Biometric     `json:"biometrics,omitempty"`
	Absent     []Absent        `json:"absent,omitempty"`
	Consent    string          `json:"consent,omitempty"`
}

// RecordOf is the record that ParseRecord reads back as e.
func RecordOf(e gallery.Enrolment) Record {
	r := Record{Subject: Subject{Type: e.Subject.Type, Value: e.Subject.Value}, HolderJKT: e.Holder, Class: e.Class, Consent: e.Artefact}
	for _, t := range e.Templates {
		r.Biometrics = append(r.Biometrics, Biometric{Modality: t.Modality, Format: t.Format, Data: base64.StdEncoding.EncodeToString(t.Data)})
	}
	for _, a := range e.Absences {
		r.Absent = append(r.Absent, Absent{Modality: a.Modality, Position: a.Position, Reason: a.Reason})
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
	Member string        // for instance "biometrics[0].data"; empty when it is about the subject as enrolled
	Rule   string
}

func (e *RuleError) Error() string {
	if e.Member == "" {
		return e.Rule
	}
	return e.Member + ": " + e.Rule
}

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
	if len(r.Consent) > consent.MaxSize {
		return gallery.Enrolment{}, broken("consent", fmt.Sprintf("is longer than %d bytes", consent.MaxSize))
	}
	e.Artefact = r.Consent
	if r.Class != "" && !slices.Contains(vocabulary.SubjectClasses(), r.Class) {
		return gallery.Enrolment{}, broken("class", "must be one of "+strings.Join(vocabulary.SubjectClasses(), ", "))
	}
	e.Class = r.Class
	if len(r.Biometrics) > gallery.MaxRecords || len(r.Biometrics) == 0 && len(r.Absent) == 0 {
		return gallery.Enrolment{}, broken("biometrics", fmt.Sprintf("must hold 1 to %d templates, or absent say why there are none", gallery.MaxRecords))
	}
	for i, b := range r.Biometrics {
		t, absent, err := b.template(fmt.Sprintf("biometrics[%d]", i), files)
		if err != nil {
			wipe(e)
			return gallery.Enrolment{}, err
		}
		if t.Data != nil {
			e.Templates = append(e.Templates, t)
		}
		e.Absences = union(e.Absences, absent...)
	}
	if err := r.absences(&e); err != nil {
		wipe(e)
		return gallery.Enrolment{}, err
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

func (b Biometric) template(at string, files fs.FS) (gallery.Template, []gallery.Absence, error) {
	data, err := b.bytes(at, files)
	if err != nil {
		return gallery.Template{}, nil, err
	}
	if f, err := exchange.Detect(data); b.detect && err == nil {
		b.Format = string(f)
	}
	return NewTemplate(at, b.Modality, b.Format, data)
}

// bytes are the record, from wherever it is.
func (b Biometric) bytes(at string, files fs.FS) (data []byte, err error) {
	switch {
	case b.Data == "" && b.File == "":
		return nil, broken(at, "has neither data nor file")
	case b.Data != "" && b.File != "":
		return nil, broken(at, "has data and file: give one of them")
	case b.Data != "":
		// The decoder skips line breaks; the standard has none.
		if fold := strings.IndexAny(b.Data, "\r\n"); fold >= 0 {
			return nil, broken(at+".data", fmt.Sprintf("is not standard base64: line break at character %d", fold+1))
		}
		if data, err = base64.StdEncoding.Strict().DecodeString(b.Data); err != nil {
			return nil, broken(at+".data", "is not standard base64"+where(err))
		}
	default:
		if data, err = readFile(files, b.File); err != nil {
			return nil, broken(at+".file", err.Error())
		}
	}
	return data, nil
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
