#include "textflag.h"

// Offsets in Vector, checked by a test.
#define vNarrow 0
#define vBias   48
#define vSize   56

// FOLD adds the upper half of a ZMM register to the lower. Sums that reach it
// are in registers 0 to 15, where VPHADDD can take them.
#define FOLD(Z, Y) \
	VEXTRACTI64X4 $1, Z, Y25; \
	VPADDD Y25, Y, Y

// SUM4 adds up the eight lanes of each of four registers and stores the four
// sums, less the bias in X26, at dst.
#define SUM4(A, B, C, D, XA, dst) \
	VPHADDD B, A, A; \
	VPHADDD D, C, C; \
	VPHADDD C, A, A; \
	VEXTRACTI32X4 $1, A, X25; \
	VPADDD X25, XA, XA; \
	VPSUBD X26, XA, XA; \
	VMOVDQU32 XA, dst

// func dots1AVX512(out *int32, rows *byte, n, stride int, q *Vector)
//
// VPDPBUSD multiplies unsigned bytes (the rows) with signed ones (the query)
// and adds four products to each lane, without saturation.
TEXT ·dots1AVX512(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ stride+24(FP), DX
	MOVQ q+32(FP), BX
	VPBROADCASTD vBias(BX), X26
	MOVQ vNarrow(BX), BX

rows1:
	LEAQ (SI)(DX*1), R8
	LEAQ (SI)(DX*2), R9
	LEAQ (R8)(DX*2), R10
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	XORQ AX, AX
	LEAQ (SI)(DX*8), R11
	LEAQ (R11)(DX*8), R11

columns1:
	PREFETCHT0 (R11)(AX*4)
	PREFETCHT0 64(R11)(AX*4)
	PREFETCHT0 128(R11)(AX*4)
	PREFETCHT0 192(R11)(AX*4)
	VMOVDQU64 (BX)(AX*1), Z16
	VMOVDQU64 (SI)(AX*1), Z17
	VMOVDQU64 (R8)(AX*1), Z18
	VMOVDQU64 (R9)(AX*1), Z19
	VMOVDQU64 (R10)(AX*1), Z20
	VPDPBUSD Z16, Z17, Z0
	VPDPBUSD Z16, Z18, Z1
	VPDPBUSD Z16, Z19, Z2
	VPDPBUSD Z16, Z20, Z3
	ADDQ $64, AX
	CMPQ AX, DX
	JLT columns1

	FOLD(Z0, Y0)
	FOLD(Z1, Y1)
	FOLD(Z2, Y2)
	FOLD(Z3, Y3)
	SUM4(Y0, Y1, Y2, Y3, X0, (DI))
	ADDQ $16, DI
	LEAQ (SI)(DX*4), SI
	SUBQ $4, CX
	JG rows1
	VZEROUPPER
	RET

#define STEP4(query, a, b, c, d) \
	VMOVDQU64 (query)(AX*1), Z20; \
	VPDPBUSD Z20, Z16, a; \
	VPDPBUSD Z20, Z17, b; \
	VPDPBUSD Z20, Z18, c; \
	VPDPBUSD Z20, Z19, d

// func dots4AVX512(out *int32, rows *byte, n, stride int, q *[Queries]Vector)
//
// Tile of four queries by four rows: sixteen sums stay in registers.
TEXT ·dots4AVX512(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ stride+24(FP), DX
	MOVQ q+32(FP), BX
	VPBROADCASTD (vBias+0*vSize)(BX), X27
	VPBROADCASTD (vBias+1*vSize)(BX), X28
	VPBROADCASTD (vBias+2*vSize)(BX), X29
	VPBROADCASTD (vBias+3*vSize)(BX), X30
	MOVQ (vNarrow+0*vSize)(BX), R8
	MOVQ (vNarrow+1*vSize)(BX), R9
	MOVQ (vNarrow+2*vSize)(BX), R10
	MOVQ (vNarrow+3*vSize)(BX), R11
	LEAQ (CX*4), R12         // bytes of one query's results
	LEAQ (R12)(R12*2), R13

rows4:
	LEAQ (SI)(DX*1), BX
	LEAQ (SI)(DX*2), R15
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	XORQ AX, AX
	LEAQ (BX)(DX*2), CX
	LEAQ (SI)(DX*8), R14
	LEAQ (R14)(DX*8), R14

columns4:
	PREFETCHT0 (R14)(AX*4)
	PREFETCHT0 64(R14)(AX*4)
	PREFETCHT0 128(R14)(AX*4)
	PREFETCHT0 192(R14)(AX*4)
	VMOVDQU64 (SI)(AX*1), Z16
	VMOVDQU64 (BX)(AX*1), Z17
	VMOVDQU64 (R15)(AX*1), Z18
	VMOVDQU64 (CX)(AX*1), Z19
	STEP4(R8, Z0, Z1, Z2, Z3)
	STEP4(R9, Z4, Z5, Z6, Z7)
	STEP4(R10, Z8, Z9, Z10, Z11)
	STEP4(R11, Z12, Z13, Z14, Z15)
	ADDQ $64, AX
	CMPQ AX, DX
	JLT columns4

	FOLD(Z0, Y0)
	FOLD(Z1, Y1)
	FOLD(Z2, Y2)
	FOLD(Z3, Y3)
	FOLD(Z4, Y4)
	FOLD(Z5, Y5)
	FOLD(Z6, Y6)
	FOLD(Z7, Y7)
	FOLD(Z8, Y8)
	FOLD(Z9, Y9)
	FOLD(Z10, Y10)
	FOLD(Z11, Y11)
	FOLD(Z12, Y12)
	FOLD(Z13, Y13)
	FOLD(Z14, Y14)
	FOLD(Z15, Y15)
	VMOVDQA32 X27, X26
	SUM4(Y0, Y1, Y2, Y3, X0, (DI))
	VMOVDQA32 X28, X26
	SUM4(Y4, Y5, Y6, Y7, X4, (DI)(R12*1))
	VMOVDQA32 X29, X26
	SUM4(Y8, Y9, Y10, Y11, X8, (DI)(R12*2))
	VMOVDQA32 X30, X26
	SUM4(Y12, Y13, Y14, Y15, X12, (DI)(R13*1))
	ADDQ $16, DI
	LEAQ (SI)(DX*4), SI
	SUBQ $4, n+16(FP)        // the argument is ours, and registers are few
	JG rows4
	VZEROUPPER
	RET

// TURN counts the differing bits of the row in Z0 to Z3 and the rotation at
// BX, leaves them in the eight quads of Z10, and goes on to the next rotation.
#define TURN \
	VPXORQ 0(BX), Z0, Z10; \
	VPXORQ 64(BX), Z1, Z11; \
	VPXORQ 128(BX), Z2, Z12; \
	VPXORQ 192(BX), Z3, Z13; \
	VPOPCNTQ Z10, Z10; \
	VPOPCNTQ Z11, Z11; \
	VPOPCNTQ Z12, Z12; \
	VPOPCNTQ Z13, Z13; \
	VPADDQ Z11, Z10, Z10; \
	VPADDQ Z13, Z12, Z12; \
	VPADDQ Z12, Z10, Z10; \
	ADDQ $256, BX

// PACK4 leaves the counts of four rotations in Z14, sixteen bits each in every
// quad, still to be added over the quads.
#define PACK4 \
	TURN; \
	VMOVDQA64 Z10, Z14; \
	TURN; \
	VPSLLQ $16, Z10, Z10; \
	VPADDQ Z10, Z14, Z14; \
	TURN; \
	VPSLLQ $32, Z10, Z10; \
	VPADDQ Z10, Z14, Z14; \
	TURN; \
	VPSLLQ $48, Z10, Z10; \
	VPADDQ Z10, Z14, Z14

// OCTETS adds the eight quads of Z into the low one of X.
#define OCTETS(Z, Y, X) \
	VEXTRACTI64X4 $1, Z, Y16; \
	VPADDQ Y16, Y, Y; \
	VEXTRACTI32X4 $1, Y, X16; \
	VPADDQ X16, X, X; \
	VPSHUFD $0xee, X, X16; \
	VPADDQ X16, X, X

// func irisAVX512(out *uint16, rows *byte, n int, p *Probe)
TEXT ·irisAVX512(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ p+24(FP), DX

iris1:
	VMOVDQU64 0(SI), Z0
	VMOVDQU64 64(SI), Z1
	VMOVDQU64 128(SI), Z2
	VMOVDQU64 192(SI), Z3
	MOVQ DX, BX
	VPCMPEQW X15, X15, X15   // least so far: 65535
	MOVL $4, R8

iris4:
	PACK4
	OCTETS(Z14, Y14, X14)
	VPMINUW X14, X15, X15
	DECL R8
	JNZ iris4

	TURN
	OCTETS(Z10, Y10, X10)
	VMOVQ X10, R9
	VPBROADCASTQ X15, X15    // the four rotations are in the low quad
	VPHMINPOSUW X15, X15
	VMOVD X15, R10
	MOVWLZX R10, R10
	CMPL R9, R10
	CMOVLLT R9, R10
	MOVW R10, (DI)
	ADDQ $2, DI
	ADDQ $512, SI
	DECQ CX
	JNZ iris1
	VZEROUPPER
	RET

// BOTH leaves the usable bits of a register of row and rotation in m, and those
// of them that differ in d.
#define BOTH(off, code, mask, d, m) \
	VPANDQ off(R9), mask, m; \
	VPXORQ off(BX), code, d; \
	VPANDQ m, d, d; \
	VPOPCNTQ m, m; \
	VPOPCNTQ d, d

// func irisMaskedAVX512(out *Rotations, rows *byte, n int, p *Probe)
TEXT ·irisMaskedAVX512(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ p+24(FP), DX

masked1:
	VMOVDQU64 0(SI), Z0
	VMOVDQU64 64(SI), Z1
	VMOVDQU64 128(SI), Z2
	VMOVDQU64 192(SI), Z3
	VMOVDQU64 256(SI), Z4
	VMOVDQU64 320(SI), Z5
	VMOVDQU64 384(SI), Z6
	VMOVDQU64 448(SI), Z7
	MOVQ DX, BX
	LEAQ (17*256)(DX), R9
	XORQ R8, R8

masked2:
	BOTH(0, Z0, Z4, Z8, Z12)
	BOTH(64, Z1, Z5, Z9, Z13)
	BOTH(128, Z2, Z6, Z10, Z14)
	BOTH(192, Z3, Z7, Z11, Z15)
	VPADDQ Z9, Z8, Z8
	VPADDQ Z11, Z10, Z10
	VPADDQ Z10, Z8, Z8
	VPADDQ Z13, Z12, Z12
	VPADDQ Z15, Z14, Z14
	VPADDQ Z14, Z12, Z12
	VPSLLQ $32, Z12, Z12
	VPADDQ Z12, Z8, Z8
	OCTETS(Z8, Y8, X8)
	VMOVQ X8, R10
	MOVW R10, (DI)(R8*2)
	SHRQ $32, R10
	MOVW R10, 64(DI)(R8*2)
	ADDQ $256, BX
	ADDQ $256, R9
	INCQ R8
	CMPQ R8, $17
	JLT masked2

	ADDQ $128, DI
	ADDQ $512, SI
	DECQ CX
	JNZ masked1
	VZEROUPPER
	RET

// func localAVX512(probe *uint64, np int, reference *uint64, n int) int
//
// A group of eight cylinders of the reference is compared at a time with one of
// the probe, held in Z0 to Z4.
TEXT ·localAVX512(SB), NOSPLIT, $0-40
	MOVQ probe+0(FP), SI
	MOVQ np+8(FP), CX
	MOVQ n+24(FP), R8
	ADDQ $7, R8
	SHRQ $3, R8              // groups
	XORQ AX, AX              // sum

probe1:
	VPBROADCASTQ 0(SI), Z0
	VPBROADCASTQ 8(SI), Z1
	VPBROADCASTQ 16(SI), Z2
	VPBROADCASTQ 24(SI), Z3
	VPBROADCASTQ 32(SI), Z4
	MOVQ reference+16(FP), DI
	MOVQ R8, R9
	VPTERNLOGD $0xff, Z5, Z5, Z5
	VPSLLQ $20, Z5, Z5       // never

group:
	VPXORQ 0(DI), Z0, Z10
	VPXORQ 64(DI), Z1, Z11
	VPXORQ 128(DI), Z2, Z12
	VPXORQ 192(DI), Z3, Z13
	VPXORQ 256(DI), Z4, Z14
	VPOPCNTQ Z10, Z10
	VPOPCNTQ Z11, Z11
	VPOPCNTQ Z12, Z12
	VPOPCNTQ Z13, Z13
	VPOPCNTQ Z14, Z14
	VPADDQ Z11, Z10, Z10
	VPADDQ Z13, Z12, Z12
	VPADDQ Z14, Z10, Z10
	VPADDQ Z12, Z10, Z10
	VMOVDQU64 320(DI), Z11
	VPSUBQ Z10, Z11, Z11
	VPMAXSQ Z11, Z5, Z5
	ADDQ $384, DI
	SUBQ $1, R9
	JNZ group

	VEXTRACTI64X4 $1, Z5, Y10
	VPMAXSQ Y10, Y5, Y5
	VEXTRACTI32X4 $1, Y5, X10
	VPMAXSQ X10, X5, X5
	VPSHUFD $0xee, X5, X10
	VPMAXSQ X10, X5, X5
	VMOVQ X5, R10
	ADDQ 40(SI), R10
	XORQ R11, R11
	TESTQ R10, R10
	CMOVQLT R11, R10
	ADDQ R10, AX
	ADDQ $48, SI
	SUBQ $1, CX
	JNZ probe1
	MOVQ AX, ret+32(FP)
	VZEROUPPER
	RET
