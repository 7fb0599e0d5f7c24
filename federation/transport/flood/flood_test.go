//go:build unix

// Package flood_test shows what hostile members and strangers cost a node and its other members. The victim, the
// honest member, every hostile member and the strangers are processes of their own on one machine:
//
//	go test ./federation/transport/flood -flood 60s -v
//
// Where the machine allows it, the victim and the honest member have one half of the processors and the floods the
// other, before and during the flood, as machines of their own would.
package flood_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

var (
	length = flag.Duration("flood", time.Second, "how long each of the phases without and with the flood lasts")
	rate   = flag.Int("rate", 0, "frames that one member may ask of the victim in a second; 0 is the default")
)

const (
	hostile   = 8
	strangers = 100
	roleEnv   = "TAMGA_FLOOD_ROLE"
)

// TestMain becomes one of the other processes when it is told to.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		transport.RouteLibraryLogs(slog.DiscardHandler)
		if err := play(role, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// figures are of one phase.
type figures struct {
	Served     int           `json:"served"` // the honest member's exchanges
	Failed     int           `json:"failed"`
	Refused    int           `json:"refused"` // answered that it is to come again
	P50        time.Duration `json:"p50"`
	P99        time.Duration `json:"p99"`
	Max        time.Duration `json:"max"`
	RSS        int           `json:"rss"` // the victim's largest, in bytes
	Goroutines int           `json:"goroutines"`
	CPU        time.Duration `json:"cpu"`    // the victim's
	Own        int           `json:"own"`    // frames of the honest member that the victim worked on
	Others     float64       `json:"others"` // and of a hostile one, in the mean
}

func (f figures) String() string {
	return fmt.Sprintf("%d served, %d failed, %d refused, p50 %v, p99 %v, max %v; victim %d MiB, %d goroutines, %v of processor time",
		f.Served, f.Failed, f.Refused, f.P50.Round(time.Microsecond), f.P99.Round(time.Microsecond), f.Max.Round(time.Microsecond),
		f.RSS>>20, f.Goroutines, f.CPU.Round(time.Millisecond))
}

func TestFlood(t *testing.T) {
	victim := spawn(t, 0, "victim")
	addrs := strings.Fields(victim.line(t))
	honest := spawn(t, 0, "honest", addrs...)
	honest.line(t)
	measure := func() (f figures) {
		victim.say(t, "begin")
		honest.say(t, length.String())
		decode(t, honest.line(t), &f)
		victim.say(t, "end")
		decode(t, victim.line(t), &f)
		return f
	}
	before := measure()
	var all []*process
	for i := range hostile {
		p := spawn(t, 1, "hostile", append([]string{fmt.Sprint(i)}, addrs...)...)
		p.line(t)
		all = append(all, p)
	}
	crowd := spawn(t, 1, "strangers", addrs...)
	crowd.line(t)
	all = append(all, crowd)
	during := measure()
	victim.say(t, "refusals")
	t.Logf("without: %v", before)
	t.Logf("with %d hostile members and %d strangers: %v", hostile, strangers, during)
	t.Logf("refused: %s", victim.line(t))
	t.Logf("worked on meanwhile: %d frames of the honest member, %.1f of each hostile one", during.Own, during.Others)
	for _, p := range all {
		p.say(t, "stop")
	}
	for i, p := range all {
		t.Logf("%s %d: %s", p.role, i, p.line(t))
	}
	t.Logf("honest share %.0f %%, p99 x%.1f, memory %+d MiB", 100*float64(during.Served)/float64(before.Served),
		float64(during.P99)/float64(before.P99), (during.RSS-before.RSS)>>20)
	// Figures are for reading: the machine may be doing something else. What must hold on any machine:
	if before.Refused > 0 {
		t.Errorf("the honest member is refused %d times when it asks alone", before.Refused)
	}
	// It asks less than fairqueue.Least, which nobody is refused for others' sake; that leaves waits beyond what is borne.
	if n := asked(during); n < leastAsked || during.Served < n/2 || during.Refused > n/10 {
		t.Errorf("of what the honest member asks %d were served, %d failed, %d refused", during.Served, during.Failed, during.Refused)
	}
	// With 4 frames under way beside 128 of most hostile members, it has about a sixteenth of what those have in the mean when
	// nobody sees to shares and all wait for one another alike, on however slow a machine; with less it is starved.
	if during.Own < asked(during)/2 || float64(during.Own)*20 < during.Others {
		t.Errorf("of the honest member %d frames were worked on, of each hostile one %.1f meanwhile", during.Own, during.Others)
	}
	if more := (during.RSS - before.RSS) >> 20; more > 100 {
		t.Errorf("the flood took %d MiB of the victim's memory, want at most 100", more)
	}
	if during.Goroutines > 10000 {
		t.Errorf("%d goroutines", during.Goroutines)
	}
}

// asked is how often the honest member has.
func asked(f figures) int { return f.Served + f.Failed + f.Refused }

func decode(t *testing.T, line string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), into); err != nil {
		t.Fatalf("reading %q: %v", line, err)
	}
}

// process is another one, which speaks in lines and ends with its standard input.
type process struct {
	role string
	in   io.WriteCloser
	out  *bufio.Reader
}

func spawn(t *testing.T, half int, role string, args ...string) *process {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), roleEnv+"="+role, rateEnv+"="+strconv.Itoa(*rate))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := onHalf(half, c.Start)
	if started != nil {
		t.Fatal(started)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Wait() // it may have been told to stop before
	})
	return &process{role, in, bufio.NewReaderSize(out, 1<<16)}
}

func (p *process) say(t *testing.T, words string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, words); err != nil {
		t.Fatalf("telling %s: %v", p.role, err)
	}
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("hearing %s: %v", p.role, err)
	}
	return strings.TrimSpace(s)
}
