//go:build linux

package ha_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
)

func configuration(ctx context.Context, dir, dsn string) gallery.Config {
	root, err := custody.NewRoot(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		panic(err)
	}
	ring, err := envelope.NewRing(map[uint32][]byte{1: bytes.Repeat([]byte{3}, 32)}, 1)
	if err != nil {
		panic(err)
	}
	key, err := pseudonym.Single(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		panic(err)
	}
	return gallery.Config{Dir: dir, Node: "https://kaz.test", Root: root, Ring: ring, Pseudonyms: key,
		Store: func(string) (store.Store, error) { return store.OpenPostgres(ctx, dsn) }}
}

func identifier(id string) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: id}
}

// write enrols people one after the other, in four lines, and logs what became of each.
func write() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	out, err := os.OpenFile(os.Getenv("TAMGA_HA_LOG"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	g, err := gallery.Open(configuration(context.Background(), os.Getenv("TAMGA_HA_DIR"), os.Getenv("TAMGA_HA_DSN")))
	if err != nil {
		return err
	}
	defer g.Close()
	var lines sync.WaitGroup
	for line := range 4 {
		lines.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				time.Sleep(20 * time.Millisecond) // the servers share a machine, and every write is looked up at the end
				id := fmt.Sprintf("W%sL%dN%06d", os.Getenv("TAMGA_HA_WRITER"), line, n)
				outcome, err := enrol(g, id)
				if err != nil {
					fmt.Fprintln(os.Stderr, id, err)
					time.Sleep(200 * time.Millisecond)
				}
				fmt.Fprintf(out, "%s %d %s\n", outcome, time.Now().UnixMilli(), id)
			}
		})
	}
	lines.Wait()
	return nil
}

func enrol(g *gallery.Gallery, id string) (string, error) {
	results, err := g.Enrol(context.Background(), []gallery.Enrolment{{Subject: identifier(id),
		Templates: []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: bytes.Repeat([]byte(id[:4]), 100)}}}})
	if err == nil {
		err = results[0].Err
	}
	switch {
	case err == nil:
		return "acknowledged", nil
	case errors.Is(err, gallery.ErrInDoubt):
		return "doubt", err
	}
	return "refused", err
}
