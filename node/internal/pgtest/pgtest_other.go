//go:build !linux

// Package pgtest runs a PostgreSQL cluster for the length of a test, on Linux. Here it
// skips the tests that need one.
package pgtest

import "testing"

// Cluster is none.
type Cluster struct{}

// Fault has no effect.
type Fault int32

// The faults.
const (
	None Fault = iota
	CutBefore
	CutAfter
)

// Proxy is none.
type Proxy struct{}

// Start skips the test.
func Start(tb testing.TB) *Cluster {
	tb.Skip("PostgreSQL is started for tests on Linux only")
	return nil
}

// One is none.
type One struct{}

// Start skips the test.
func (*One) Start(tb testing.TB) *Cluster { return Start(tb) }

// Stop does nothing.
func (*One) Stop() {}

// Installed is false.
func Installed() bool { return false }

// Nothing of what follows is called.

func (*Cluster) Start(testing.TB)               {}
func (*Cluster) Crash()                         {}
func (*Cluster) Freeze(testing.TB) func()       { return func() {} }
func (*Cluster) Database(testing.TB) string     { return "" }
func (*Cluster) Run(testing.TB, string, string) {}
func (*Cluster) Dump(testing.TB, string) []byte { return nil }
func (*Cluster) Dir() string                    { return "" }
func (*Cluster) Proxy(testing.TB) *Proxy        { return nil }
func (*Proxy) DSN(*Cluster, string) string      { return "" }
func (*Proxy) Fail(Fault)                       {}
func (*Proxy) Down(bool)                        {}
func (*Proxy) DownAfterCut()                    {}
func (*Proxy) CutAt(int)                        {}

func (*Proxy) CutAll() {}
