// Package ledgers names the ledgers of a node: their folders and their origins; and [Audit]
// recomputes the one of a node that runs.
//
// They are numbered. The first is all that most nodes ever have; another one begins when
// entries of the one before were lost and given up (node/gap), because appending to what is
// left of that one would be a fork. Those before the current one stay in the data folder and
// get no entry any more.
package ledgers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/tamga-id/tamga/node/config"
)

// Name is the folder of a ledger in the data folder.
func Name(number int) string {
	if number == 1 {
		return "ledger"
	}
	return "ledger-" + strconv.Itoa(number)
}

var laterLedger = regexp.MustCompile(`^ledger-([1-9][0-9]{0,3})$`)

// Number is the number of the current ledger: the highest that is there.
func Number(cfg config.Config) int {
	number := 1
	files, err := os.ReadDir(cfg.DataDir)
	if err != nil {
		return number // what is wrong shows when the ledger is opened
	}
	for _, f := range files {
		if m := laterLedger.FindStringSubmatch(f.Name()); m != nil && f.IsDir() {
			n, _ := strconv.Atoi(m[1])
			number = max(number, n)
		}
	}
	return number
}

// Dir is where the current ledger of a node with configuration cfg lies.
func Dir(cfg config.Config) string {
	return filepath.Join(cfg.DataDir, Name(Number(cfg)))
}

// Origin is the origin of an entity's ledger: its identifier without the scheme, as
// C2SP tlog-checkpoint recommends, and the ledger's number from the second on.
func Origin(entity string, number int) string {
	first := strings.TrimSuffix(strings.TrimPrefix(entity, "https://"), "/") + "/ledger"
	if number == 1 {
		return first
	}
	return fmt.Sprintf("%s/%d", first, number)
}

var laterOrigin = regexp.MustCompile(`^(.*)/([1-9][0-9]{0,3})$`)

// Split gives the origin of a node's first ledger and the number of this one.
func Split(o string) (first string, number int) {
	if m := laterOrigin.FindStringSubmatch(o); m != nil {
		number, _ = strconv.Atoi(m[2])
		return m[1], number
	}
	return o, 1
}
