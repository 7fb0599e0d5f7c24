package store

import "time"

// SetPatience changes how long a commit may take.
func (p *Postgres) SetPatience(d time.Duration) { p.patience = d }

// Compact has Badger drop what is deleted.
func (b *Badger) Compact() error { return b.db.Flatten(1) }
