// Package progress shows how far long work on a register is.
package progress

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
)

// PollEvery is how often the running node is asked, from memory, how far it is.
const PollEvery = 200 * time.Millisecond

// Bar draws a bar when somebody looks, says every tenth of a large register
// when there is no terminal, or in NDJSON says every step.
type Bar struct {
	App   *cli.App
	Doing string
	bar   *progressbar.ProgressBar
	next  uint64
}

// Show says that so many of so many subjects were looked at.
func (p *Bar) Show(looked, subjects uint64) {
	a := p.App
	switch {
	case a.Format == "ndjson":
		_ = json.NewEncoder(a.Out).Encode(map[string]uint64{"looked": looked, "subjects": subjects})
	case cli.Terminal(a.Err):
		if p.bar == nil {
			p.bar = progressbar.NewOptions64(int64(subjects), progressbar.OptionSetWriter(a.Err), progressbar.OptionSetDescription(p.Doing),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true))
		}
		_ = p.bar.Set64(int64(min(looked, subjects)))
	case subjects >= 1000 && looked*10 >= (p.next+1)*subjects:
		p.next = looked * 10 / subjects
		a.Say("%s: %d %% (%d of %d)", p.Doing, p.next*10, looked, subjects)
	}
}

// End ends the line of the bar, if one was drawn.
func (p *Bar) End() {
	if p.bar != nil {
		_ = p.bar.Finish()
		fmt.Fprintln(p.App.Err)
	}
}
