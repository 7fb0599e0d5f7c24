#include "textflag.h"

// SECTION adds to R12 the bits that section k has in both cylinders, and to
// R13 those that it has in b where a is valid. AX to R9 hold a's sections.
#define SECTION(k, a) \
	MOVQ    k*8(DI), R15; \
	MOVQ    R15, BX; \
	ANDQ    a, R15; \
	POPCNTQ R15, R15; \
	ADDQ    R15, R12; \
	ANDQ    R11, BX; \
	POPCNTQ BX, BX; \
	ADDQ    BX, R13

// BOTH adds to R12 the bits that section k has in both cylinders.
#define BOTH(k, a) \
	MOVQ    k*8(DI), R15; \
	ANDQ    a, R15; \
	POPCNTQ R15, R15; \
	ADDQ    R15, R12

// func countPopcnt(a *Cylinder, p *planes, bs *Cylinder, n int, out *Counts, full bool)
//
// A cylinder is six words of bits, the word of valid cells, and the number of
// bits in two bytes of the last eight.
TEXT ·countPopcnt(SB), NOSPLIT, $0-41
	MOVQ a+0(FP), SI
	MOVQ p+8(FP), R10
	MOVQ bs+16(FP), DI
	MOVQ 0(SI), AX
	MOVQ 8(SI), CX
	MOVQ 16(SI), DX
	MOVQ 24(SI), R8
	MOVQ 32(SI), R9
	MOVQ 48(SI), R11
	CMPB full+40(FP), $0
	JNE  whole

loop:
	XORL R12, R12
	XORL R13, R13
	SECTION(0, AX)
	SECTION(1, CX)
	SECTION(2, DX)
	SECTION(3, R8)
	SECTION(4, R9)
	SECTION(5, 40(SI))

	// The bits of a where b is valid, by its planes: a number of three digits.
	MOVQ    48(DI), R15
	MOVQ    16(R10), BX
	ANDQ    R15, BX
	POPCNTQ BX, BX
	SHLQ    $20, R13
	ADDQ    R13, R12
	MOVQ    8(R10), R13
	ANDQ    R15, R13
	POPCNTQ R13, R13
	LEAQ    (R13)(BX*2), BX
	MOVQ    0(R10), R13
	ANDQ    R15, R13
	POPCNTQ R13, R13
	LEAQ    (R13)(BX*2), BX
	SHLQ    $10, BX
	ADDQ    BX, R12

	// Bit 30 when 32 cells or more are shared: of the count, at most 52, it is bit 5.
	ANDQ    R11, R15
	POPCNTQ R15, R15
	ANDQ    $32, R15
	SHLQ    $25, R15
	ADDQ    R15, R12
	MOVQ    out+32(FP), BX
	MOVL    R12, (BX)
	ADDQ    $4, BX
	MOVQ    BX, out+32(FP)
	ADDQ    $64, DI
	DECQ    n+24(FP)
	JNZ     loop
	RET

	// All cells of a are valid: the bits that b has there are all it has.
whole:
	XORL    R12, R12
	BOTH(0, AX)
	BOTH(1, CX)
	BOTH(2, DX)
	BOTH(3, R8)
	BOTH(4, R9)
	BOTH(5, 40(SI))
	MOVWLZX 56(DI), R13
	// The bits of a where b is valid, by its planes: a number of three digits.
	MOVQ    48(DI), R15
	MOVQ    16(R10), BX
	ANDQ    R15, BX
	POPCNTQ BX, BX
	SHLQ    $20, R13
	ADDQ    R13, R12
	MOVQ    8(R10), R13
	ANDQ    R15, R13
	POPCNTQ R13, R13
	LEAQ    (R13)(BX*2), BX
	MOVQ    0(R10), R13
	ANDQ    R15, R13
	POPCNTQ R13, R13
	LEAQ    (R13)(BX*2), BX
	SHLQ    $10, BX
	ADDQ    BX, R12

	ANDQ    R11, R15
	POPCNTQ R15, R15
	ANDQ    $32, R15
	SHLQ    $25, R15
	ADDQ    R15, R12
	MOVQ    out+32(FP), BX
	MOVL    R12, (BX)
	ADDQ    $4, BX
	MOVQ    BX, out+32(FP)
	ADDQ    $64, DI
	DECQ    n+24(FP)
	JNZ     whole
	RET

DATA ·tenBits+0(SB)/4, $1023
GLOBL ·tenBits(SB), RODATA|NOPTR, $4
DATA ·one+0(SB)/4, $0x3f800000 // 1.0
GLOBL ·one(SB), RODATA|NOPTR, $4
DATA ·chance+0(SB)/4, $0x3e99999a // 0.3
GLOBL ·chance(SB), RODATA|NOPTR, $4
DATA ·eightBits+0(SB)/4, $255
GLOBL ·eightBits(SB), RODATA|NOPTR, $4
DATA ·half+0(SB)/4, $128
GLOBL ·half(SB), RODATA|NOPTR, $4
DATA ·eight+0(SB)/4, $8
GLOBL ·eight(SB), RODATA|NOPTR, $4
DATA ·lanes+0(SB)/4, $0
DATA ·lanes+4(SB)/4, $1
DATA ·lanes+8(SB)/4, $2
DATA ·lanes+12(SB)/4, $3
DATA ·lanes+16(SB)/4, $4
DATA ·lanes+20(SB)/4, $5
DATA ·lanes+24(SB)/4, $6
DATA ·lanes+28(SB)/4, $7
GLOBL ·lanes(SB), RODATA|NOPTR, $32

// HIGHEST leaves the greatest lane of y, whose low half is x, in all lanes of x.
#define HIGHEST(y, x) \
	VEXTRACTI128 $1, y, X1; \
	VPMAXSD      X1, x, x; \
	VPSHUFD      $0x4e, x, X1; \
	VPMAXSD      X1, x, x; \
	VPSHUFD      $0xb1, x, X1; \
	VPMAXSD      X1, x, x

// func bestAVX2(counts *Counts, angles *uint8, n int, from uint32, keys *Key, out *Best)
//
// Eight at a time, reading and writing up to seven beyond n.
TEXT ·bestAVX2(SB), NOSPLIT, $0-48
	MOVQ         counts+0(FP), SI
	MOVQ         angles+8(FP), DX
	MOVQ         n+16(FP), CX
	MOVQ         keys+32(FP), DI
	MOVQ         out+40(FP), BX
	VPBROADCASTD ·tenBits(SB), Y8
	VBROADCASTSS ·one(SB), Y9
	VXORPS       Y10, Y10, Y10
	MOVL         from+24(FP), R10
	VMOVD        R10, X11
	VPBROADCASTD X11, Y11
	VPBROADCASTD ·eightBits(SB), Y12
	VMOVDQU      ·lanes(SB), Y13
	VPBROADCASTD ·eight(SB), Y14
	VMOVD        CX, X15
	VPBROADCASTD X15, Y15
	VPBROADCASTD ·half(SB), Y5
	VBROADCASTSS ·chance(SB), Y6
	VPXOR        Y7, Y7, Y7
	VPXOR        Y3, Y3, Y3
	MOVQ         DI, R8
	MOVQ         CX, R9

next:
	VMOVDQU   (SI), Y0
	VPSRLD    $10, Y0, Y1
	VPAND     Y8, Y1, Y1     // first
	VPSRLD    $20, Y0, Y2
	VPAND     Y8, Y2, Y2     // second
	VPADDD    Y1, Y2, Y4
	VCVTDQ2PS Y1, Y1
	VCVTDQ2PS Y2, Y2
	VSQRTPS   Y1, Y1
	VSQRTPS   Y2, Y2
	VADDPS    Y2, Y1, Y1     // length
	VPAND     Y8, Y0, Y2     // both
	VPADDD    Y2, Y2, Y2
	VPSUBD    Y2, Y4, Y4     // differing
	VCVTDQ2PS Y4, Y4
	VSQRTPS   Y4, Y4
	VDIVPS    Y1, Y4, Y4
	VSUBPS    Y4, Y9, Y4
	VCMPPS    $4, Y10, Y1, Y1 // length not 0
	VANDPS    Y1, Y4, Y4
	VPSLLD    $1, Y0, Y0
	VPSRAD    $31, Y0, Y0    // all ones where enough is shared
	VPAND     Y0, Y4, Y4     // similarity
	VCMPPS    $1, Y4, Y6, Y0 // chance < similarity
	VPCMPGTD  Y13, Y15, Y1   // within the row
	VPAND     Y1, Y0, Y0
	VPANDN    Y4, Y12, Y4
	VPOR      Y13, Y4, Y4
	VPAND     Y0, Y4, Y4     // key
	VPMOVZXBD (DX), Y1
	VPSUBD    Y1, Y11, Y1
	VPAND     Y12, Y1, Y1
	VPCMPGTD  Y5, Y1, Y1     // turned too far
	VPAND     Y1, Y4, Y0
	VPMAXSD   Y0, Y7, Y7
	VPANDN    Y4, Y1, Y4
	VPMAXSD   Y4, Y3, Y3
	VMOVDQU   Y4, (DI)
	VPADDD    Y14, Y13, Y13
	ADDQ      $32, SI
	ADDQ      $32, DI
	ADDQ      $8, DX
	SUBQ      $8, CX
	JG        next
	HIGHEST(Y7, X7)
	VMOVD     X7, 16(BX)

	MOVQ      $4, R10

rank:
	HIGHEST(Y3, X3)
	VMOVD     X3, (BX)
	ADDQ      $4, BX
	DECQ      R10
	JZ        done
	VPBROADCASTD X3, Y2
	VPXOR     Y3, Y3, Y3
	MOVQ      R8, DI
	MOVQ      R9, CX

lower:
	VMOVDQU   (DI), Y0
	VPCMPGTD  Y0, Y2, Y1     // less than the last one found
	VPAND     Y0, Y1, Y1
	VPMAXSD   Y1, Y3, Y3
	ADDQ      $32, DI
	SUBQ      $8, CX
	JG        lower
	JMP       rank

done:
	VZEROUPPER
	RET
