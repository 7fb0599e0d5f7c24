//go:build unix

package storebench

import (
	"io/fs"
	"syscall"
)

// onDisk counts the blocks of a file.
func onDisk(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
