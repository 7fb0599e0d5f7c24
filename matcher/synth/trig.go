package synth

// Trigonometry on integers (CORDIC, J. Volder, IRE Trans. EC-8(3), 1959), because floating point
// may differ in the last bit between processors and the octets here may not. Angles are 65536ths of
// a turn, counter-clockwise from the x axis, y upwards; arithmetic on uint16 wraps as angles do.

const (
	degree   = 182 // 65536/360, rounded
	halfTurn = 1 << 15
)

const cordicSteps = 20

// cordicAngles gives atan(2^-i) in 2^32nds of a turn.
func cordicAngles() [cordicSteps]int64 {
	return [cordicSteps]int64{
		536870912, 316933406, 167458907, 85004756, 42667331, 21354465, 10679838,
		5340245, 2670163, 1335087, 667544, 333772, 166886, 83443,
		41722, 20861, 10430, 5215, 2608, 1304,
	}
}

// cordicShrink is the product of cos(atan(2^-i)), times 2^32.
const cordicShrink = 2608131496

// direction gives the angle of the vector (x, y); 0 for the zero vector. Coordinates stay below
// 2^20.
func direction(x, y int64) uint16 {
	var turned int64
	switch { // into the right half plane, where the iteration converges
	case x < 0 && y >= 0:
		x, y, turned = y, -x, 1<<30
	case x < 0:
		x, y, turned = -y, x, -1<<30
	}
	x, y = x<<20, y<<20
	for i, a := range cordicAngles() {
		if y > 0 {
			x, y, turned = x+y>>i, y-x>>i, turned+a
		} else if y < 0 {
			x, y, turned = x-y>>i, y+x>>i, turned-a
		}
	}
	return uint16((turned + 1<<15) >> 16)
}

// rotate turns the vector (x, y) by an angle. Coordinates stay below 2^20.
func rotate(x, y int64, by uint16) (int64, int64) {
	left := int64(int16(by)) << 16
	switch { // to within a quarter turn, where the iteration converges
	case left > 1<<30:
		x, y, left = -y, x, left-1<<30
	case left < -1<<30:
		x, y, left = y, -x, left+1<<30
	}
	x, y = x<<10, y<<10
	for i, a := range cordicAngles() {
		if left >= 0 {
			x, y, left = x-y>>i, y+x>>i, left-a
		} else {
			x, y, left = x+y>>i, y-x>>i, left+a
		}
	}
	return roundShrink(x), roundShrink(y)
}

// roundShrink undoes the scale and the gain of rotate.
func roundShrink(v int64) int64 { return (v>>2*(cordicShrink>>2) + 1<<37) >> 38 }
