package signature

import "golang.org/x/sys/cpu"

// fast says that apartColumns can run here.
var fast = cpu.X86.HasAVX2

// apartColumns sets out to the distances of p to blocks of lanes rows of
// columns, whose channels lie stride octets apart.
//
//go:noescape
func apartColumns(out *uint16, columns *int16, stride int, p *row, blocks int)
