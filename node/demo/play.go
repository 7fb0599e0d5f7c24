package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
)

// SceneReport is what `tamga demo -o json` says of a scene.
type SceneReport struct {
	Name       string `json:"name"`
	Expected   string `json:"expected"`
	Outcome    string `json:"outcome"`
	Reason     string `json:"reason"`
	DurationMS int64  `json:"duration_ms"`
	Title      string `json:"title"`
	Asks       string `json:"asks"`
	Purpose    string `json:"purpose"`
	Detail     string `json:"detail,omitempty"`
	OK         bool   `json:"ok"`
}

// Report is the demo as one JSON object. OK means that every scene ended as it must.
type Report struct {
	Scenes         []SceneReport `json:"scenes"`
	OK             bool          `json:"ok"`
	FirstVerdictMS int64         `json:"first_verdict_ms"`
	TotalMS        int64         `json:"total_ms"`
}

// Play plays every scene on f and narrates to w. begin is when the process started.
func Play(ctx context.Context, f *Federation, w io.Writer, begin time.Time) Report {
	r := Report{OK: true}
	for i, s := range Scenes() {
		start := time.Now()
		res, err := s.play(ctx, f)
		took := time.Since(start)
		if i == 0 {
			r.FirstVerdictMS = time.Since(begin).Milliseconds()
		}
		if err != nil {
			res = Result{Outcome: "error", Code: protocol.CodeOf(err), Detail: err.Error()}
		}
		ok := res.Outcome == s.Expected && res.Code == s.Code
		r.OK = r.OK && ok
		r.Scenes = append(r.Scenes, SceneReport{Name: s.Name, Expected: s.Expected, Outcome: res.Outcome, Reason: string(res.Code),
			DurationMS: took.Milliseconds(), Title: s.Title, Asks: s.Asks, Purpose: s.Purpose, Detail: res.Detail, OK: ok})
		narrate(w, i+1, s, res, took, ok)
	}
	r.TotalMS = time.Since(begin).Milliseconds()
	return r
}

func narrate(w io.Writer, n int, s Scene, res Result, took time.Duration, ok bool) {
	mark := "as it must"
	if !ok {
		mark = "EXPECTED " + s.Expected + " " + string(s.Code)
	}
	fmt.Fprintf(w, "%3d  %s\n", n, s.Title)
	fmt.Fprintf(w, "     %s, purpose %s\n", s.Asks, s.Purpose)
	fmt.Fprintf(w, "     %-12s  %s  %d ms  (%s)\n", res.Outcome, res.Code, took.Milliseconds(), mark)
	fmt.Fprintf(w, "     %s\n", res.Code.Title())
	if res.Detail != "" {
		fmt.Fprintf(w, "     %s\n", res.Detail)
	}
	fmt.Fprintln(w)
}
