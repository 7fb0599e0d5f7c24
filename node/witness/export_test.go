package witness

import "github.com/tamga-id/tamga/federation/trust"

// Held counts what is in memory of a member.
func (w *Witness) Held(id trust.EntityID) (receipts, trees int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.known[id]
	return len(m.ring), len(m.trees)
}
