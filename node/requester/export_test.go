package requester

import "time"

// SetAfter replaces the timer of the one repetition.
func (r *Requester) SetAfter(f func(time.Duration) <-chan time.Time) { r.after = f }
