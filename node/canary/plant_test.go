package canary_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/federation/transport"
)

// divert takes what this process writes to standard output and error, and what goes
// to the default loggers of log and log/slog, until restore is called. The control's
// passport number is the first of it.
func divert(t *testing.T, c *capture) (restore func()) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, writer, logger := os.Stdout, os.Stderr, log.Writer(), slog.Default()
	os.Stdout, os.Stderr = f, f
	slog.SetDefault(slog.New(c.handler()))
	log.SetOutput(f)
	fmt.Fprintln(os.Stderr, controlPerson().PassportNumber)
	restored := false
	restore = func() {
		if restored {
			return
		}
		restored = true
		os.Stdout, os.Stderr = stdout, stderr
		slog.SetDefault(logger)
		log.SetOutput(writer)
		b, err := os.ReadFile(f.Name())
		if err := errors.Join(err, f.Close()); err != nil {
			t.Error(err)
		}
		// The first line is the control's.
		first, rest, _ := bytes.Cut(b, []byte("\n"))
		c.add(onStderr, control, first)
		c.add(onStderr, "the rest", rest)
	}
	t.Cleanup(restore)
	return restore
}

// plant puts marks of the control on every surface by the way that real outputs take.
func (s *stage) plant() {
	p := s.cast.person("KAZ", controlPerson().Index)
	slog.New(slog.NewJSONHandler(named{s.out, control}, nil)).Info(control, slog.Any("template", p.FaceReference()))
	s.exec(control, 0, []byte(p.NationalNumber), "cat")
	s.out.err(control, fmt.Errorf("wrapping: %w", errors.New(p.NationalNumber)))
	s.out.result(control, struct{ b []byte }{p.FingerReference(2)})

	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Control", r.URL.Query().Get("q"))
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	defer echo.Close()
	s.call(control, s.request(target{base: echo.URL}, "POST", "/?q="+p.PassportNumber, "text/plain", nil))

	r := recorder{s, &actor{code: control, under: nowhere{}}}
	_, _ = r.Exchange(s.ctx, "", nil, "", []byte(p.PassportNumber))

	// Far behind zeros.
	big := make([]byte, 4*chunk)
	copy(big[3*chunk:], p.NationalNumber)
	s.write(s.fed.Dir(), control+".bin", big)
}

// named gives log lines a name.
type named struct {
	c    *capture
	name string
}

func (n named) Write(p []byte) (int, error) {
	n.c.add(onLog, n.name, p)
	return len(p), nil
}

type nowhere struct{}

func (nowhere) Exchange(context.Context, transport.PeerID, []string, string, []byte) ([]byte, error) {
	return nil, errors.New("control")
}
