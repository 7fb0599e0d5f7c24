package fsck

import (
	"errors"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Report is what a check of a whole gallery found. It names nobody.
type Report struct {
	Subjects uint64 // whose keyring was looked at
	Records  uint64 // that open and are in their place
	Damaged  []Damage
	// Missing is how many more subjects were acknowledged than there are. Who they are
	// cannot be told from what is left.
	Missing uint64
	// Stale: some keyrings are not as the last commit that wrote them left them, though
	// none is missing. Which ones cannot be told either.
	Stale bool
	// Behind: the newest commits that were acknowledged are not there.
	Behind bool
	// Faults are those of files. Of a file there may be more than the first.
	Faults []store.Fault
	// Unreadable: the rows could not be looked at, or not to their end.
	Unreadable bool

	// Carried is the tally of the store: how much of the list of erasures it has carried out.
	Carried tally.Tally
}

// Damage is something of one subject that is damaged or gone.
type Damage struct {
	Subject string // a handle: the same for the same subject, and nothing that it can be told from without the root key
	Part    string // "keyring", "stamp", "record" or "consent": where it says who is held by that
	Place   uint32 // of a record
}

// Sound reports whether nothing is wrong. A write that a crash cut off, and that nobody was
// told of, is not: whether it was that, the subjects tell.
func (r Report) Sound() bool {
	for _, f := range r.Faults {
		if !f.Torn {
			return false
		}
	}
	return len(r.Damaged) == 0 && r.Missing == 0 && !r.Stale && !r.Behind && !r.Unreadable
}

// Progress is told how far a check is: bytes of files, then subjects.
type Progress func(what string, done, total uint64)

// Bytes is progress for who reads files; nil for nobody.
func (progress Progress) Bytes() func(done, total int64) {
	return func(done, total int64) {
		if progress != nil {
			progress("bytes", uint64(done), uint64(total))
		}
	}
}

// Erasures has the report say what became of reading the list of erasures. Damage is no
// error.
func (r *Report) Erasures(err error) error {
	if errors.Is(err, store.ErrDamaged) {
		r.Faults = append(r.Faults, store.Fault{Where: "list of erasures", Rule: err.Error()})
		return nil
	}
	return err
}
