// Package avxstate puts the processor's vector registers in order after assembly that left them in disorder.
//
// circl's AVX2 code for ML-KEM, ML-DSA and Keccak (as of 1.6.5) returns without the VZEROUPPER that Intel's
// Optimization Reference Manual asks for ("Mixing AVX code with SSE code"). The upper halves of the registers then count
// as in use, and SSE instructions of the thread have to preserve them until something else clears them: on the server
// that the project is measured on, one block of SHA-256 takes 8 us instead of 0.13 us.
//
// Call [Clean] after every call of circl's HPKE with X-Wing, ML-KEM and ML-DSA. It changes no result and is free of other effects.
package avxstate

// Clean clears the upper halves of the vector registers. Go code keeps nothing in them across calls. It takes about a
// nanosecond, and does nothing where there are none.
func Clean() { clean() }
