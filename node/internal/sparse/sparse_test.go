package sparse_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/internal/sparse"
)

func TestDue(t *testing.T) {
	var l sparse.Lines
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, tc := range []struct {
		key  string
		at   time.Duration
		left int
		due  bool
	}{
		{"a", 0, 0, true},
		{"a", time.Second, 0, false},
		{"b", time.Second, 0, true},
		{"a", 59 * time.Second, 0, false},
		{"a", time.Minute, 2, true},
		{"a", 61 * time.Second, 0, false},
		{"b", time.Hour, 0, true},
		{"a", time.Hour, 1, true},
		{"a", 0, 0, true}, // the clock was put back
	} {
		if left, due := l.Due(tc.key, begin.Add(tc.at)); left != tc.left || due != tc.due {
			t.Errorf("%d: got %d, %t", i, left, due)
		}
	}
}

// TestMany: keys without end share a line until others are old.
func TestMany(t *testing.T) {
	var l sparse.Lines
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	lines := 0
	for i := range 5000 {
		if _, due := l.Due(fmt.Sprint(i), begin); due {
			lines++
		}
	}
	if lines != 1025 {
		t.Errorf("got %d lines", lines)
	}
	if _, due := l.Due("new", begin.Add(time.Minute)); !due {
		t.Error("no line a minute later")
	}
}
