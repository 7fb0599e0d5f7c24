package keyring_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// rows is a store that a test writes by hand.
type rows map[string][]byte

func (r rows) Get(key []byte) ([]byte, error) {
	v, ok := r[string(key)]
	if !ok {
		return nil, store.ErrNotFound
	}
	return v, nil
}

func (rows) Fetch(...[]byte) error { return nil }

func (rows) Scan(_, _ []byte) iter.Seq2[store.Row, error] { panic("not asked for") }

// ring is one with the KEKs given, the last one current.
func ring(t *testing.T, keks ...byte) *envelope.Ring {
	t.Helper()
	all := make(map[uint32][]byte)
	for _, k := range keks {
		all[uint32(k)] = bytes.Repeat([]byte{k}, 32)
	}
	r, err := envelope.NewRing(all, uint32(keks[len(keks)-1]))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func element(t *testing.T, key pseudonym.Key) pseudonym.Element {
	t.Helper()
	e, err := key.Element(pseudonym.Identifier{Jurisdiction: "UTO", Type: pseudonym.IDPassport, Value: "X1"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func pseudonymKey(t *testing.T, seed byte) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.NewKey(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const node = "https://node.example"

// stored has one subject with one record, as commits 4 and then 9 left it.
func stored(t *testing.T, v *keyring.Vault) (rows, pseudonym.Pseudonym) {
	t.Helper()
	s, err := v.Make(element(t, pseudonymKey(t, 1)), 1)
	defer s.Wipe()
	if err != nil {
		t.Fatal(err)
	}
	info := keyring.Record{Modality: "finger", Format: "f", Digest: digest(secret), Batch: "b"}
	sealed, err := v.SealRecord(s, &info, secret)
	if err != nil {
		t.Fatal(err)
	}
	s.List.Records = append(s.List.Records, info)
	s.List.AddAbsences([]keyring.Absence{{Modality: "iris", Reason: "lost"}}, "b")
	r := rows{string(v.RecordRow(s.Home(), 0)): sealed}
	r.put(t, v, &s, 4)
	r.put(t, v, &s, 9)
	return r, s.P
}

// put stores the keyring as the numbered commit leaves it.
func (r rows) put(t *testing.T, v *keyring.Vault, s *keyring.Subject, commit uint32) {
	t.Helper()
	s.Stamp = s.Stamp.By(commit)
	sealed, err := v.Seal(*s, s.Stamp)
	if err != nil {
		t.Fatal(err)
	}
	r[string(keyring.Row(s.P))], r[string(keyring.StampRow(s.P))] = sealed, s.Stamp.Bytes()
}

var secret = []byte("what only the subject's key opens")

func digest(b []byte) []byte { d := sha256.Sum256(b); return d[:] }

// read is the one record of the subject.
func read(v *keyring.Vault, r rows, p pseudonym.Pseudonym) ([]byte, error) {
	s, err := v.Load(r, p)
	if err != nil {
		return nil, err
	}
	defer s.Wipe()
	return v.OpenRecord(s, s.List.Records[0], r[string(v.RecordRow(s.Home(), 0))])
}

func TestSubjectComesBack(t *testing.T) {
	v := keyring.New(node, [32]byte{1}, ring(t, 1))
	r, p := stored(t, v)
	if got, err := read(v, r, p); err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("reading the record: %v", err)
	}
	stamp, err := keyring.FindStamp(r, p)
	if err != nil || stamp != (keyring.Stamp{Wrote: 9, Born: 4}) {
		t.Errorf("stamp: got %+v, %v, want written by 9, born in 4", stamp, err)
	}
	if _, err := v.Load(r, pseudonym.Pseudonym{1}); !errors.Is(err, keyring.ErrUnknown) {
		t.Errorf("somebody else: got %v, want ErrUnknown", err)
	}
	for _, raw := range r {
		if bytes.Contains(raw, secret) || bytes.Contains(raw, []byte("iris")) {
			t.Error("a row says in clear what is sealed")
		}
	}
}

// TestDamage: rows that do not belong together open nothing, and never pass for a subject
// who is unknown or has less.
func TestDamage(t *testing.T) {
	v := keyring.New(node, [32]byte{1}, ring(t, 1))
	faults := map[string]func(rows, *keyring.Vault, pseudonym.Pseudonym){
		"no-keyring": func(r rows, _ *keyring.Vault, p pseudonym.Pseudonym) { delete(r, string(keyring.Row(p))) },
		"no-stamp":   func(r rows, _ *keyring.Vault, p pseudonym.Pseudonym) { delete(r, string(keyring.StampRow(p))) },
		"other-stamp": func(r rows, _ *keyring.Vault, p pseudonym.Pseudonym) {
			r[string(keyring.StampRow(p))] = keyring.Stamp{Wrote: 4, Born: 4}.Bytes()
		},
		"short-stamp": func(r rows, _ *keyring.Vault, p pseudonym.Pseudonym) { r[string(keyring.StampRow(p))] = []byte{1} },
		"no-record":   func(r rows, v *keyring.Vault, p pseudonym.Pseudonym) { delete(r, string(v.RecordRow(p, 0))) },
		"flipped-keyring": func(r rows, _ *keyring.Vault, p pseudonym.Pseudonym) {
			b := r[string(keyring.Row(p))]
			b[len(b)-1] ^= 1
		},
		"flipped-record": func(r rows, v *keyring.Vault, p pseudonym.Pseudonym) { r[string(v.RecordRow(p, 0))][20] ^= 1 },
	}
	for name, fault := range faults {
		r, p := stored(t, v)
		fault(r, v, p)
		if _, err := read(v, r, p); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: got %v, want damage", name, err)
		}
	}
	for name, other := range map[string]*keyring.Vault{
		"node": keyring.New("https://other.example", [32]byte{1}, ring(t, 1)),
		"root": keyring.New(node, [32]byte{2}, ring(t, 1)),
	} {
		r, p := stored(t, v)
		if _, err := read(other, r, p); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("under another %s: got %v, want damage", name, err)
		}
	}
}

// TestOlderKeyring: the keyring that an earlier commit wrote does not open again.
func TestOlderKeyring(t *testing.T) {
	v := keyring.New(node, [32]byte{1}, ring(t, 1))
	r, p := stored(t, v)
	older := r[string(keyring.Row(p))]
	s, err := v.Load(r, p)
	if err != nil {
		t.Fatal(err)
	}
	r.put(t, v, &s, 12)
	s.Wipe()
	r[string(keyring.Row(p))] = older
	if _, err := v.Load(r, p); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want damage", err)
	}
}

// TestRecordOfAnother: two records open under the same data, and the digest tells them apart.
func TestRecordOfAnother(t *testing.T) {
	v := keyring.New(node, [32]byte{1}, ring(t, 1))
	r, p := stored(t, v)
	s, err := v.Load(r, p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Wipe()
	info := s.List.Records[0]
	other, err := v.SealRecord(s, &info, []byte("another record"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.OpenRecord(s, info, other); !errors.Is(err, store.ErrDamaged) || got != nil {
		t.Errorf("got %v, want damage", err)
	}
}

func TestRewrap(t *testing.T) {
	v := keyring.New(node, [32]byte{1}, ring(t, 1))
	r, p := stored(t, v)
	v.Use(ring(t, 1, 2))
	s, err := v.Load(r, p)
	if err != nil {
		t.Fatal(err)
	}
	if s.Generation() != 1 {
		t.Fatalf("generation %d before, want 1", s.Generation())
	}
	if err := v.Rewrap(&s); err != nil || s.Generation() != 2 {
		t.Fatalf("generation %d after, %v, want 2", s.Generation(), err)
	}
	r.put(t, v, &s, 10)
	s.Wipe()
	if g, err := keyring.GenerationOf(store.Row{Key: keyring.Row(p), Value: r[string(keyring.Row(p))]}); err != nil || g != 2 {
		t.Errorf("the row is of generation %d, %v, want 2", g, err)
	}
	v.Use(ring(t, 2))
	if got, err := read(v, r, p); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("reading the record without the old KEK: %v", err)
	}
	v.Use(ring(t, 1))
	if _, err := read(v, r, p); !errors.Is(err, envelope.ErrGeneration) || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("reading it without the new one: got %v, want ErrGeneration and damage", err)
	}
}

// TestRename: under another pseudonym the records lie where they did, however often.
func TestRename(t *testing.T) {
	v := keyring.New(node, [32]byte{1}, ring(t, 1))
	r, first := stored(t, v)
	p := first
	for n := byte(2); n < 40; n++ {
		s, err := v.Load(r, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Rename(&s, element(t, pseudonymKey(t, n)), uint32(n)); err != nil {
			t.Fatal(err)
		}
		if s.Home() != first || s.List.Naming != uint32(n) || len(s.List.Former) > 32 {
			t.Fatalf("renamed %d times: records lie elsewhere, or %d former pseudonyms are kept", n-1, len(s.List.Former))
		}
		delete(r, string(keyring.Row(p)))
		delete(r, string(keyring.StampRow(p)))
		r.put(t, v, &s, uint32(n)+10)
		p = s.P
		s.Wipe()
	}
	if got, err := read(v, r, p); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("reading the record: %v", err)
	}
	if _, err := v.Load(r, first); !errors.Is(err, keyring.ErrUnknown) {
		t.Errorf("under the first pseudonym: got %v, want ErrUnknown", err)
	}
}

func TestList(t *testing.T) {
	l := keyring.List{Holder: "h", Batch: "a", Records: []keyring.Record{
		{Slot: 0, Modality: "face", Digest: []byte{1}, Batch: "a"},
		{Slot: 3, Modality: "finger", Digest: []byte{2}, Batch: "b", Generation: 1, Source: []byte{9}},
	}}
	absent := []keyring.Absence{{Modality: "iris", Reason: "lost"}}
	if !l.AddAbsences(absent, "b") || l.AddAbsences(absent, "c") || len(l.Absent) != 1 {
		t.Error("the same absence is taken twice, or not once")
	}
	if l.Find(keyring.Record{Modality: "finger", Digest: []byte{7}, Generation: 2, Source: []byte{9}}) != 1 {
		t.Error("a record imported before is not known under another generation of its protection")
	}
	if l.Find(keyring.Record{Modality: "face", Digest: []byte{1}, Position: 1}) >= 0 {
		t.Error("a record of another position passes for the same")
	}
	if l.Only("a") || !l.Any("a") || l.Any("c") {
		t.Error("whose the list is")
	}
	if slots := l.Take("b"); len(slots) != 1 || slots[0] != 3 || len(l.Absent) != 0 || !l.Only("a") {
		t.Errorf("taking a batch back: slots %v", slots)
	}
	if l.Take("a"); l.Holder != "" || len(l.Records) != 0 {
		t.Error("something is left of a batch that was taken back")
	}
}

func TestAbsenceIsNotPrinted(t *testing.T) {
	a := keyring.Absence{Modality: "iris", Reason: "lost"}
	if s := fmt.Sprintf("%v %+v %#v %s", a, a, a, a.LogValue()); strings.Contains(s, "lost") || strings.Contains(s, "iris") {
		t.Error("a finding about a person is printed")
	}
}
