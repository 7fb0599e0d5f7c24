#include "go_asm.h"
#include "textflag.h"

// func meetAVX2(a *nearby, na int, moved *vec, b *point, from, nb int, turned uint32, squared float32, hits *[mostHits]hit) (next, n int)
//
// The loops of meetGeneric without its window: a point too far up or down is
// too far. Past the last of a lie points at infinity.
TEXT ·meetAVX2(SB), NOSPLIT, $0-80
	MOVQ a+0(FP), SI
	MOVQ na+8(FP), CX
	MOVQ moved+16(FP), DI
	MOVQ b+24(FP), R8
	MOVQ from+32(FP), R11
	MOVQ nb+40(FP), R9
	MOVQ hits+56(FP), R10
	XORQ R13, R13

	MOVL         $255, AX
	VMOVD        AX, X8
	VPBROADCASTD X8, Y8
	MOVL         $256, AX
	VMOVD        AX, X9
	VPBROADCASTD X9, Y9
	MOVL         $const_pairTurn, AX
	VMOVD        AX, X10
	VPBROADCASTD X10, Y10
	VBROADCASTSS squared+52(FP), Y11

point:
	VBROADCASTSS 0(DI)(R11*8), Y0
	VBROADCASTSS 4(DI)(R11*8), Y1
	MOVQ         R11, AX
	IMULQ        $point__size, AX
	MOVBLZX      point_angle(R8)(AX*1), AX
	ADDL         turned+48(FP), AX
	VMOVD        AX, X2
	VPBROADCASTD X2, Y2
	XORQ         R12, R12

eight:
	VMOVUPS   nearby_x(SI)(R12*4), Y3
	VSUBPS    Y0, Y3, Y3
	VMULPS    Y3, Y3, Y3
	VMOVUPS   nearby_y(SI)(R12*4), Y4
	VSUBPS    Y1, Y4, Y4
	VMULPS    Y4, Y4, Y4
	VADDPS    Y4, Y3, Y3
	VCMPPS    $1, Y11, Y3, Y3
	VMOVDQU   nearby_angle(SI)(R12*4), Y5
	VPSUBD    Y2, Y5, Y5
	VPAND     Y8, Y5, Y5
	VPSUBD    Y5, Y9, Y6
	VPMINSD   Y6, Y5, Y5
	VPCMPGTD  Y5, Y10, Y5
	VANDPS    Y5, Y3, Y3
	VMOVMSKPS Y3, AX
	TESTL     AX, AX
	JNZ       hit

more:
	ADDQ $8, R12
	CMPQ R12, CX
	JLT  eight
	INCQ R11
	CMPQ R13, $(const_mostHits-const_MaxMinutiae)
	JGT  done
	CMPQ R11, R9
	JLT  point

done:
	MOVQ R11, next+64(FP)
	MOVQ R13, n+72(FP)
	VZEROUPPER
	RET

hit:
	BSFL AX, BX
	ADDL R12, BX
	MOVB BX, 0(R10)(R13*2)
	MOVB R11, 1(R10)(R13*2)
	INCQ R13
	LEAL -1(AX), BX
	ANDL BX, AX
	JNZ  hit
	JMP  more
