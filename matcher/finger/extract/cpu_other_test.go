//go:build !unix

package extract_test

func cpuSeconds() float64 { return 0 }
