package store

import "time"

// SetPatience changes how long a commit may take.
func (p *Postgres) SetPatience(d time.Duration) { p.patience = d }
