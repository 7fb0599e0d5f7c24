//go:build !amd64

package signature

const fast = false

func apartColumns(*uint16, *int16, int, *row, int) {
	panic("signature: no fast way on this processor")
}
