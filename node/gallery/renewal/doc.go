// Package renewal gives every subject of a gallery what was replaced: the current KEK
// ([Rewrap]), the pseudonym under the current key ([Rename]), the current form of protected
// templates ([Templates]).
//
// Enrolments, erasures and look-ups go on meanwhile. Each may be stopped and begun again at
// any time: what is done is durable and is passed over. Damaged subjects do not keep it from
// the others, and make it fail with [store.ErrDamaged] in the end.
//
// Invariant: when one returns nil, nothing in the store needs what was before, and it has
// looked at all subjects that the store should have; an engine that stops early over damage
// would otherwise have a key destroyed that what it passed over needs. Destroying keys, and
// waiting for others who share the store, is the caller's.
package renewal
