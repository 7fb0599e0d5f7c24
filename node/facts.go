package node

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/metrics"
)

// Attention lists what somebody has to look after, from memory.
func (n *Node) Attention() []attention.Matter { return n.attention.List() }

// Metrics serves what [config.Listen] calls metrics, wherever the caller wants it, too.
func (n *Node) Metrics() http.Handler { return n.metrics.Handler() }

// facts are what a scrape of the metrics finds.
func (n *Node) facts() metrics.Facts {
	s := n.Status()
	f := metrics.Facts{Started: s.Started, Members: len(s.Members), Refused: s.Refused, Alarms: s.Alarms, Subjects: s.Subjects,
		StoreReady: n.gallery.Ready() == nil, Ledger: s.Ledger.Size, Keys: map[string]time.Time{}, Attention: map[string]bool{}}
	for _, m := range s.Members {
		if m.Connected {
			f.Connected++
		}
	}
	f.Running, f.Waiting = n.line.Host().Load()
	f.Free, f.FreeKnown = store.FreeSpace(n.cfg.DataDir)
	for family, k := range n.rotation.Set().Families {
		if !k.Since.IsZero() {
			f.Keys[string(family)] = k.Since
		}
	}
	for _, what := range attention.All() {
		f.Attention[string(what)] = slices.Contains(s.Attention, what)
	}
	return f
}

// tellRefused logs how many connections, streams and frames of peers were refused since
// before, a line for each cause that has come up. A line for each refusal would be one
// more thing that a flood fills.
func (n *Node) tellRefused(ctx context.Context, before map[string]uint64) (now map[string]uint64) {
	now = n.line.Refusals()
	for _, cause := range slices.Sorted(maps.Keys(now)) {
		if more := now[cause] - before[cause]; more > 0 {
			n.log.WarnContext(ctx, "peers refused", slog.String("cause", cause), slog.Uint64("times", more), slog.Duration("within", watchEvery))
		}
	}
	return now
}
