package locked

import (
	"os"
	"syscall"
)

// madvDontDump is MADV_DONTDUMP of madvise(2), which package syscall lacks.
const madvDontDump = 16

// allocate maps whole pages, or returns nil when the system has none.
func allocate(n int) (pages []byte, isLocked bool) {
	size := (n + os.Getpagesize() - 1) / os.Getpagesize() * os.Getpagesize()
	pages, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, false
	}
	noDump := syscall.Madvise(pages, madvDontDump)
	noSwap := syscall.Mlock(pages)
	return pages, noDump == nil && noSwap == nil
}

func release(pages []byte) {
	clear(pages)
	_ = syscall.Munmap(pages)
}

const (
	prGetDumpable = 3 // PR_GET_DUMPABLE of prctl(2)
	prSetDumpable = 4 // PR_SET_DUMPABLE
)

// HideProcess keeps the whole process out of core dumps and out of the reach of
// other programs of the same user (ptrace, /proc/PID/mem): PR_SET_DUMPABLE 0.
func HideProcess() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return nil
}

// Hidden reports whether HideProcess took effect.
func Hidden() bool {
	v, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prGetDumpable, 0, 0)
	return errno == 0 && v == 0
}
