package demo_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/demo"
)

// TestPlay plays the demo and demands what its text promises.
func TestPlay(t *testing.T) {
	begin := time.Now()
	f, err := demo.Start(context.Background(), demo.Options{Dir: t.TempDir(), Countries: demo.Countries(), People: 50,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := demo.Play(context.Background(), f, t.Output(), begin)
	if !r.OK || len(r.Scenes) != 12 {
		t.Fatalf("%d scenes, ok %t", len(r.Scenes), r.OK)
	}
}
