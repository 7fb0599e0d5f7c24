// Package democmd is `tamga demo` and `tamga sandbox`: countries on this machine, with people that nobody is.
package democmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/demo"
)

// Demo is `tamga demo`.
func Demo(a *cli.App) *cobra.Command {
	var once bool
	var people int
	c := &cobra.Command{
		Use:   "demo",
		Short: "Play a federation of four countries on this machine",
		Long: `Starts a trust anchor and four nodes on loopback with synthetic people, plays every
outcome a border officer can meet, and then leaves the nodes up for you to query
until Ctrl-C. Everything lives in a temporary folder that is deleted at the end;
nobody in it exists.`,
		Example: `  tamga demo                  # play, then stay up for your own queries
  tamga demo --once           # play and leave
  tamga demo --once -o json   # one JSON object; exit 0 only when every outcome is the expected one`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), a, once, people) },
	}
	c.Flags().BoolVar(&once, "once", false, "leave after the scenes")
	c.Flags().IntVar(&people, "people", 1000, "synthetic people enrolled in each country")
	return c
}

func runDemo(ctx context.Context, a *cli.App, once bool, people int) (err error) {
	begin := time.Now()
	if people < 20 || people > 100_000 {
		return fault.Usage("--people takes 20 to 100000")
	}
	story := a.Out
	if a.Format != "table" {
		story = a.Err
	}
	dir, remove, err := demo.TempDir()
	if err != nil {
		return err
	}
	defer remove()
	fmt.Fprintln(story, "Tamga · SANDBOX · loopback only; everything is deleted at the end; nobody in it exists")
	f, err := demo.Start(ctx, demo.Options{
		Dir: dir, Countries: demo.Countries(), People: people, Log: slog.New(slog.DiscardHandler),
		API: func(n *node.Node) http.Handler { return api.Handler(n) },
		Progress: func(what string, took time.Duration) {
			fmt.Fprintf(story, "  ok  %-62s %5.1f s\n", what, took.Seconds())
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	fmt.Fprintf(story, "\n  An officer asks another country: \"is this traveller who the document says?\"\n\n")
	r := demo.Play(ctx, f, story, begin)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if a.Format != "table" {
		if err := a.Emit(r, nil); err != nil {
			return err
		}
	}
	if !r.OK {
		return fault.Verdict{Exit: fault.ExitFailure}
	}
	fmt.Fprintf(story, "  all %d scenes ended as they must; first verdict %.1f s after start, all scenes %.1f s\n\n",
		len(r.Scenes), float64(r.FirstVerdictMS)/1000, float64(r.TotalMS)/1000)
	if once {
		next(story)
		return nil
	}
	return stay(ctx, a, f, story)
}

func next(w io.Writer) {
	fmt.Fprint(w, `  What to try next:
    tamga demo                         without --once: the nodes stay up for your own queries
    tamga conform run --target demo    the conformance suite against a node
    tamga help codes                   every reason a node can give
    tamga anchor init --help           a real federation: anchor, nodes, enrolment
`)
}

// stay keeps the nodes up and says how to query them.
func stay(ctx context.Context, a *cli.App, f *demo.Federation, w io.Writer) error {
	for _, m := range f.Members {
		if m.Node == nil {
			if err := f.Up(m); err != nil {
				return err
			}
		}
	}
	if err := f.Introduce(ctx); err != nil {
		return err
	}
	kaz, kgz := f.Members["KAZ"], f.Members["KGZ"]
	p := kgz.Pop.Person(7)
	probe, err := writeProbes(f, p)
	if err != nil {
		return err
	}
	base := "http://" + kaz.Node.APIAddress()
	fmt.Fprintf(w, `  The nodes are up until Ctrl-C. In another terminal, as an officer of KAZ:

    tamga status --dir %[1]s
    tamga verify --dir %[1]s --subject KGZ:passport:%[2]s --probe %[3]s \
      --purpose border_control --legal-basis public_task

  or over HTTP (OpenAPI document: %[4]s/openapi.json):

    curl -H "Authorization: Bearer $(cat %[5]s)" %[4]s/v1/status

`, kaz.Dir, p.PassportNumber, probe, base, filepath.Join(kaz.Dir, node.TokenFile))
	<-ctx.Done()
	fmt.Fprintln(w, "\n  stopping; the sandbox is deleted")
	return nil
}

// writeProbes puts a face and a finger of one synthetic person beside the nodes.
func writeProbes(f *demo.Federation, p synth.Person) (string, error) {
	face := filepath.Join(f.Dir(), "probe-face.emb")
	if err := os.WriteFile(face, p.FaceProbe(3), 0o600); err != nil {
		return "", err
	}
	return face, os.WriteFile(filepath.Join(f.Dir(), "probe-finger.iso"), p.FingerProbe(demo.EnrolledFinger, 3), 0o600)
}
