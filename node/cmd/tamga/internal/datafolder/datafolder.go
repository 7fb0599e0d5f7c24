// Package datafolder says how far the comparing of a folder of captures is, and what was wrong with the folder.
package datafolder

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/evaluation"
)

// Counting shows progress to a person.
func Counting(a *cli.App) func(done, total int) {
	if !cli.Terminal(a.Err) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		if bar == nil {
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(a.Err), progressbar.OptionSetDescription("comparing"),
				progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond))
		}
		_ = bar.Set(done)
		if done == total {
			fmt.Fprintln(a.Err)
		}
	}
}

// maxTold is how many broken files are named one by one.
const maxTold = 20

// Tell says what was wrong with a folder that can be evaluated all the same.
func Tell(a *cli.App, folder evaluation.Folder) {
	for i, p := range folder.Failed {
		if i == maxTold {
			a.Say("and %d more", len(folder.Failed)-i)
			break
		}
		a.Say("failure to acquire: %s", p)
	}
	if folder.Ignored > 0 {
		a.Say("ignored: %d entries of the folder that are no data of this kind", folder.Ignored)
	}
}

// Unreadable is of a folder that could not be read.
func Unreadable(err error) error {
	hint := "`tamga help evaluate` says how a data folder is laid out"
	if errors.Is(err, os.ErrNotExist) {
		hint = "check the path that --data names"
	}
	return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeFile, Err: err, Hint: hint}
}
