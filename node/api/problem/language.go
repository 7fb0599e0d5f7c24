package problem

import (
	"strconv"
	"strings"

	"github.com/tamga-id/tamga/federation/protocol/sentences"
)

// maxRanges bounds what is read of an Accept-Language.
const maxRanges = 32

// Language is the language of the registry's sentences that the fields Accept-Language ask for (RFC 9110 section 12.5.4):
// Russian where that is preferred to English, and else English, also for who asks for neither or cannot be understood.
func Language(fields []string) string {
	russian, english := 0.0, 0.0
	ranges := strings.Split(strings.Join(fields, ","), ",")
	for _, one := range ranges[:min(len(ranges), maxRanges)] {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(one), ";")
		weight := 1.0
		if value, ok := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q="); ok {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				continue
			}
			weight = q
		}
		switch primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-"); primary {
		case sentences.Russian:
			if weight > english { // of two alike the one that stands first
				russian = max(russian, weight)
			}
		case sentences.English, "*":
			english = max(english, weight)
		}
	}
	if russian > english || russian > 0 && russian == english {
		return sentences.Russian
	}
	return sentences.English
}
