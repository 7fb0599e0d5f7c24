package enrol_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

func Example() {
	dir, err := os.MkdirTemp("", "enrol")
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

	p := synth.New(1, "KAZ").Person(0)
	finger := base64.StdEncoding.EncodeToString(p.FingerReference(2))
	manifest := fmt.Sprintf(`{"subject":{"type":"passport","value":%q},"biometrics":[{"modality":"finger","format":"iso-19794-2-2005","data":%q}]}
{"subject":{"type":"passport"},"biometrics":[]}
`, p.PassportNumber, finger)
	src, err := enrol.Manifest("", strings.NewReader(manifest), "KAZ")
	if err != nil {
		fmt.Println(err)
		return
	}
	totals, err := enrol.Import(context.Background(), src, g, enrol.Options{
		Report: func(o enrol.Outcome) {
			fmt.Println(strings.TrimSpace(fmt.Sprint(o.Place, ": ", o.Change, " ", o.Rule)))
		},
	})
	fmt.Println(totals.Created, totals.Failed, err)
	// Output:
	// line 1: created
	// line 2: failed subject.value: is missing
	// 1 1 <nil>
}
