#include "textflag.h"

// The offsets of lanes: eight pairs are loaded from each.
#define AX_(k)   (SI)(k*4)
#define AY_(k)   128(SI)(k*4)
#define BX_(k)   256(SI)(k*4)
#define BY_(k)   384(SI)(k*4)
#define COS_(k)  512(SI)(k*4)
#define SIN_(k)  640(SI)(k*4)
#define TURN_(k) 768(SI)(k*4)

// The offsets of agreeing, after three pointers and a gap.
#define BYTE_  32(DX)
#define FULL_  64(DX)
#define MOST_  96(DX)
#define FLOOR_ 128(DX)
#define RATE_  160(DX)
#define STEPS_ 192(DX)
#define FAR_   224(DX)
#define ONE_   256(DX)
#define SCALE_ 288(DX)
#define WIDE_  320(DX)
#define SIGN_  352(DX)

// func agreeAVX2(p *lanes, n int, c *agreeing, out *[mostPairs * mostPairs]float32)
//
// Every operation is that of agreement, in its order, so that every bit is the
// same; lanes that agreement would leave early are masked in Y15.
TEXT ·agreeAVX2(SB), NOSPLIT, $0-32
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ c+16(FP), DX
	MOVQ out+24(FP), DI
	MOVQ 0(DX), R8
	MOVQ 8(DX), R9
	MOVQ 16(DX), R10
	XORQ R11, R11

row:
	VBROADCASTSS AX_(R11), Y0
	VBROADCASTSS AY_(R11), Y1
	VBROADCASTSS BX_(R11), Y2
	VBROADCASTSS BY_(R11), Y3
	XORQ R12, R12

column:
	// How far the one is turned against the other.
	VPBROADCASTD TURN_(R11), Y6
	VPSUBD       TURN_(R12), Y6, Y7
	VPAND        BYTE_, Y7, Y7
	VMOVDQU      FULL_, Y8
	VPSUBD       Y7, Y8, Y8
	VPMINSD      Y8, Y7, Y7
	VMOVDQU      MOST_, Y8
	VPCMPGTD     Y7, Y8, Y15
	VMOVMSKPS    Y15, AX
	TESTL        AX, AX
	JZ           none

	// The two lines: lengths squared in Y12 and Y13, dot in Y4, det in Y5.
	VMOVUPS AX_(R12), Y8
	VSUBPS  Y0, Y8, Y8
	VMOVUPS AY_(R12), Y9
	VSUBPS  Y1, Y9, Y9
	VMOVUPS BX_(R12), Y10
	VSUBPS  Y2, Y10, Y10
	VMOVUPS BY_(R12), Y11
	VSUBPS  Y3, Y11, Y11
	VMULPS  Y8, Y8, Y12
	VMULPS  Y9, Y9, Y13
	VADDPS  Y13, Y12, Y12
	VMULPS  Y10, Y10, Y13
	VMULPS  Y11, Y11, Y14
	VADDPS  Y14, Y13, Y13
	VMULPS  Y8, Y10, Y4
	VMULPS  Y9, Y11, Y5
	VADDPS  Y5, Y4, Y4
	VMULPS  Y9, Y10, Y5
	VMULPS  Y8, Y11, Y6
	VSUBPS  Y6, Y5, Y5
	VXORPS  Y14, Y14, Y14
	VCMPPS  $4, Y14, Y12, Y6
	VANDPS  Y6, Y15, Y15
	VCMPPS  $4, Y14, Y13, Y6
	VANDPS  Y6, Y15, Y15

	// The difference of their lengths, in steps of the table.
	VSQRTPS   Y12, Y12
	VSQRTPS   Y13, Y13
	VADDPS    Y13, Y12, Y6
	VMULPS    RATE_, Y6, Y6
	VADDPS    FLOOR_, Y6, Y6
	VSUBPS    Y13, Y12, Y8
	VANDPS    SIGN_, Y8, Y8
	VDIVPS    Y6, Y8, Y8
	VMULPS    STEPS_, Y8, Y8
	VCMPPS    $1, FAR_, Y8, Y6
	VANDPS    Y6, Y15, Y15
	VMOVMSKPS Y15, AX
	TESTL     AX, AX
	JZ        none

	// The cosines of the lines against the directions of either pair.
	VMULPS       Y13, Y12, Y9
	VMOVUPS      ONE_, Y14
	VDIVPS       Y9, Y14, Y9
	VBROADCASTSS COS_(R11), Y10
	VMULPS       Y10, Y4, Y10
	VBROADCASTSS SIN_(R11), Y11
	VMULPS       Y11, Y5, Y11
	VADDPS       Y11, Y10, Y10
	VMULPS       Y9, Y10, Y10
	VSUBPS       Y10, Y14, Y10
	VMULPS       SCALE_, Y10, Y10
	VMULPS       COS_(R12), Y4, Y11
	VMULPS       SIN_(R12), Y5, Y12
	VADDPS       Y12, Y11, Y11
	VMULPS       Y9, Y11, Y11
	VSUBPS       Y11, Y14, Y11
	VMULPS       SCALE_, Y11, Y11
	VCMPPS       $1, WIDE_, Y10, Y6
	VANDPS       Y6, Y15, Y15
	VCMPPS       $1, WIDE_, Y11, Y6
	VANDPS       Y6, Y15, Y15
	VMOVMSKPS    Y15, AX
	TESTL        AX, AX
	JZ           none

	// What the tables say.
	VXORPS     Y14, Y14, Y14
	VCVTTPS2DQ Y10, Y10
	VPMAXSD    Y14, Y10, Y10
	VCVTTPS2DQ Y11, Y11
	VPMAXSD    Y14, Y11, Y11
	VCVTTPS2DQ Y8, Y8
	VMOVAPS    Y15, Y6
	VXORPS     Y12, Y12, Y12
	VGATHERDPS Y6, (R10)(Y10*4), Y12
	VMOVAPS    Y15, Y6
	VXORPS     Y13, Y13, Y13
	VGATHERDPS Y6, (R10)(Y11*4), Y13
	VMULPS     Y13, Y12, Y12
	VSQRTPS    Y12, Y12
	VMOVAPS    Y15, Y6
	VXORPS     Y13, Y13, Y13
	VGATHERDPS Y6, (R8)(Y8*4), Y13
	VMOVAPS    Y15, Y6
	VXORPS     Y9, Y9, Y9
	VGATHERDPS Y6, (R9)(Y7*4), Y9
	VMULPS     Y9, Y13, Y13
	VMULPS     Y12, Y13, Y13
	VANDPS     Y15, Y13, Y13
	VMOVUPS    Y13, (DI)(R12*4)
	JMP        next

none:
	VXORPS  Y13, Y13, Y13
	VMOVUPS Y13, (DI)(R12*4)

next:
	ADDQ $8, R12
	CMPQ R12, CX
	JLT  column
	ADDQ $128, DI
	INCQ R11
	CMPQ R11, CX
	JLT  row
	VZEROUPPER
	RET

// func supportAVX2(r *[mostPairs * mostPairs]float32, votes *[mostPairs]float32, n int, sums *[mostPairs]float32)
TEXT ·supportAVX2(SB), NOSPLIT, $0-32
	MOVQ   r+0(FP), DI
	MOVQ   votes+8(FP), SI
	MOVQ   n+16(FP), CX
	MOVQ   sums+24(FP), DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   R11, R11

add:
	VBROADCASTSS (SI)(R11*4), Y4
	VMULPS       (DI), Y4, Y5
	VADDPS       Y5, Y0, Y0
	VMULPS       32(DI), Y4, Y5
	VADDPS       Y5, Y1, Y1
	VMULPS       64(DI), Y4, Y5
	VADDPS       Y5, Y2, Y2
	VMULPS       96(DI), Y4, Y5
	VADDPS       Y5, Y3, Y3
	ADDQ         $128, DI
	INCQ         R11
	CMPQ         R11, CX
	JLT          add
	VMOVUPS      Y0, (DX)
	VMOVUPS      Y1, 32(DX)
	VMOVUPS      Y2, 64(DX)
	VMOVUPS      Y3, 96(DX)
	VZEROUPPER
	RET
