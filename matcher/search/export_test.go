package search

// SetShares makes the cascade as strict on a small gallery as it is on a large one.
func (f *Fingers) SetShares(relaxed float64, relaxedLeast int, full float64, fullLeast int) {
	f.relaxed, f.full = share{relaxed, relaxedLeast}, share{full, fullLeast}
}
