//go:build !amd64

package scan

// Sets lists the sets that this processor can run, fastest first: here the one
// in pure Go.
func Sets() []*Set { return []*Set{&generic} }
