package cli

import (
	"errors"
	"slices"
)

// Closers are what a command has opened, to be closed last first.
type Closers []func() error

// Add has f called by close.
func (c *Closers) Add(f func() error) { *c = append(*c, f) }

// Close closes all, whatever fails meanwhile, and returns every error.
func (c *Closers) Close() error {
	var errs []error
	for _, f := range slices.Backward(*c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
