package config

import (
	"fmt"
	"slices"
	"strings"
)

// sections says where a key belongs that somebody put elsewhere.
func sections() map[string][]string {
	return map[string][]string{
		"":          {"entity_id", "jurisdiction", "name", "data_dir", "listen", "trust", "store", "kek", "backup", "pseudonym", "policy", "biometric_data", "recovery", "budgets", "gallery", "identify", "limits", "log"},
		"listen":    {"libp2p", "advertise", "api", "federation", "metrics"},
		"trust":     {"anchors", "refresh", "superiors", "subordinates", "staleness", "marks", "mark_staleness", "proxy", "allow_private_addresses", "locations"},
		"store":     {"engine", "dsn_file"},
		"pseudonym": {"keystore", "holders"},
		"kek":       {"retention"},
		"backup":    {"escrow_file", "escrow_recipients"},
		"policy":    {"law", "calibrations", "offices"},
		"recovery":  {"checkpoint_file", "operators"},
		"budgets":   {"requester", "officer", "purpose", "subject", "misses", "probe_hours"},
		"gallery":   {"keep_identifiers"},
		"identify":  {"enabled", "max_candidates", "handle_minutes", "per_requester", "per_officer", "per_day"},
		"limits":    {"handlers", "rate", "bytes", "quantum_ms", "memory"},
		"log":       {"level"},
	}
}

// near gives the known key that an unknown one most likely misspells, or "".
func near(key string, known []string) string {
	best, distance := "", len(key)/3+2
	for _, k := range known {
		if fold(k) == fold(key) {
			return k
		}
		if d := edits(key, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// misplaced gives the hint for an unknown key that resembles none: the section it belongs to, and true, or what is
// known here.
func misplaced(key, path string, known []string) (hint string, elsewhere bool) {
	places := sections()
	for _, section := range []string{"", "listen", "trust", "store", "kek", "backup", "pseudonym", "policy", "recovery", "budgets", "gallery", "identify", "limits", "log"} {
		if section == path || !slices.Contains(places[section], key) {
			continue
		}
		if section == "" {
			return "it belongs at the top level", true
		}
		return fmt.Sprintf("it belongs under %q", section), true
	}
	return "known here: " + strings.Join(known, ", "), false
}

// fold removes what people vary: case, hyphens, underscores.
func fold(key string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(key))
}

// maxEdits bounds the work on a long key; no known key is longer.
const maxEdits = 40

// edits is the optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours.
func edits(a, b string) int {
	if len(a) > maxEdits || len(b) > maxEdits {
		return max(len(a), len(b))
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
