//go:build unix

// Package cputime measures the processor time of this process.
package cputime

import (
	"syscall"
)

// Seconds is the processor time of all threads of this process, which does
// not grow while others keep the processors busy.
func Seconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}
