package face

import (
	"embed"
	"errors"
	"strings"
	"sync"

	"github.com/tamga-id/tamga/matcher/calibration"
)

// Identifiers of the models with a calibration.
const (
	// ModelSynth names the vectors of the synthetic people of package synth. No camera was
	// involved: a node must not accept it outside a sandbox.
	ModelSynth = "tamga-synth-face-1"
	// ModelMobileFaceNet is a MobileFaceNet of 128 dimensions over faces aligned by YuNet, the
	// vectors of the image and its mirror image summed.
	ModelMobileFaceNet = "mobilefacenet-128"
)

// ErrUnknownModel says that no calibration exists for a model, so no score of it can be turned into a decision.
var ErrUnknownModel = errors.New("finding face threshold: model is not calibrated")

// Model describes a face recognition model that this package can decide with.
type Model struct {
	ID   string // identifier, as carried in the embedding container
	Dims int    // number of values of its vectors
	// Metric is what its scores are. A calibration of scores of another is not accepted.
	Metric Metric
}

// The calibrations, made by "tamga calibrate face":
//
//   - mobilefacenet-128 from the LFW embeddings of the test data. About twenty of the highest non-mated scores look
//     like LFW's known labelling errors, which can only push the strict thresholds up.
//   - tamga-synth-face-1 from synthetic people, reference against probe.
//
//go:embed *.calibration.json
var files embed.FS

// models are the models by identifier, read once.
var models = sync.OnceValue(func() map[string]model {
	out := map[string]model{}
	for _, m := range []Model{{ModelMobileFaceNet, 128, Cosine}, {ModelSynth, 128, Cosine}} {
		b, err := files.ReadFile(m.ID + ".calibration.json")
		if err != nil {
			panic("face: " + err.Error())
		}
		out[m.ID] = model{m, calibration.MustParse(b, Comparator(m.ID))}
	}
	return out
})

type model struct {
	Model
	calibration *calibration.Calibration
}

// Comparator names what computes the scores of a model, for its calibration.
func Comparator(model string) string { return string(Cosine) + " of " + model }

// ComparatorModel is the model that a name by [Comparator] is of.
func ComparatorModel(comparator string) (model string, ok bool) {
	return strings.CutPrefix(comparator, "cosine of ")
}

// Lookup finds a model with a calibration.
func Lookup(id string) (Model, bool) {
	m, ok := models()[id]
	return m.Model, ok
}

// Calibration says what the scores of a model mean. The error is [ErrUnknownModel].
func Calibration(id string) (*calibration.Calibration, error) {
	m, ok := models()[id]
	if !ok {
		return nil, ErrUnknownModel
	}
	return m.calibration, nil
}

// Threshold gives the least score at which a single comparison of the model is accepted at an FMR of at most
// 1/fmrOneIn. The error is [ErrUnknownModel], or [calibration.ErrUnsupported] when fmrOneIn is 0 or asks for more than
// was measured; both mean that nothing may be decided.
func Threshold(model string, fmrOneIn uint32) (float64, error) {
	c, err := Calibration(model)
	if err != nil {
		return 0, err
	}
	claim, err := c.Threshold(fmrOneIn)
	return claim.Score, err
}
