package benchmatchcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// peerTime is how long another library may take: loading a million vectors included.
const peerTime = 15 * time.Minute

// peer is another library, driven by a script in its own language that measures its own
// processor time on one thread and prints one JSON object.
type peer struct {
	name    string
	program string
	script  string
}

// peerAnswer is what the script prints.
type peerAnswer struct {
	Version string  `json:"version"`
	Single  float64 `json:"single"` // seconds of processor time of one query
	Batch   float64 `json:"batch"`  // ... of benchBatch queries at once
	First   []int   `json:"first"`  // nearest reference of each query
}

// peers finds the libraries that can be asked and says how to get the others.
func (m *matchBench) peers(dir string) (found []peer) {
	if m.flags.noPeers {
		return nil
	}
	tries := []struct {
		name     string
		programs []string
		probe    []string // arguments under which the program ends well when the library is there
		script   string
		install  string
	}{
		{"FAISS", []string{"/usr/bin/python3", "python3"}, []string{"-c", "import faiss, numpy"}, faissScript,
			"apt-get install python3-faiss"},
		{"usearch", []string{"node", "nodejs"}, []string{"-e", "require('usearch')"}, usearchScript,
			"npm install usearch, in this folder or one above"},
	}
	for _, t := range tries {
		p := peer{name: t.name, script: filepath.Join(dir, t.name)}
		for _, program := range t.programs {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			if exec.CommandContext(ctx, program, t.probe...).Run() == nil {
				p.program = program
			}
			cancel()
			if p.program != "" {
				break
			}
		}
		if p.program == "" {
			m.report.note("%s is not installed, so faces are not measured beside it: %s", t.name, t.install)
			continue
		}
		if err := os.WriteFile(p.script, []byte(t.script), 0o600); err != nil {
			m.report.note("%s cannot be asked: no room for its script", t.name)
			continue
		}
		found = append(found, p)
	}
	return found
}

// askPeer has a library search the vectors and reports what it took, and how many times as
// fast this program was. A peer that fails is a note: it is no fault of what is measured.
func (m *matchBench) askPeer(ctx context.Context, p peer, vectors string, n int, single, batch float64) {
	m.app.Say("asking %s", p.name)
	answer, err := p.ask(ctx, vectors, n)
	if err != nil {
		m.report.note("%s: %v", p.name, err)
		return
	}
	name := p.name + " " + answer.Version
	m.report.add(matchRow{Modality: "face", What: "one probe", Peer: name, Value: 1000 * answer.Single, Unit: "ms of one core", Ratio: answer.Single / single})
	m.report.add(matchRow{Modality: "face", What: fmt.Sprintf("%d probes at a time", benchBatch), Peer: name,
		Value: float64(n) * benchBatch / answer.Batch / 1e6, Unit: "M dot products/s/core", Ratio: answer.Batch / batch})
	same := 0
	for i, f := range answer.First {
		if f == i*(n/benchBatch) {
			same++
		}
	}
	if same != benchBatch {
		m.report.note("%s agreed on the nearest reference of %d of %d probes", name, same, benchBatch)
	}
}

func (p peer) ask(ctx context.Context, vectors string, n int) (peerAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	c := exec.CommandContext(ctx, p.program, p.script, vectors, strconv.Itoa(n), strconv.Itoa(benchDims), strconv.Itoa(benchBatch))
	// A script outside the folder would not find what npm installed in it.
	if here, err := os.Getwd(); err == nil {
		c.Env = append(os.Environ(), "NODE_PATH="+nodePath(here))
	}
	out, err := c.Output()
	if err != nil {
		return peerAnswer{}, fmt.Errorf("running it: %w", err)
	}
	var a peerAnswer
	if err := json.Unmarshal(out, &a); err != nil {
		return peerAnswer{}, fmt.Errorf("reading its answer: %w", err)
	}
	if a.Single <= 0 || a.Batch <= 0 {
		return peerAnswer{}, errors.New("it measured no time")
	}
	return a, nil
}

// nodePath lists node_modules of a folder and those above it, and what was set already.
func nodePath(dir string) string {
	path := os.Getenv("NODE_PATH")
	for {
		path += string(os.PathListSeparator) + filepath.Join(dir, "node_modules")
		up := filepath.Dir(dir)
		if up == dir {
			return path
		}
		dir = up
	}
}

// The scripts take the file of vectors, their number, dimensions and the number of queries,
// and query every (n/queries)-th reference. Numbers of rounds are odd, for a median.

const faissScript = `
import sys, json, time
import numpy as np, faiss
path, n, d, q = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
faiss.omp_set_num_threads(1)
x = np.fromfile(path, dtype=np.int8).reshape(n, d)
index = faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
index.train(x[:100000].astype(np.float32))
for i in range(0, n, 100000):
    index.add(x[i:i + 100000].astype(np.float32))
probes = x[::n // q][:q].astype(np.float32)
def measure(queries, rounds):
    took = []
    for _ in range(rounds):
        start = time.process_time()
        found = index.search(queries, 10)[1]
        took.append(time.process_time() - start)
    return sorted(took)[len(took) // 2], found
single, _ = measure(probes[:1], 5)
batch, found = measure(probes, 1)
print(json.dumps({"version": faiss.__version__ + " (8-bit quantiser; " + faiss.get_compile_options().strip() + ")",
    "single": single, "batch": batch, "first": [int(f[0]) for f in found]}))
`

const usearchScript = `
const fs = require('fs'), usearch = require('usearch');
const [path, n, d, q] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const bytes = fs.readFileSync(path);
const x = new Int8Array(bytes.buffer, bytes.byteOffset, n * d);
const probes = new Int8Array(q * d), step = Math.floor(n / q);
for (let i = 0; i < q; i++) probes.set(x.subarray(i * step * d, (i * step + 1) * d), i * d);
function measure(queries, rounds) {
  const took = [];
  let found;
  for (let i = 0; i < rounds; i++) {
    const start = process.cpuUsage();
    found = usearch.exactSearch(x, queries, d, 10, 'cos', 1);
    const used = process.cpuUsage(start);
    took.push((used.user + used.system) / 1e6);
  }
  took.sort((a, b) => a - b);
  return [took[Math.floor(rounds / 2)], found];
}
const [single] = measure(probes.subarray(0, d), 5);
const [batch, found] = measure(probes, 1);
let version = 'of unknown version';
try {
  for (const dir of require.resolve.paths('usearch')) {
    const file = dir + '/usearch/package.json';
    if (fs.existsSync(file)) { version = JSON.parse(fs.readFileSync(file)).version; break; }
  }
} catch {}
const first = [];
for (let i = 0; i < q; i++) first.push(Number(found.keys[i * 10]));
console.log(JSON.stringify({version: version + ' (int8)', single, batch, first}));
`
