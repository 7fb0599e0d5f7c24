package rotation

import (
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
)

// Generation is one generation of a key as `tamga key list` shows it.
type Generation struct {
	Number uint32     `json:"number"`
	State  string     `json:"state"`           // prepared, active, old or retiring
	Since  *time.Time `json:"since,omitempty"` // when it became the active one
	Due    *time.Time `json:"due,omitempty"`   // when it is to be destroyed, by kek.retention
}

// KeyFamily is a key that rotates.
type KeyFamily struct {
	Name        keys.Family  `json:"name"`
	Generations []Generation `json:"generations"`
	Overdue     bool         `json:"overdue,omitempty"` // something that kek.retention asks for has not come about
}

// Keys lists the keys that rotate, of the node in dir, or of a pseudonym keystore: those
// that were opened.
func Keys(dir string, roots keystore.Roots, now time.Time) ([]KeyFamily, error) {
	var retention time.Duration // of a pseudonym keystore there is none
	if cfg, err := config.Load(filepath.Join(dir, config.File)); err == nil {
		retention = cfg.KEK.Retention
	}
	secrets, err := roots.Secrets(dir)
	if err != nil {
		return nil, err
	}
	defer keystore.WipeSecrets(secrets)
	var out []KeyFamily
	for _, f := range keys.Families() {
		if keystore.Elsewhere(secrets, f) {
			continue // lies in the other keystore
		}
		g, err := keys.Of(secrets, f)
		if err != nil {
			return nil, err
		}
		out = append(out, familyOf(f, g, retention, now))
	}
	family, err := rootFamily(dir)
	return append(out, family), err
}

// familyOf is what is shown of a key; a retention counts for KEKs.
func familyOf(f keys.Family, g keys.Generations, retention time.Duration, now time.Time) KeyFamily {
	family := KeyFamily{Name: f}
	for _, number := range g.Numbers() {
		one := Generation{Number: number, State: stateOf(g, number)}
		if at, ok := g.Since[number]; ok {
			one.Since = &at
		}
		family.Generations = append(family.Generations, one)
	}
	if f == keys.KEK && retention != 0 {
		a := g.Age(retention, now)
		family.Overdue = Overdue(a, now)
		if !a.Retire.IsZero() {
			family.Generations[0].Due = &a.Retire
		}
	}
	return family
}

func stateOf(g keys.Generations, number uint32) string {
	switch {
	case number > g.Current:
		return "prepared"
	case number == g.Current:
		return "active"
	case number < g.Keep:
		return "retiring"
	}
	return "old"
}

// overdueAfter is how long what is due may take before somebody is told.
const overdueAfter = time.Hour

// Overdue reports whether something was due and has not come about.
func Overdue(a keys.Age, now time.Time) bool {
	late := now.Add(-overdueAfter)
	return a.Doubt || a.Rotate.Before(late) || !a.Retire.IsZero() && a.Retire.Before(late)
}
