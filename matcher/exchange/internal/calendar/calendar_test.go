package calendar_test

import (
	"testing"
	"time"

	"github.com/tamga-id/tamga/matcher/exchange/internal/calendar"
)

// TestDay compares every day of the years that records are of, and some around centuries, with
// package time.
func TestDay(t *testing.T) {
	years := []int{1, 4, 100, 400, 1600, 1700, 1900, 9999, 65534}
	for y := 1950; y <= 2110; y++ {
		years = append(years, y)
	}
	for _, y := range years {
		for m := range 14 {
			for d := range 33 {
				at := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
				want := at.Year() == y && at.Month() == time.Month(m) && at.Day() == d
				if got := calendar.Day(y, m, d); got != want {
					t.Errorf("%d-%d-%d: got %t", y, m, d, got)
				}
			}
		}
	}
	if calendar.Day(0, 1, 1) {
		t.Error("there is a year 0")
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		h, m, s int
		want    bool
	}{{0, 0, 0, true}, {23, 59, 59, true}, {24, 0, 0, false}, {0, 60, 0, false}, {0, 0, 60, false}, {-1, 0, 0, false}} {
		if got := calendar.Clock(c.h, c.m, c.s); got != c.want {
			t.Errorf("%v: got %t", c, got)
		}
	}
}
