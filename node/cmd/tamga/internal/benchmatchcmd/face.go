package benchmatchcmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/search"
)

const (
	benchModel = "bench"
	benchDims  = 512
	benchBatch = 64 // probes of one pass over memory
	// benchSeed makes every run search the same vectors.
	benchSeed = 20020101
)

// benchID is the handle of reference i.
func benchID(i int) (id search.ID) {
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

// benchVector draws one embedding; the same for every run.
func benchVector(r *rand.PCG, into []int8) {
	for i := 0; i < len(into); i += 8 {
		w := r.Uint64()
		for k := range 8 {
			into[i+k] = int8(w >> (8 * k))
		}
	}
}

// faces measures 1:1 and 1:N on random embeddings, and has peers search the same.
func (m *matchBench) faces(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "tamga-bench-")
	if err != nil {
		return fmt.Errorf("making room for vectors: %w", err)
	}
	defer os.RemoveAll(dir)
	peers := m.peers(dir)
	n := m.sized(1_000_000)
	one, err := search.NewFaces(benchModel, benchDims, search.Config{})
	if err != nil {
		return err
	}
	defer one.Close()
	probes, err := m.enrolFaces(ctx, one, n, filepath.Join(dir, "vectors.i8"), len(peers) > 0)
	if err != nil {
		return err
	}
	single, batch, err := m.searchFaces(ctx, one, probes, n)
	if err != nil {
		return err
	}
	if err := m.compareFaces(ctx, probes); err != nil {
		return err
	}
	for _, p := range peers {
		m.askPeer(ctx, p, filepath.Join(dir, "vectors.i8"), n, single, batch)
	}
	return ctx.Err()
}

// enrolFaces fills the index, writes the same vectors to a file when asked to, and returns
// probes: every probe is a reference with a little noise.
func (m *matchBench) enrolFaces(ctx context.Context, index *search.Faces, n int, path string, write bool) (_ []*face.Template, err error) {
	var out *bufio.Writer
	if write {
		f, err := os.Create(path)
		if err != nil {
			return nil, fmt.Errorf("writing vectors: %w", err)
		}
		out = bufio.NewWriterSize(f, 1<<20)
		defer func() { err = errors.Join(err, out.Flush(), f.Close()) }()
	}
	r := rand.NewPCG(benchSeed, 1)
	v, raw := make([]int8, benchDims), make([]byte, benchDims)
	var probes []*face.Template
	err = m.progress(ctx, "faces", n, func(i int) error {
		benchVector(r, v)
		t, err := face.NewInt8(benchModel, v)
		if err != nil {
			return err
		}
		if i%(n/benchBatch) == 0 && len(probes) < benchBatch {
			noisy := append([]int8(nil), v...)
			for k := 0; k < benchDims; k += 7 {
				noisy[k] = -noisy[k] | 1
			}
			p, err := face.NewInt8(benchModel, noisy)
			if err != nil {
				return err
			}
			probes = append(probes, p)
		}
		if write {
			if err := t.Quantize(v); err != nil {
				return err
			}
			for k, x := range v {
				raw[k] = byte(x)
			}
			if _, err := out.Write(raw); err != nil {
				return fmt.Errorf("writing vectors: %w", err)
			}
		}
		return index.Add(benchID(i), t)
	})
	return probes, err
}

// searchFaces measures searches and returns the processor time of one probe alone and of a batch.
func (m *matchBench) searchFaces(ctx context.Context, one *search.Faces, probes []*face.Template, n int) (single, batch float64, err error) {
	o := search.Options{Limit: search.Everyone, Most: 10}
	results := make([]search.Result, len(probes))
	wrong := 0
	check := func(i int) {
		if results[i].Outcome != search.CandidatesOnly || results[i].Candidates[0].ID != benchID(i*(n/benchBatch)) {
			wrong++
		}
	}
	single, elapsed, err := measure(ctx, func() error {
		err := one.Search(ctx, probes[0], o, &results[0])
		check(0)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	batch, _, err = measure(ctx, func() error {
		err := one.SearchBatch(ctx, probes, o, results)
		for i := range results {
			check(i)
		}
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if wrong > 0 {
		return 0, 0, fmt.Errorf("%d probes did not find the reference that they were made from", wrong)
	}
	read, err := memoryRate(ctx)
	if err != nil {
		return 0, 0, err
	}
	rate := float64(n) * benchDims / single / 1e9
	name := fmt.Sprintf("%d references of %d dimensions", n, benchDims)
	m.report.add(matchRow{Modality: "face", What: "one probe among " + name, Value: 1000 * single, Unit: "ms of one core", Goal: "<= 14 for 1000000"})
	m.report.add(matchRow{Modality: "face", What: "one probe, elapsed", Value: 1000 * elapsed, Unit: "ms"})
	m.report.add(matchRow{Modality: "face", What: "one probe, memory read", Value: rate, Unit: "GB/s"})
	m.report.add(matchRow{Modality: "face", What: "one probe, beside plain reading of memory", Value: rate / read, Unit: fmt.Sprintf("of %.3g GB/s", read), Goal: "near 1"})
	m.report.add(matchRow{Modality: "face", What: fmt.Sprintf("%d probes at a time", len(probes)),
		Value: float64(n) * float64(len(probes)) / batch / 1e6, Unit: "M dot products/s/core", Goal: ">= 250 with AVX-512"})
	m.report.add(matchRow{Modality: "face", What: "memory of a reference", Value: float64(one.Memory()) / float64(one.Len()), Unit: "bytes"})
	return single, batch, nil
}

// memoryRate reads memory as fast as the standard library does, which is with vector
// instructions where there are any, and returns GB/s of processor time.
func memoryRate(ctx context.Context) (float64, error) {
	b := bytes.Repeat([]byte{1}, 256<<20) // written, so that every page is there
	cpu, _, err := measure(ctx, func() error {
		if bytes.IndexByte(b, 0) >= 0 {
			return errors.New("memory changed by itself")
		}
		return nil
	})
	return float64(len(b)) / cpu / 1e9, err
}

// compareFaces measures 1:1.
func (m *matchBench) compareFaces(ctx context.Context, probes []*face.Template) error {
	const rounds = 50
	cpu, _, err := measure(ctx, func() error {
		for range rounds {
			for _, a := range probes {
				for _, b := range probes {
					if _, err := face.Compare(a, b); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.report.add(matchRow{Modality: "face", What: "one to one", Value: rounds * float64(len(probes)*len(probes)) / cpu, Unit: "comparisons/s/core"})
	return nil
}
