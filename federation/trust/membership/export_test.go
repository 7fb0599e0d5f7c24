package membership

import "github.com/tamga-id/tamga/federation/trust/authority"

// Check is what an authority asks before it enrols or suspends: a thousand enrolments on a
// disk take their time.
func Check(a *Author, members []authority.Enrolment) error { return a.check(members) }
