package ledger_test

import (
	"errors"
	"path/filepath"
	"testing"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
)

// edit changes records with Badger's own hand, so that no checksum of its is wrong.
func edit(t *testing.T, dir string, f func(txn *badger.Txn) error) {
	t.Helper()
	db, err := badger.Open(ledger.StoreOptions(filepath.Join(dir, "store")))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestEditedRecords plays an insider who knows the store's layout.
func TestEditedRecords(t *testing.T) {
	const n = 120
	hash := func(i uint64) []byte { return ledger.KeyEntry(i, ledger.KindHashes) }
	leafKey := func(i uint64) []byte { return ledger.KeyEntry(i, ledger.KindLeaf) }
	forged := []byte("nobody asked about this person")
	old, err := ledgertest.Signer(t).Sign(7, make([]byte, 32), ledgertest.Tick())
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		entry int64
		edit  func(txn *badger.Txn) error
	}{
		{"leaf", 17, func(txn *badger.Txn) error { return txn.Set(leafKey(17), forged) }},
		// The entry is consistent in itself; its parent, which 17 completes, is not.
		{"leaf-and-hash", 17, func(txn *badger.Txn) error {
			if err := txn.Set(hash(16), rfc6962.DefaultHasher.HashLeaf(forged)); err != nil {
				return err
			}
			return txn.Set(leafKey(16), forged)
		}},
		{"whole-path", -1, func(txn *badger.Txn) error { return forgePath(txn, 17, n, forged) }},
		{"dropped-leaf", 30, func(txn *badger.Txn) error { return txn.Delete(leafKey(30)) }},
		{"dropped-entry", 30, func(txn *badger.Txn) error {
			return errors.Join(txn.Delete(leafKey(30)), txn.Delete(hash(30)))
		}},
		{"dropped-last", n - 1, func(txn *badger.Txn) error {
			return errors.Join(txn.Delete(leafKey(n-1)), txn.Delete(hash(n-1)))
		}},
		{"emptied-leaf", 0, func(txn *badger.Txn) error { return txn.Set(leafKey(0), nil) }},
		{"short-hashes", 63, func(txn *badger.Txn) error { return txn.Set(hash(63), make([]byte, 32)) }},
		{"inner-node", 63, func(txn *badger.Txn) error { return txn.Set(hash(63), make([]byte, 7*32)) }},
		{"extra-entry", n, func(txn *badger.Txn) error { return txn.Set(leafKey(n), forged) }},
		{"foreign-record", 0, func(txn *badger.Txn) error { return txn.Set([]byte("d"), forged) }},
		{"foreign-first", 0, func(txn *badger.Txn) error { return txn.Set([]byte("a"), forged) }},
		{"foreign-tail", n, func(txn *badger.Txn) error { return txn.Set([]byte("zz"), forged) }},
		{"no-checkpoint", n, func(txn *badger.Txn) error { return txn.Delete(ledger.KeyCheckpoint()) }},
		{"bad-checkpoint", -1, func(txn *badger.Txn) error { return txn.Set(ledger.KeyCheckpoint(), forged) }},
		{"older-checkpoint", n, func(txn *badger.Txn) error { return txn.Set(ledger.KeyCheckpoint(), old) }},
	}
	source := stopped(t, n, true)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "e")
			copyDir(t, source, dir)
			edit(t, dir, c.edit)
			_, err := ledger.Verify(t.Context(), dir, ledgertest.Verifier(t), nil)
			bad, ok := errors.AsType[*ledger.TamperError](err)
			if !ok || !errors.Is(err, ledger.ErrTampered) {
				t.Fatalf("%v, want ErrTampered", err)
			}
			if c.name != "no-checkpoint" && c.name != "older-checkpoint" && bad.Entry != c.entry {
				t.Errorf("blamed entry %d, want %d: %v", bad.Entry, c.entry, err)
			}
		})
	}
}

// forgePath replaces a leaf and recomputes every node above it that is stored.
func forgePath(txn *badger.Txn, index, size uint64, leaf []byte) error {
	h := rfc6962.DefaultHasher.HashLeaf(leaf)
	if err := txn.Set(ledger.KeyEntry(index, ledger.KindLeaf), leaf); err != nil {
		return err
	}
	for level, at := uint(0), index; ; level, at = level+1, at/2 {
		home := (at+1)<<level - 1
		if home >= size {
			return nil
		}
		record, err := get(txn, home)
		if err != nil {
			return err
		}
		copy(record[level*32:], h)
		if err := txn.Set(ledger.KeyEntry(home, ledger.KindHashes), record); err != nil {
			return err
		}
		sibling := (at^1+1)<<level - 1
		if sibling >= size {
			return nil
		}
		other, err := get(txn, sibling)
		if err != nil {
			return err
		}
		left, right := h, other[level*32:(level+1)*32]
		if at&1 == 1 {
			left, right = right, left
		}
		h = rfc6962.DefaultHasher.HashChildren(left, right)
	}
}

func get(txn *badger.Txn, index uint64) ([]byte, error) {
	item, err := txn.Get(ledger.KeyEntry(index, ledger.KindHashes))
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// TestVerifyNamesRoot recomputes the tree hash naively from RFC 6962 section 2.1.
func TestVerifyNamesRoot(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 33} {
		dir := t.TempDir()
		l := ledgertest.Open(t, dir)
		var leaves [][]byte
		for i := range n {
			leaves = append(leaves, ledgertest.Leaf(i))
		}
		if n > 0 {
			if _, err := l.AppendAll(t.Context(), leaves); err != nil {
				t.Fatal(err)
			}
		}
		ledgertest.Close(t, l)
		var calls int
		r, err := ledger.Verify(t.Context(), dir, ledgertest.Verifier(t), func(done, total uint64) {
			calls++
			if total != uint64(n) || done > total {
				t.Errorf("progress %d of %d, want total %d", done, total, n)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := ledgertest.NaiveRoot(leaves); r.Root != want || r.Size != uint64(n) || !r.Time.Equal(ledgertest.Tick()) {
			t.Errorf("report %+v, want root %x", r, want)
		}
		if n > 0 && calls < 2 {
			t.Errorf("%d progress calls", calls)
		}
	}
}
