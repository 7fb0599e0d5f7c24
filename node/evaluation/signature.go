package evaluation

import (
	"errors"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/signature"
)

// genuineSignatures is how many of a writer's numbers are genuine in SVC2004;
// those above are skilled forgeries.
const genuineSignatures = 20

var signatureName = regexp.MustCompile(`^U([1-9][0-9]{0,8})S([1-9][0-9]{0,8})\.TXT$`)

// ReadSignatures reads the files named UnSm.TXT in dir, in the text format of
// SVC2004: writer n, number m, genuine up to 20. What does not decode, or
// decodes to what is no signature, becomes a failure and is named in the Folder;
// a name that does not say whose it is, or a file that cannot be read, fails the whole.
func ReadSignatures(dir string) ([]evaluate.SignatureSample, Folder, error) {
	var f Folder
	names, err := f.files(dir, ".TXT")
	if err != nil {
		return nil, f, err
	}
	var wrong Problems
	out := make([]evaluate.SignatureSample, 0, len(names))
	for _, name := range names {
		m := signatureName.FindStringSubmatch(name)
		if m == nil {
			wrong = append(wrong, Problem{name, "the name is not UnSm.TXT, n the writer and m the number"})
			continue
		}
		number, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, f, errors.New("reading data folder: number of a signature is out of range")
		}
		s := evaluate.SignatureSample{Writer: m[1], Number: number, Forged: number > genuineSignatures}
		raw, err := read(filepath.Join(dir, name), svc2004.Max)
		if unread(err) {
			wrong = append(wrong, Problem{name, rule(err)})
			continue
		}
		if err == nil {
			s.Sample, err = svc2004.Decode(raw)
		}
		if err == nil {
			var t *signature.Template
			t, err = signature.Prepare(s.Sample)
			t.Wipe()
		}
		if err != nil {
			f.Failed = append(f.Failed, Problem{name, rule(err)})
			s.Sample = signature.Sample{}
		}
		out = append(out, s)
	}
	if wrong != nil {
		return nil, f, wrong
	}
	return out, f, nil
}
