//go:build unix && !linux

package flood_test

func onHalf(_ int, start func() error) error { return start() }
