//go:build !amd64

package finger

const useAVX2 = false

// closeBy is what the assembly works in.
type closeBy struct{}

func (s *scratch) relaxAVX2() { panic("finger: no assembly here") }

func (s *scratch) meetAVX2(_, _ *prepared, _ uint8, _ float32) { panic("finger: no assembly here") }
