package node

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/tamga-id/tamga/node/config"
)

// A node's ledgers are numbered. The first is all that most nodes ever have; another
// one begins when entries of the one before were lost and given up (node/recovery),
// because appending to what is left of that one would be a fork. Those before the
// current one stay in the data folder and are never written to again.

// ledgerName is the folder of a ledger in the data folder.
func ledgerName(number int) string {
	if number == 1 {
		return "ledger"
	}
	return "ledger-" + strconv.Itoa(number)
}

var laterLedger = regexp.MustCompile(`^ledger-([1-9][0-9]{0,3})$`)

// ledgerNumber is the number of the current ledger: the highest that is there.
func ledgerNumber(cfg config.Config) int {
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

// LedgerDir is where the current ledger of a node with configuration cfg lies.
func LedgerDir(cfg config.Config) string {
	return filepath.Join(cfg.DataDir, ledgerName(ledgerNumber(cfg)))
}

// origin is the origin of an entity's ledger: its identifier without the scheme, as
// C2SP tlog-checkpoint recommends, and the ledger's number from the second on.
func origin(entity string, number int) string {
	first := strings.TrimSuffix(strings.TrimPrefix(entity, "https://"), "/") + "/ledger"
	if number == 1 {
		return first
	}
	return fmt.Sprintf("%s/%d", first, number)
}
