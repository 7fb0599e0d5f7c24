package protect

import (
	"math"
	"strconv"
	"strings"
)

const (
	checkSize  = 4
	nameMarker = ".p"
	// maxName is what the embedding container holds.
	maxName = 64
	// maxBase leaves room for the marker, ten digits, a hyphen and the check value.
	maxBase = maxName - len(nameMarker) - 10 - 1 - 2*checkSize
)

// Base splits the name that protected vectors carry as their model in the embedding container:
//
//	name       = model ".p" generation "-" check
//	generation = 1*10DIGIT        ; 1 to 2^32-1, no leading zero
//	check      = 8( DIGIT / %x61-66 )
//
// The check value is derived from the secret, model, dimensions and generation. It keeps apart two
// nodes that both are in their first generation and tells a wrong secret; it is the same for everybody
// whom a node enrolled and so links nobody. ok is false for the name of vectors that are not protected.
func Base(name string) (model string, generation uint32, ok bool) {
	i := strings.LastIndex(name, nameMarker)
	if i < 1 || len(name) > maxName {
		return "", 0, false
	}
	digits, check, found := strings.Cut(name[i+len(nameMarker):], "-")
	if !found || len(check) != 2*checkSize || strings.Trim(check, "0123456789abcdef") != "" {
		return "", 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 || n > math.MaxUint32 || strconv.FormatUint(n, 10) != digits {
		return "", 0, false
	}
	return name[:i], uint32(n), true
}

func protectedName(model string, generation uint32, check string) string {
	return model + nameMarker + strconv.FormatUint(uint64(generation), 10) + "-" + check
}

// Protectable says whether vectors of a model of this name can be protected: 1 to 43 of a-z 0-9 . _ -.
// What is protected already cannot, or its generation could no longer be told.
func Protectable(model string) bool {
	_, _, protected := Base(model)
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789._-"
	return !protected && model != "" && len(model) <= maxBase && strings.Trim(model, letters) == ""
}
