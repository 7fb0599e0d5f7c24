//go:build !tamga_avx512

package scan

// chooseUntried lets [Best] choose sets that no processor has run yet. See the package comment.
const chooseUntried = false
