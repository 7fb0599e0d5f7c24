//go:build !linux

package storebench

// dropCache cannot be had here.
func dropCache(string) bool { return false }
