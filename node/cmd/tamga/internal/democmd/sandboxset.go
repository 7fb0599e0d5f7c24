package democmd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// evaluationSetFlags say what to write.
type evaluationSetFlags struct {
	modality, out, extractor string
	count                    int
	seed                     uint64
}

// evaluationSet is one modality's kind of folder.
type evaluationSet struct {
	people int // by default
	write  func(f evaluationSetFlags, p *synth.Population) (files int, err error)
}

func evaluationSets() map[string]evaluationSet {
	return map[string]evaluationSet{
		"finger":    {30, fingerSet},
		"face":      {1500, faceSet},
		"iris":      {54, irisSet},
		"signature": {40, signatureSet},
	}
}

func evaluationSetCommand(a *cli.App) *cobra.Command {
	var f evaluationSetFlags
	c := &cobra.Command{
		Use:   "evaluation-set",
		Short: "Write a folder of synthetic captures for tamga evaluate",
		Long: `Writes captures that come good and bad, as real ones do, laid out as ` + "`tamga evaluate`" + ` reads
them: fingers of four sensors, 8 impressions each, as SET_FINGER_IMPRESSION.iso; embeddings128.f32
of faces, 1 to 20 a person; codes2048.bin of irises, 7 an eye; signatures as UnSm.TXT, 20 genuine
and 20 forged. The same fingers touch all four sensors, so that searches of all sets' references
find others of the same finger: of ranks and FPIR, only those of each set mean something.
The error rates come near those of FVC2002, LFW, CASIA-IrisV1 and SVC2004. The same
seed writes the same files.`,
		Example: `  tamga sandbox evaluation-set --modality finger --out fingers
  tamga evaluate finger --data fingers -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return writeEvaluationSet(a, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.modality, "modality", "", "finger, face, iris or signature (required)")
	flags.StringVar(&f.out, "out", "", "folder to write, made when absent; must be empty (required)")
	flags.IntVar(&f.count, "count", 0, "how many people, up to 20000 (default 30 for fingers, 1500 faces, 54 irises, 40 signatures)")
	flags.Uint64Var(&f.seed, "seed", 1, "another number makes other people")
	flags.StringVar(&f.extractor, "extractor", "sparse", "of fingers: sparse, as SecuGen's, or dense, as FingerJetFX")
	return c
}

// maxSet bounds a set: fingers are 32 files a person.
const maxSet = 20_000

func writeEvaluationSet(a *cli.App, f evaluationSetFlags) error {
	set, ok := evaluationSets()[f.modality]
	if !ok || f.out == "" || f.count < 0 || f.count > maxSet || f.extractor != "sparse" && f.extractor != "dense" {
		return fault.Usage("--modality finger, face, iris or signature, --out, a --count of up to 20000 and --extractor sparse or dense are taken")
	}
	if f.count == 0 {
		f.count = set.people
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return fmt.Errorf("writing evaluation set: %w", err)
	}
	if entries, err := os.ReadDir(f.out); err != nil || len(entries) > 0 {
		return fault.Usage("--out is not an empty folder: synthetic and other data would mix")
	}
	files, err := set.write(f, synth.New(f.seed, "KAZ"))
	if err != nil {
		return fmt.Errorf("writing evaluation set: %w", err)
	}
	a.Say("hint: tamga evaluate %s --data %s", f.modality, f.out)
	return a.Emit(map[string]any{"modality": f.modality, "people": f.count, "files": files}, [][2]string{
		{"modality", f.modality}, {"people", fmt.Sprint(f.count)}, {"files", fmt.Sprint(files)},
	})
}

const setImpressions = 8

func fingerSet(f evaluationSetFlags, p *synth.Population) (files int, err error) {
	by := synth.ExtractorSparse
	if f.extractor == "dense" {
		by = synth.ExtractorDense
	}
	for _, s := range []synth.Sensor{synth.SensorOptical, synth.SensorOpticalFine, synth.SensorCapacitive, synth.SensorIdeal} {
		for i := range f.count {
			for n := range setImpressions {
				name := fmt.Sprintf("synth_%s_%d_%d.iso", s, i+1, n+1)
				record := p.Person(i).FingerCapture(uint8(1+i%10), n, s, by)
				if err := os.WriteFile(filepath.Join(f.out, name), record, 0o644); err != nil {
					return files, err
				}
				files++
			}
		}
	}
	return files, nil
}

const setDims = 128

func faceSet(f evaluationSetFlags, p *synth.Population) (files int, err error) {
	var matrix, table bytes.Buffer
	table.WriteString("row\tsubject\tsample\n")
	row := 0
	for i := range f.count {
		for n := range faceCaptures(i) {
			_ = binary.Write(&matrix, binary.LittleEndian, p.Person(i).FaceCapture(n, setDims)) // a Buffer takes all
			fmt.Fprintf(&table, "%d\ts%05d\t%d\n", row, i, n+1)
			row++
		}
	}
	return 2, writePair(f.out, "embeddings128.f32", matrix.Bytes(), "embeddings128.tsv", table.Bytes())
}

// faceCaptures is uneven as in LFW: most people occur once, few often.
func faceCaptures(i int) int {
	switch {
	case i%40 == 0:
		return 20
	case i%10 == 0:
		return 5
	case i%3 == 0:
		return 2
	}
	return 1
}

const setIrises = 7

func irisSet(f evaluationSetFlags, p *synth.Population) (files int, err error) {
	var matrix, table bytes.Buffer
	table.WriteString("row\teye\tsample\n")
	for i := range f.count {
		for n := range setIrises {
			c := p.Person(i).IrisCapture(uint8(i%2), n)
			matrix.Write(c.Code())
			matrix.Write(c.Mask())
			fmt.Fprintf(&table, "%d\te%05d\t%d\n", i*setIrises+n, i, n+1)
		}
	}
	return 2, writePair(f.out, "codes2048.bin", matrix.Bytes(), "codes2048.tsv", table.Bytes())
}

func writePair(dir, matrix string, m []byte, table string, t []byte) error {
	if err := os.WriteFile(filepath.Join(dir, matrix), m, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, table), t, 0o644)
}

const setSignatures = 20 // of each kind

func signatureSet(f evaluationSetFlags, p *synth.Population) (files int, err error) {
	for i := range f.count {
		for n := range 2 * setSignatures {
			s := p.Person(i).SignatureCapture(n)
			if n >= setSignatures {
				s = p.Person(i).Forgery(n - setSignatures)
			}
			text, err := svc2004.Encode(s)
			if err != nil {
				return files, err
			}
			if err := os.WriteFile(filepath.Join(f.out, fmt.Sprintf("U%dS%d.TXT", i+1, n+1)), text, 0o644); err != nil {
				return files, err
			}
			files++
		}
	}
	return files, nil
}
