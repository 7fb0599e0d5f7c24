//go:build !amd64

package mcc

const (
	usePopcnt = false
	useAVX2   = false
)

func countPopcnt(*Cylinder, *planes, *Cylinder, int, *Counts, bool) { panic("mcc: no assembly here") }

func bestAVX2(*Counts, *uint8, int, uint32, *Key, *Best) { panic("mcc: no assembly here") }
