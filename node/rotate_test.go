package node_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

// TestRetireDuringActivation: a KEK that becomes current while an old one is retired does not take with it the one
// that everything was just wrapped under.
func TestRetireDuringActivation(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "kaz")
	key, err := jose.GenerateKey()
	must(err)
	_, err = founding.Init(founding.Options{Dir: dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(passphrase), Custody: custody.TestParams(), Now: time.Now})
	must(err)
	config := filepath.Join(dir, node.ConfigFile)
	r, err := registrar.Open(t.Context(), config, []byte(passphrase))
	must(err)
	_, err = r.Enrol(t.Context(), []gallery.Enrolment{{Subject: passport("A1"),
		Templates: []gallery.Template{{Modality: "finger", Format: "test", Position: 1, Data: []byte("template")}}}})
	must(err)
	must(r.Close())
	root, err := custody.Open(keystore.RootFile(dir), []byte(passphrase))
	must(err)
	defer root.Wipe()
	step := func() {
		t.Helper()
		_, err := rotation.PrepareKey(dir, keystore.Roots{Node: root}, keys.KEK)
		must(err)
		_, err = rotation.ActivateKey(dir, keystore.Roots{Node: root}, keys.KEK, time.Now())
		must(err)
	}
	step()
	during := 0
	gone, err := rotation.RetireKey(t.Context(), config, keystore.Roots{Node: root}, keys.KEK, func(rotation.Retirement) {
		during++
		step()
	})
	must(err)
	if during != 1 || !slices.Equal(gone, []uint32{1}) {
		t.Fatalf("activated %d times, retired %v", during, gone)
	}
	if r, err = registrar.Open(t.Context(), config, []byte(passphrase)); err != nil {
		t.Fatal(err)
	}
	refs, err := r.Gallery.References(passport("A1"), "finger")
	must(err)
	if !refs.Known || refs.Len() != 1 {
		t.Error("the person's records do not open any more")
	}
	refs.Close()
	must(r.Close())
	must(os.RemoveAll(dir))
}
