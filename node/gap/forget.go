package gap

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tamga-id/tamga/federation/trust"
)

// maxGone is of how many the newest checkpoint is kept that are members no longer: one
// that comes back must not have its ledger begin anew.
const maxGone = 64

// Forget lets go the checkpoints of those that are not present, but for the latest: an
// Intermediate may name others below it with every refresh, and the file must not grow by
// that.
func (h *Heads) Forget(present func(trust.EntityID) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) <= maxGone {
		return
	}
	gone := slices.Sorted(maps.Keys(h.known))
	gone = slices.DeleteFunc(gone, present)
	slices.SortStableFunc(gone, func(a, b trust.EntityID) int { return cmp.Compare(h.known[b].turn, h.known[a].turn) })
	for _, id := range gone[min(len(gone), maxGone):] {
		delete(h.known, id)
		h.dirty = true
	}
}
