//go:build !unix

package custody

// lock does nothing where there is no flock: run one command at a time.
func lock(string) (unlock func(), err error) { return func() {}, nil }

func queueFor(string) (leave func(), err error) { return func() {}, nil }
