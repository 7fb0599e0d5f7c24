//go:build !unix

package storebench

import "io/fs"

// onDisk takes a file's length for what it takes.
func onDisk(info fs.FileInfo) int64 { return info.Size() }
