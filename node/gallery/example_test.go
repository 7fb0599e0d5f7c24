package gallery_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
)

func Example() {
	dir, err := os.MkdirTemp("", "gallery")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	root, _ := custody.NewRoot(bytes.Repeat([]byte{1}, 32)) // in earnest: custody.Open
	ring, _ := envelope.NewRing(map[uint32][]byte{1: bytes.Repeat([]byte{3}, 32)}, 1)
	pseudonyms, _ := pseudonym.Single(bytes.Repeat([]byte{2}, 32))
	g, err := gallery.Open(gallery.Config{
		Dir: filepath.Join(dir, "gallery"), Node: "https://kaz.example", Root: root, Ring: ring, Pseudonyms: pseudonyms,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	subject := pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: "N1234567"}
	results, err := g.Enrol(context.Background(), []gallery.Enrolment{{
		Subject:   subject,
		Templates: []gallery.Template{{Modality: "finger", Format: "iso-19794-2-2005", Position: 2, Data: []byte("a validated record")}},
	}})
	fmt.Println(results[0].Change, err)

	refs, err := g.References(subject, "finger")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer refs.Close()
	err = refs.Each(func(t gallery.Template) error {
		fmt.Println(t.Modality, t.Position, len(t.Data), "bytes")
		return nil
	})
	fmt.Println(refs.Known, err)
	// Output:
	// created <nil>
	// finger 2 18 bytes
	// true <nil>
}
