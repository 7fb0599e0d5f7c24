package storebench

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/storebench/drive"
)

// Kinds of store that this program drives itself.
const (
	kindGallery   = "gallery"
	kindShared    = "gallery over PostgreSQL"
	kindPseudonym = "pseudonym" // what of a look-up is the pseudonym
	kindBadger    = "badger"
	kindFile      = "file" // appends and fsyncs
)

// Work is the other process of a bench: args are the kind of store, its folder, how many
// subjects it holds and what one is, as [Run] gives them. It ends with its input.
func Work(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 4 {
		return errors.New("driving store: four arguments are needed")
	}
	held, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("driving store: %w", err)
	}
	var spec drive.Spec
	if err := json.Unmarshal([]byte(args[3]), &spec); err != nil {
		return fmt.Errorf("driving store: %w", err)
	}
	start := time.Now()
	s, err := open(args[0], args[1], spec)
	if err != nil {
		return fmt.Errorf("driving store: %w", err)
	}
	return drive.Serve(ctx, in, out, drive.Opened{Store: s, Took: time.Since(start), Held: held})
}

func open(kind, dir string, spec drive.Spec) (drive.Store, error) {
	switch kind {
	case kindGallery:
		g, err := openGallery(filepath.Join(dir, "gallery"), nil)
		return g, err
	case kindShared:
		g, err := openShared(dir)
		return g, err
	case kindPseudonym:
		return openPseudonyms()
	case kindBadger:
		return openBadger(dir, spec)
	case kindFile:
		return openFile(dir, spec)
	}
	return nil, fmt.Errorf("unknown kind %q", kind)
}

// recordSize is that of the one template of a subject.
const recordSize = 2048

const modality = "finger"

// galleryStore is node/gallery as a node uses it.
type galleryStore struct{ *gallery.Gallery }

// secret is a key of the bench. Its galleries hold nobody.
func secret(name string) []byte {
	sum := sha256.Sum256([]byte("tamga/v1/bench-store\x00" + name))
	return sum[:]
}

func openGallery(dir string, rows func(string) (store.Store, error)) (*galleryStore, error) {
	root, err := custody.NewRoot(secret("root"))
	if err != nil {
		return nil, err
	}
	ring, err := envelope.NewRing(map[uint32][]byte{1: secret("kek")}, 1)
	if err != nil {
		return nil, err
	}
	pseudonyms, err := pseudonym.Single(secret("pseudonyms"))
	if err != nil {
		return nil, err
	}
	g, err := gallery.Open(gallery.Config{Store: rows, Dir: dir, Node: "https://bench.example",
		Root: root, Ring: ring, Pseudonyms: pseudonyms})
	if err != nil {
		return nil, err
	}
	return &galleryStore{g}, nil
}

// sharedStore is a gallery that keeps its rows in PostgreSQL.
type sharedStore struct {
	*galleryStore
	dir string
}

func openShared(dir string) (*sharedStore, error) {
	g, err := openGallery(filepath.Join(dir, "beside"), func(string) (store.Store, error) {
		return store.OpenPostgres(context.Background(), "host="+postgresDir(dir)+" user=postgres dbname=postgres")
	})
	return &sharedStore{g, dir}, err
}

// Usage counts the server too.
func (s *sharedStore) Usage() drive.Usage {
	return drive.UsageWithPostgres(filepath.Join(postgresDir(s.dir), "data"))
}

func identifier(subject int) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: fmt.Sprintf("B%08d", subject)}
}

func enrolment(subject int) gallery.Enrolment {
	return gallery.Enrolment{Subject: identifier(subject), Templates: []gallery.Template{
		{Modality: modality, Format: "iso19794-2:2005", Position: 1, Data: drive.Noise(uint64(subject), recordSize)}}}
}

// Fill enrols as an import does, two calls at a time: one's pseudonyms are computed while
// the other is committed.
func (s *galleryStore) Fill(ctx context.Context, first, n int) error {
	const batch = 256
	var all errgroup.Group
	all.SetLimit(2)
	for start := first; start < first+n; start += batch {
		all.Go(func() error {
			var es []gallery.Enrolment
			for i := start; i < min(start+batch, first+n); i++ {
				es = append(es, enrolment(i))
			}
			return s.enrol(ctx, es)
		})
	}
	return all.Wait()
}

// Settle does nothing: the bench opens the gallery anew before it measures it.
func (*galleryStore) Settle() error { return nil }

func (s *galleryStore) enrol(ctx context.Context, es []gallery.Enrolment) error {
	results, err := s.Enrol(ctx, es)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Change != gallery.Created {
			return fmt.Errorf("enrolling: %q: %w", r.Change, r.Err)
		}
	}
	return nil
}

func (s *galleryStore) Write(ctx context.Context, subject int) error {
	return s.enrol(ctx, []gallery.Enrolment{enrolment(subject)})
}

func (s *galleryStore) Read(_ context.Context, subject int) error {
	refs, err := s.References(identifier(subject), modality)
	if err != nil {
		return err
	}
	defer refs.Close()
	if refs.Len() != 1 {
		return fmt.Errorf("looking up: %d records where one was enrolled", refs.Len())
	}
	return refs.Each(func(t gallery.Template) error {
		if len(t.Data) != recordSize {
			return errors.New("looking up: a record of another size")
		}
		return nil
	})
}
