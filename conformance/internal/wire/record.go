package wire

import (
	"encoding/binary"
	"math"
)

// PoorFinger is an ISO/IEC 19794-2:2005 record of one view with one minutia:
// header of 24 bytes, view header of 4, minutia of 6, length of extended data.
func PoorFinger(position byte) []byte {
	b := []byte("FMR\x00 20\x00")
	b = binary.BigEndian.AppendUint32(b, 36)
	for _, v := range []uint16{0, 300, 400, 197, 197} { // capture equipment, width, height, resolution per cm
		b = binary.BigEndian.AppendUint16(b, v)
	}
	b = append(b, 1, 0)                                 // views, reserved
	b = append(b, position, 0, 80, 1)                   // view 0, live-scan plain, quality, minutiae
	b = append(b, 0x40|100>>8, 100, 150>>8, 150, 0, 80) // ending at (100, 150), angle 0, quality
	return append(b, 0, 0)
}

// ForeignFace is a face of a model that nobody enrolled with, in tamga-embedding-1.
func ForeignFace() []byte {
	const model, dims = "conformance-no-such-model-1", 128
	b := append([]byte("TEMB\x01\x01"), byte(len(model)))
	b = append(b, model...)
	b = binary.LittleEndian.AppendUint16(b, dims)
	for i := range dims {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i%7)-3))
	}
	return b
}
