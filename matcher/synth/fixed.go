package synth

import "math/bits"

// Fixed-point functions, for the reason given at direction: every processor must find the same
// octets. Numbers are Q16: 65536 stands for 1.

const one = 1 << 16

// exp2 gives 2^x for -16 <= x < 16, both Q16: one factor 2^(2^-i) for each bit of the
// fraction, as H. Briggs made his tables (Arithmetica Logarithmica, 1624).
func exp2(x int64) int64 {
	x = max(-16*one, min(16*one-1, x))
	whole, fraction := x>>16, x&(one-1)
	y := int64(1) << 30
	for i, f := range exp2Factors() {
		if fraction>>(15-i)&1 == 1 {
			y = (y*f + 1<<29) >> 30
		}
	}
	return y << (whole + 16) >> 30
}

// exp2Factors gives 2^(1/2), 2^(1/4), ... 2^(1/65536) in 2^-30.
func exp2Factors() [16]int64 {
	return [16]int64{
		1518500250, 1276901417, 1170923762, 1121280436, 1097253708, 1085434106, 1079572136,
		1076653033, 1075196443, 1074468888, 1074105294, 1073923544, 1073832680, 1073787251,
		1073764537, 1073753181,
	}
}

// log2 gives the logarithm to base 2 of x > 0, Q16, by squaring.
func log2(x int64) int64 {
	whole := int64(bits.Len64(uint64(x))) - 1
	m := uint64(x) << (62 - whole) >> 31 // 1 to 2, in 2^-31
	y := (whole - 16) << 16
	for bit := int64(1 << 15); bit > 0; bit >>= 1 {
		m = m * m >> 31
		if m >= 1<<32 {
			m >>= 1
			y += bit
		}
	}
	return y
}

// root gives the square root of x >= 0, rounded down, by Newton's method.
func root(x int64) int64 {
	if x < 2 {
		return x
	}
	y := int64(1) << ((bits.Len64(uint64(x)) + 1) / 2)
	for {
		z := (y + x/y) / 2
		if z >= y {
			return y
		}
		y = z
	}
}

// lognormal gives a value whose logarithm is normal: median times e to the power of a normal
// deviate of the given standard deviation, in thousandths.
func (s *stream) lognormal(median, deviation int64) int64 {
	const log2e = 94548 // Q16
	return median * exp2(int64(s.normal())*deviation*log2e/(normalUnit*1000)) / one
}
