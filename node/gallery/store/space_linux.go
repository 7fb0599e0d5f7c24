package store

import "syscall"

// freeSpace is what an unprivileged process can still write below dir.
func freeSpace(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// allocated is how much of a file is more than a hole.
func allocated(path string) (uint64, error) {
	var s syscall.Stat_t
	if err := syscall.Stat(path, &s); err != nil {
		return 0, err
	}
	return uint64(s.Blocks) * 512, nil
}
