package backup_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

func TestCoveredBy(t *testing.T) {
	type k = backup.Keys
	needs := k{keys.KEK: {2, 3}, keys.Pseudonym: {1}, keys.Template: {1}}
	for name, c := range map[string]struct {
		held backup.Keys
		want error
		says string
	}{
		"same":     {k{keys.KEK: {2, 3}, keys.Pseudonym: {1}, keys.Template: {1}}, nil, ""},
		"more":     {k{keys.KEK: {1, 2, 3, 4}, keys.Pseudonym: {1, 2}, keys.Template: {1, 2}, keys.Root: {7}}, nil, ""},
		"apart":    {k{keys.KEK: {2, 3}, keys.Template: {1}}, nil, ""},
		"retired":  {k{keys.KEK: {3, 4}, keys.Pseudonym: {1}, keys.Template: {1}}, backup.ErrExpired, "the backup has expired: destroyed since it was taken: kek 2"},
		"all-gone": {k{keys.KEK: {4}, keys.Pseudonym: {1}, keys.Template: {2}}, backup.ErrExpired, "the backup has expired: destroyed since it was taken: kek 2, 3; template-key 1"},
		"earlier":  {k{keys.KEK: {1, 2}, keys.Pseudonym: {1}, keys.Template: {1}}, backup.ErrEarlier, "the key escrow is older than the backup: it does not hold kek 3"},
		"none":     {nil, backup.ErrEarlier, "the key escrow is older than the backup: it does not hold kek 2, 3; pseudonym-key 1; template-key 1"},
		// Some destroyed and some not made yet is of no node; that it opens for nobody is what counts.
		"both": {k{keys.KEK: {2, 3}, keys.Pseudonym: {2}, keys.Template: {0}}, backup.ErrExpired, "the backup has expired: destroyed since it was taken: pseudonym-key 1"},
	} {
		err := needs.CoveredBy(c.held)
		if !errors.Is(err, c.want) || err != nil && err.Error() != c.says {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSurvey: the same in folders, under other names, copied, and beside what is damaged or
// of another node.
func TestSurvey(t *testing.T) {
	w, other, elsewhere := newWorld(t), newWorld(t), newWorldOf(t, "https://kgz.example", "KGZ")
	dir := t.TempDir()
	put := func(name, from string, cut int) {
		t.Helper()
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b[:len(b)-cut], 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("a.tamga-backup", w.file, 0)
	put("b.tamga-backup", w.file, 1)
	put("c.tamga-backup", other.file, 0)
	put("k.tamga-escrow", w.escrow, 0)
	put("l.tamga-escrow", w.escrow, 0)
	put("m.tamga-escrow", other.escrow, 0)
	put("n.tamga-backup", w.escrow, 0) // by any name
	put("o.tamga-backup", elsewhere.file, 0)
	put("readme", w.file, 0)
	put(".kaz.tamga-escrow.tmp-1", w.escrow, 0)
	found, err := backup.Survey([]string{dir, filepath.Join(dir, "a.tamga-backup"), w.escrow}, backup.Signer{Configuration: w.configuration(t)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		if filepath.Dir(f.File) == dir {
			got = append(got, filepath.Base(f.File)[:1]+" "+string(f.State))
		}
	}
	slices.Sort(got)
	if want := []string{". current", "a opens", "b damaged", "c damaged", "k current", "l current", "m damaged", "n current", "o foreign"}; !slices.Equal(got, want) || len(found) != len(want)+1 {
		t.Errorf("%d: %v, want %v", len(found), got, want)
	}
	if _, err := backup.Survey([]string{filepath.Join(dir, "absent")}, backup.Signer{Configuration: w.configuration(t)}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
}

// TestRetiredFederationKey: what was signed under a federation key that the node has retired since is its own, as its
// list of those keys says, and not without the list.
func TestRetiredFederationKey(t *testing.T) {
	w := newWorld(t)
	config := filepath.Join(w.dir, node.ConfigFile)
	root, err := keystore.OpenRoot(w.dir, []byte(passphrase), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Wipe()
	roots := keystore.Roots{Node: root}
	announce := func() {
		t.Helper()
		n, err := node.OpenUnsealed(t.Context(), config, roots, slog.New(slog.DiscardHandler), node.Overrides{})
		if err == nil {
			err = n.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	old := w.configuration(t)
	for range 2 { // twice, so that the list goes on from the one before
		_, err := rotation.PrepareKey(w.dir, roots, keys.Federation)
		if err == nil {
			_, err = rotation.ActivateKey(w.dir, roots, keys.Federation, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rotation.RetireKey(t.Context(), config, roots, keys.Federation, nil); !errors.Is(err, rotation.ErrUnannounced) {
			t.Fatalf("retired before the next key is announced: %v", err)
		}
		announce()
		if _, err := rotation.RetireKey(t.Context(), config, roots, keys.Federation, nil); err != nil {
			t.Fatal(err)
		}
		announce()
	}
	b, err := os.ReadFile(filepath.Join(w.dir, backup.HistoricalKeys))
	if err != nil {
		t.Fatal(err)
	}
	by := backup.Signer{Configuration: w.configuration(t), Historical: strings.TrimSpace(string(b))}
	found, err := backup.Survey([]string{w.file, w.escrow}, by)
	if err != nil {
		t.Fatal(err)
	}
	s, err := trust.ParseStatement(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if _, ok := s.Keys().Key(f.Retired); !ok || f.State == backup.Damaged {
			t.Errorf("%s: %s under %q: %v", filepath.Base(f.File), f.State, f.Retired, f.Err)
		}
	}
	if _, _, err := backup.Inspect(w.file, backup.Signer{Configuration: by.Configuration}); !errors.Is(err, backup.ErrSignature) {
		t.Errorf("without the list: %v", err)
	}
	if _, err := backup.Survey([]string{w.file}, backup.Signer{Configuration: old, Historical: by.Historical}); err == nil {
		t.Error("a list under keys that the configuration does not name was taken")
	}
	ids := []age.Identity{w.identities[0]}
	for name, c := range map[string]struct {
		by   backup.Signer
		want error
	}{"with the list": {by, nil}, "without the list": {backup.Signer{Configuration: by.Configuration}, backup.ErrSignature}, "under the key of then": {backup.Signer{Configuration: old}, nil}} {
		if m, err := backup.Check(t.Context(), w.file, ids, c.by, nil); !errors.Is(err, c.want) || (err == nil) != (m != nil) || c.want == nil && err != nil {
			t.Errorf("backup %s: %v", name, err)
		}
		if _, err := backup.OpenEscrow(w.escrow, ids, c.by); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("key escrow %s: %v", name, err)
		}
	}
	if _, key, err := backup.Inspect(w.file, backup.Signer{Configuration: old}); err != nil || key != "" {
		t.Errorf("under a key that is named: %q, %v", key, err)
	}
}

// TestForgedEscrow: whoever has a federation key that was retired can sign a label of an
// escrow of other keys, dated before it was retired. Beside an escrow under a present key it
// decides nothing, and without one everything that it would decide is marked as unsure.
func TestForgedEscrow(t *testing.T) {
	w := newWorld(t)
	config := filepath.Join(w.dir, node.ConfigFile)
	root, err := keystore.OpenRoot(w.dir, []byte(passphrase), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Wipe()
	roots := keystore.Roots{Node: root}
	federation := func() jose.PrivateKey {
		t.Helper()
		secrets, err := keystore.OpenSecrets(w.dir, root)
		if err != nil {
			t.Fatal(err)
		}
		all, err := keystore.FederationKeys(secrets)
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	stolen := federation()
	announce := func() error {
		n, err := node.OpenUnsealed(t.Context(), config, roots, slog.New(slog.DiscardHandler), node.Overrides{})
		if err != nil {
			return err
		}
		return n.Close()
	}
	var retired time.Time
	for _, step := range []func() error{
		func() error { _, err := rotation.PrepareKey(w.dir, roots, keys.Federation); return err },
		func() error { _, err := rotation.ActivateKey(w.dir, roots, keys.Federation, time.Now()); return err },
		announce,
		func() error {
			retired = time.Now().UTC()
			_, err := rotation.RetireKey(t.Context(), config, roots, keys.Federation, nil)
			return err
		},
		announce,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadFile(filepath.Join(w.dir, backup.HistoricalKeys))
	if err != nil {
		t.Fatal(err)
	}
	by := backup.Signer{Configuration: w.configuration(t), Historical: strings.TrimSpace(string(list))}
	survey := func(files ...string) map[string]backup.Finding {
		t.Helper()
		found, err := backup.Survey(files, by)
		if err != nil {
			t.Fatal(err)
		}
		out := make(map[string]backup.Finding)
		for _, f := range found {
			out[filepath.Base(f.File)] = f
		}
		return out
	}
	genuine, _, err := backup.Inspect(w.escrow, by)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(name string, key jose.PrivateKey, at time.Time, generation uint32) string {
		t.Helper()
		const body = "not read here"
		sum := sha256.Sum256([]byte(body))
		l := genuine
		l.Created, l.Size, l.SHA256, l.Keys = at, int64(len(body)), sum[:], maps.Clone(genuine.Keys)
		if generation != 0 {
			for f := range l.Keys {
				l.Keys[f] = []uint32{generation}
			}
		}
		payload, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jose.Sign(key, "tamga-backup-label+jwt", payload)
		file := filepath.Join(t.TempDir(), name)
		if err == nil {
			err = os.WriteFile(file, backup.Labelled(body, token), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	forged := sign("forged", stolen, retired, 99)
	for name, f := range survey(w.file, w.escrow, forged) {
		if !f.Unsure {
			t.Errorf("%s is %s for sure, beside an escrow that may be forged: %v", name, f.State, f.Err)
		}
	}
	next := sign("next", federation(), retired.Add(-time.Hour), 0) // by a clock that is behind
	found := survey(w.file, w.escrow, forged, next)
	for file, want := range map[string]backup.State{w.file: backup.Opens, w.escrow: backup.Current, forged: backup.Former, next: backup.Current} {
		if f := found[filepath.Base(file)]; f.State != want || f.Unsure {
			t.Errorf("%s is %s (unsure: %v), want %s: %v", filepath.Base(file), f.State, f.Unsure, want, f.Err)
		}
	}
}

// TestReplaceable: an escrow of the same node may be written over, and nothing else.
func TestReplaceable(t *testing.T) {
	w, other := newWorld(t), newWorldOf(t, "https://kgz.example", "KGZ")
	b, err := os.ReadFile(w.escrow)
	cut := filepath.Join(t.TempDir(), "cut")
	if err = errors.Join(err, os.WriteFile(cut, b[:len(b)-9], 0o600)); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]error{w.escrow: nil, w.escrow + "-absent": nil, w.file: backup.ErrOccupied, other.escrow: backup.ErrOccupied,
		cut: backup.ErrOccupied, os.Args[0]: backup.ErrOccupied, w.dir: backup.ErrOccupied} {
		if err := backup.Replaceable(file, "https://kaz.example"); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", filepath.Base(file), err, want)
		}
	}
}

// FuzzLabel reads the end of any file: what is refused is damage, what is accepted ends the
// file as a writer ends it, and is of nobody as long as it is not verified.
func FuzzLabel(f *testing.F) {
	key, err := jose.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, claims := range []string{
		`{"kind":"backup","entity_id":"https://kaz.example","created":"2025-03-01T00:00:00Z","keys":{"kek":[1,2],"root":[1]},"size":3,"sha256":"AAEC"}`,
		`{"kind":"key-escrow","entity_id":"","created":"2025-03-01T00:00:00Z","keys":null,"size":-1,"sha256":""}`,
		`{"kind":"backup","keys":{"nothing":[0]}}`, `{"kind":7}`, `{}`,
	} {
		token, err := jose.Sign(key, "tamga-backup-label+jwt", []byte(claims))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("age", token)
	}
	f.Add("", "a.b.c")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, file, token string) {
		whole := backup.Labelled(file, token)
		for _, b := range [][]byte{whole, []byte(file), whole[:len(whole)-1], append(bytes.Clone(whole), token...)} {
			u, err := backup.ReadLabel(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				if !errors.Is(err, backup.ErrDamaged) || u.EntityID() != "" {
					t.Errorf("%v, of %q", err, u.EntityID())
				}
				continue
			}
			if before := backup.Before(u); before < 0 || before > int64(len(b)) || !bytes.Equal(backup.Labelled(string(b[:before]), backup.Token(u)), b) {
				t.Errorf("%d bytes before the label, written again it is another", before)
			}
			if _, err := u.Verify("a configuration of nobody"); err == nil {
				t.Error("verified by nobody's keys")
			}
		}
	})
}
