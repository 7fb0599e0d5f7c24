package main

import (
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/backup"
)

// TestPruneOfTheFuture: nothing is removed while a file is dated later than now, but for
// what clocks may differ by.
func TestPruneOfTheFuture(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	dated := func(at time.Time) []backup.Finding {
		return []backup.Finding{{File: "a"}, {File: "b", Label: backup.Label{Created: at}}}
	}
	for _, at := range []time.Time{now.AddDate(-1, 0, 0), now, now.Add(time.Minute)} {
		if err := ofTheFuture(dated(at), now); err != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
	err := ofTheFuture(dated(now.AddDate(1, 0, 0)), now)
	if f, ok := errors.AsType[*failure](err); !ok || f.exit != exitIntegrity {
		t.Errorf("a year ahead: %v", err)
	}
}
