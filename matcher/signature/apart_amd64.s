#include "textflag.h"

// furthestApart of dtw.go.
DATA limit<>+0(SB)/2, $51
GLOBL limit<>(SB), RODATA|NOPTR, $2

// The probe's channel is in every lane of Y; 16 rows' channel stands at R8.
#define CHANNEL(Y, SUM, D) \
	VPSUBW (R8), Y, D; \
	ADDQ DX, R8; \
	VPABSW D, D; \
	VPMINUW Y10, D, D; \
	VPADDW D, SUM, SUM

// func apartColumns(out *uint16, columns *int16, stride int, p *row, blocks int)
TEXT ·apartColumns(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), DI
	MOVQ columns+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ p+24(FP), BX
	MOVQ blocks+32(FP), CX
	VPBROADCASTW 0(BX), Y0
	VPBROADCASTW 2(BX), Y1
	VPBROADCASTW 4(BX), Y2
	VPBROADCASTW 6(BX), Y3
	VPBROADCASTW 8(BX), Y4
	VPBROADCASTW 10(BX), Y5
	VPBROADCASTW 12(BX), Y6
	VPBROADCASTW 14(BX), Y7
	VPBROADCASTW 16(BX), Y8
	VPBROADCASTW 18(BX), Y9
	VPBROADCASTW limit<>(SB), Y10

block:
	MOVQ SI, R8
	VPXOR Y11, Y11, Y11
	VPXOR Y12, Y12, Y12
	CHANNEL(Y0, Y11, Y13)
	CHANNEL(Y1, Y12, Y14)
	CHANNEL(Y2, Y11, Y13)
	CHANNEL(Y3, Y12, Y14)
	CHANNEL(Y4, Y11, Y13)
	CHANNEL(Y5, Y12, Y14)
	CHANNEL(Y6, Y11, Y13)
	CHANNEL(Y7, Y12, Y14)
	CHANNEL(Y8, Y11, Y13)
	CHANNEL(Y9, Y12, Y14)
	VPADDW Y12, Y11, Y11
	VMOVDQU Y11, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET
