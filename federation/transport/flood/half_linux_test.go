//go:build unix

package flood_test

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onHalf runs start so that the process which it starts has half of this one's processors; with one processor, or
// without leave to choose, it just runs it.
func onHalf(half int, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, some unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 {
		return start()
	}
	n, count := 0, all.Count()
	for cpu := 0; n < count; cpu++ {
		if all.IsSet(cpu) {
			if (n >= count/2) == (half == 1) {
				some.Set(cpu)
			}
			n++
		}
	}
	if unix.SchedSetaffinity(0, &some) != nil {
		return start()
	}
	err := start()
	if unix.SchedSetaffinity(0, &all) != nil && err == nil {
		runtime.LockOSThread() // this thread is no good to anybody else: it ends with its goroutine
	}
	return err
}
