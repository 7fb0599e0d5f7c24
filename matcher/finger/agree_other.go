//go:build !amd64

package finger

const useAVX2 = false

func (s *scratch) relaxAVX2() { panic("finger: no assembly here") }
