package mcc

// CountGeneric is Count without assembly.
func CountGeneric(a *Cylinder, bs []Cylinder, out []Counts) {
	p := newPlanes(&a.Bits)
	countGeneric(a, &p, bs, out)
}

// FindGeneric is Count and Find without assembly.
func FindGeneric(a *Cylinder, bs []Cylinder, angles []uint8, centre uint8) (best Best) {
	counts := make([]Counts, len(bs))
	CountGeneric(a, bs, counts)
	bestGeneric(counts, angles, a.Angle-centre+MaxTurn, &best)
	return best
}

// BestOf is the second half of Find, by assembly where there is one and it is asked for.
func BestOf(counts []Counts, angles []uint8, assembly bool) (best Best) {
	if assembly && useAVX2 {
		var padded [Row]Counts
		var keys [Row]Key
		copy(padded[:], counts)
		bestAVX2(&padded[0], &angles[0], len(counts), MaxTurn, &keys[0], &best)
		return best
	}
	bestGeneric(counts, angles, MaxTurn, &best)
	return best
}
