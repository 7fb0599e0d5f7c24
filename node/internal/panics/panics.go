// Package panics says where a panic came from, for records that must not hold its value.
package panics

import (
	"fmt"
	"runtime"
	"strings"
)

// Site names the function and line that panicked. It must be called from the
// deferred function itself.
func Site() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}
