package pseudonym_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// joined are holders that made a key together.
type joined struct {
	terms  pseudonym.Terms
	shares [][]byte
	keys   []pseudonym.Key
}

func join(t testing.TB, threshold, n int) (j joined) {
	t.Helper()
	var dealings []pseudonym.Dealing
	dealt := make([][][]byte, n) // by holder, then dealer
	for range n {
		d, shares, err := pseudonym.Deal(threshold, n)
		if err != nil {
			t.Fatal(err)
		}
		dealings = append(dealings, d)
		for i, s := range shares {
			dealt[i] = append(dealt[i], s)
		}
	}
	for i := range n {
		share, terms, err := pseudonym.Join(i+1, dealings, dealt[i])
		if err != nil {
			t.Fatal(err)
		}
		k, err := pseudonym.NewShare(share)
		if err != nil || !k.Public().Equal(terms.Holders[i]) {
			t.Fatalf("holder %d: share and terms differ, %v", i+1, err)
		}
		if i > 0 && fmt.Sprint(terms.Threshold, raw(terms)) != fmt.Sprint(j.terms.Threshold, raw(j.terms)) {
			t.Fatalf("holder %d has other terms", i+1)
		}
		j.terms, j.shares, j.keys = terms, append(j.shares, share), append(j.keys, k)
	}
	return j
}

func raw(t pseudonym.Terms) (out [][]byte) {
	for _, p := range t.Holders {
		out = append(out, p.Bytes())
	}
	return out
}

// ask lets the holders answer, but those that are away, and lets some lie.
func (j joined) ask(away []int, lie map[int]func(response []byte) []byte) pseudonym.Ask {
	return func(holder int, request []byte) ([]byte, error) {
		if slices.Contains(away, holder) {
			return nil, errAway
		}
		out, err := j.keys[holder-1].Evaluate(request)
		if f := lie[holder]; f != nil && err == nil {
			out = f(out)
		}
		return out, err
	}
}

var errAway = errors.New("away")

// whole is the key that the holders never put together, by Lagrange's formula.
func (j joined) whole(t testing.TB, at ...int) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.NewShare(pseudonym.Recover(j.terms.Threshold, j.shares, at))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestShared: any Threshold of the holders give the element of the key that they share,
// which is what a node with that key computes.
func TestShared(t *testing.T) {
	id := passport("N1234")
	for _, size := range []struct{ k, n int }{{2, 2}, {2, 3}, {3, 5}, {2, pseudonym.MaxHolders}} {
		j := join(t, size.k, size.n)
		public, err := j.terms.Public()
		if err != nil {
			t.Fatal(err)
		}
		last := make([]int, size.k)
		for i := range last {
			last[i] = size.n - i
		}
		direct := j.whole(t, last...)
		if !direct.Public().Equal(public) {
			t.Error("the terms are of another key than the shares")
		}
		want, err := direct.Element(id)
		if err != nil {
			t.Fatal(err)
		}
		var away []int
		for holder := 1; ; holder++ {
			var failed []int
			var mu sync.Mutex
			k, err := pseudonym.NewShared(j.terms, j.ask(away, nil), func(e *pseudonym.HolderError) {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, e.Holder)
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := k.Element(id)
			if len(away) > size.n-size.k {
				if !errors.Is(err, pseudonym.ErrHolders) || !errors.Is(err, errAway) || got != (pseudonym.Element{}) {
					t.Errorf("%d of %d, %d away: %v", size.k, size.n, len(away), err)
				}
				break
			}
			slices.Sort(failed)
			if err != nil || got != want || !slices.Equal(failed, away) {
				t.Errorf("%d of %d without %v: another element, %v; failed %v", size.k, size.n, away, err, failed)
			}
			away = append(away, holder)
		}
	}
}

// TestSharedLies: a holder that answers wrongly is named, and the others still give the
// element; nothing wrong is ever taken.
func TestSharedLies(t *testing.T) {
	j, other := join(t, 2, 3), join(t, 2, 3)
	id := passport("N1")
	want, err := j.whole(t, 1, 3).Element(id)
	if err != nil {
		t.Fatal(err)
	}
	lies := map[string]func([]byte) []byte{
		"flipped-element": func(b []byte) []byte { return flipped(b, 3) },
		"flipped-proof":   func(b []byte) []byte { return flipped(b, 40) },
		"flipped-end":     func(b []byte) []byte { return flipped(b, 70) },
		"short":           func(b []byte) []byte { return b[:95] },
		"long":            func(b []byte) []byte { return append(b, 0) },
		"empty":           func([]byte) []byte { return nil },
		"identity":        func(b []byte) []byte { return append(make([]byte, 32), b[32:]...) },
		"swapped-proof":   func(b []byte) []byte { return append(bytes.Clone(b[:32]), append(bytes.Clone(b[64:]), b[32:64]...)...) },
	}
	for name, lie := range lies {
		for holder := 1; holder <= 2; holder++ {
			var named []int
			var mu sync.Mutex
			k, err := pseudonym.NewShared(j.terms, j.ask(nil, map[int]func([]byte) []byte{holder: lie}), func(e *pseudonym.HolderError) {
				mu.Lock()
				defer mu.Unlock()
				if !e.Lies() {
					t.Errorf("%s: holder %d does not count as lying: %v", name, e.Holder, e.Err)
				}
				named = append(named, e.Holder)
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := k.Element(id); got != want || err != nil || !slices.Equal(named, []int{holder}) {
				t.Errorf("%s by holder %d: another element, %v; named %v", name, holder, err, named)
			}
		}
		k, err := pseudonym.NewShared(j.terms, j.ask([]int{3}, map[int]func([]byte) []byte{1: lie}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Element(id); !errors.Is(err, pseudonym.ErrHolders) || got != (pseudonym.Element{}) {
			t.Errorf("%s with one away: %v", name, err)
		}
	}
	// The share of another key, with a proof that holds for that.
	impostor := func(holder int, request []byte) ([]byte, error) {
		if holder == 2 {
			return other.keys[1].Evaluate(request)
		}
		return j.keys[holder-1].Evaluate(request)
	}
	k, err := pseudonym.NewShared(j.terms, impostor, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Element(id); got != want || err != nil {
		t.Errorf("a foreign share: another element, %v", err)
	}
}

func flipped(b []byte, at int) []byte {
	out := bytes.Clone(b)
	out[at] ^= 4
	return out
}

// TestSharedUpdate: people move from a key that the node has to one that is shared, and
// never back.
func TestSharedUpdate(t *testing.T) {
	j, other := join(t, 2, 3), join(t, 2, 3)
	k, err := pseudonym.NewShared(j.terms, j.ask([]int{2}, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	next, err := pseudonym.NewShared(other.terms, other.ask(nil, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	old := seeded(t, 1)
	e, err := old.Element(passport("N1"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := k.Element(passport("N1"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Update(old, e); got != want || err != nil {
		t.Errorf("updated to another element, %v", err)
	}
	if got, err := k.Update(k, want); got != want || err != nil {
		t.Errorf("to the same key: another element, %v", err)
	}
	for name, to := range map[string]pseudonym.Key{"local": old, "shared": next} {
		if got, err := to.Update(k, want); !errors.Is(err, pseudonym.ErrShared) || got != (pseudonym.Element{}) {
			t.Errorf("%s: updated away from a shared key: %v", name, err)
		}
	}
	if k.Seed() != nil || k.Equal(old) || !k.Equal(k) || k.Equal(next) || k.IsZero() {
		t.Error("seed or equality of a shared key")
	}
	if _, err := k.Evaluate(make([]byte, pseudonym.RequestSize)); !errors.Is(err, pseudonym.ErrKey) {
		t.Errorf("a shared key answers requests: %v", err)
	}
}

// TestOneHolderLearnsNothing is what the README says of one holder: his share gives
// another element of everybody than the key, and so do all his answers.
func TestOneHolderLearnsNothing(t *testing.T) {
	j := join(t, 2, 3)
	want, err := j.whole(t, 1, 2).Element(passport("N1"))
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range j.keys {
		if got, err := k.Element(passport("N1")); got == want || err != nil {
			t.Errorf("holder %d alone gives the element, %v", i+1, err)
		}
	}
	// What a holder sees of one person is another request each time.
	seen := map[string]bool{}
	k, err := pseudonym.NewShared(j.terms, func(holder int, request []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if seen[string(request)] {
			t.Error("a request came twice")
		}
		seen[string(request)] = true
		return j.keys[holder-1].Evaluate(request)
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, err := k.Element(passport("N1")); got != want || err != nil {
			t.Errorf("another element, %v", err)
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d requests, want 6", len(seen))
	}
}

var mu sync.Mutex

func TestTermsRefuse(t *testing.T) {
	j, other := join(t, 2, 3), join(t, 2, 3)
	h := j.terms.Holders
	for name, terms := range map[string]pseudonym.Terms{
		"zero": {}, "one": {Threshold: 1, Holders: h}, "more-than-all": {Threshold: 4, Holders: h},
		"swapped": {Threshold: 2, Holders: []pseudonym.PublicKey{h[1], h[0], h[2]}},
		"foreign": {Threshold: 2, Holders: []pseudonym.PublicKey{h[0], h[1], other.terms.Holders[2]}},
		"missing": {Threshold: 2, Holders: []pseudonym.PublicKey{h[0], {}, h[2]}},
		"many":    {Threshold: 2, Holders: slices.Repeat(h[:1], pseudonym.MaxHolders+1)},
	} {
		if p, err := terms.Public(); !errors.Is(err, pseudonym.ErrTerms) || !p.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := pseudonym.NewShared(terms, j.ask(nil, nil), nil); !errors.Is(err, pseudonym.ErrTerms) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, share := range [][]byte{nil, make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), j.shares[0][:31]} {
		if k, err := pseudonym.NewShare(share); !errors.Is(err, pseudonym.ErrKey) || !k.IsZero() {
			t.Errorf("share %x: %v", share, err)
		}
	}
}

// TestJoinNamesTheDealer who dealt what does not fit his commitments.
func TestJoinNamesTheDealer(t *testing.T) {
	deal := func() (d []pseudonym.Dealing, mine [][]byte) {
		for range 3 {
			dealing, shares, err := pseudonym.Deal(2, 3)
			if err != nil {
				t.Fatal(err)
			}
			d, mine = append(d, dealing), append(mine, shares[0])
		}
		return d, mine
	}
	for name, spoil := range map[string]func(d []pseudonym.Dealing, mine [][]byte){
		"share":       func(_ []pseudonym.Dealing, mine [][]byte) { mine[1] = flipped(mine[1], 0) },
		"no-share":    func(_ []pseudonym.Dealing, mine [][]byte) { mine[1] = nil },
		"commitment":  func(d []pseudonym.Dealing, _ [][]byte) { d[1][1] = d[0][1] },
		"malformed":   func(d []pseudonym.Dealing, _ [][]byte) { d[1][0] = make([]byte, 32) },
		"other-order": func(d []pseudonym.Dealing, _ [][]byte) { d[1] = append(d[1], d[1][0]) },
	} {
		d, mine := deal()
		spoil(d, mine)
		share, terms, err := pseudonym.Join(1, d, mine)
		e, ok := errors.AsType[*pseudonym.HolderError](err)
		if !ok || e.Holder != 2 || share != nil || terms.Threshold != 0 {
			t.Errorf("%s: %v, want dealer 2 named", name, err)
		}
	}
	d, mine := deal()
	for name, f := range map[string]func() error{
		"holder-0":     func() error { _, _, err := pseudonym.Join(0, d, mine); return err },
		"holder-4":     func() error { _, _, err := pseudonym.Join(4, d, mine); return err },
		"one-dealer":   func() error { _, _, err := pseudonym.Join(1, d[:1], mine[:1]); return err },
		"share-missed": func() error { _, _, err := pseudonym.Join(1, d, mine[:2]); return err },
		"deal-1-of-3":  func() error { _, _, err := pseudonym.Deal(1, 3); return err },
		"deal-3-of-2":  func() error { _, _, err := pseudonym.Deal(3, 2); return err },
	} {
		if err := f(); !errors.Is(err, pseudonym.ErrTerms) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkShared(b *testing.B) {
	j := join(b, 2, 3)
	k, err := pseudonym.NewShared(j.terms, j.ask(nil, nil), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Element(passport("N1")); err != nil {
			b.Fatal(err)
		}
	}
}

// TestReplaceShared: all shares times a factor are shares of the key times the factor, and
// people move to that with nobody's help.
func TestReplaceShared(t *testing.T) {
	j := join(t, 2, 3)
	old, err := pseudonym.NewShared(j.terms, j.ask(nil, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := old.Element(passport("N1"))
	if err != nil {
		t.Fatal(err)
	}
	factor, err := pseudonym.NewFactor()
	if err != nil {
		t.Fatal(err)
	}
	next := joined{}
	if next.terms, err = j.terms.Times(factor); err != nil {
		t.Fatal(err)
	}
	for i, share := range j.shares {
		m, err := pseudonym.MultiplyShare(share, factor)
		if err != nil {
			t.Fatal(err)
		}
		k, err := pseudonym.NewShare(m)
		if err != nil || !k.Public().Equal(next.terms.Holders[i]) {
			t.Fatalf("holder %d: another share than the terms say, %v", i+1, err)
		}
		next.keys = append(next.keys, k)
	}
	k, err := pseudonym.NewShared(next.terms, next.ask([]int{1}, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := k.Element(passport("N1"))
	if err != nil || want == e {
		t.Fatalf("the element stayed, %v", err)
	}
	if _, err := k.Update(old, e); !errors.Is(err, pseudonym.ErrShared) {
		t.Errorf("moved without the factor: %v", err)
	}
	k, err = k.After(old.Public(), factor)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Update(old, e); got != want || err != nil {
		t.Errorf("moved to another element, %v", err)
	}
	back, err := pseudonym.InvertFactor(factor)
	if err != nil {
		t.Fatal(err)
	}
	if was, err := next.terms.Times(back); err != nil || fmt.Sprint(raw(was)) != fmt.Sprint(raw(j.terms)) {
		t.Errorf("not undone, %v", err)
	}
	other, err := pseudonym.NewFactor()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.After(old.Public(), other); !errors.Is(err, pseudonym.ErrKey) {
		t.Errorf("another factor: %v", err)
	}
	for _, bad := range [][]byte{nil, make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), factor[:31]} {
		if _, err := j.terms.Times(bad); !errors.Is(err, pseudonym.ErrKey) {
			t.Errorf("factor %x: %v", bad, err)
		}
		if _, err := pseudonym.MultiplyShare(j.shares[0], bad); !errors.Is(err, pseudonym.ErrKey) {
			t.Errorf("factor %x: %v", bad, err)
		}
	}
}
