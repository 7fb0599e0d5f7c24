package node

import (
	"context"
	"errors"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lawbook"
)

// announce runs change, and publishes the Entity Configuration anew when it put a law into
// force: that is made of law and keys, of which one changes at a time.
func (n *Node) announce(change func() (enacted bool, err error)) (err error) {
	n.rotation.With(func(k keystore.Set) {
		var enacted bool
		if enacted, err = change(); enacted {
			err = errors.Join(err, n.publish(k))
		}
	})
	return err
}

// PublishLaw puts a proposal into force that two operators approved. See [inforce.Law.Publish].
func (n *Node) PublishLaw(ctx context.Context, proposal []byte, approvals []string) (lawbook.Publication, error) {
	return n.law.Publish(ctx, proposal, approvals)
}

// BiometricData is the list of what the country holds. Nobody may change it.
func (n *Node) BiometricData() []inventory.Entry { return n.cfg.BiometricData }

// Laws lists the publications, oldest first.
func (n *Node) Laws() []lawbook.Publication { return n.law.Publications() }

// SimulateLaw decides again what the newest last entries of the ledger say was decided, under another text; 0 is all.
// Every subject is taken to be of the class; empty: unspecified.
func (n *Node) SimulateLaw(ctx context.Context, text []byte, last uint64, class string) (lawbook.Simulation, error) {
	return n.law.Simulate(ctx, text, last, lawbook.Assumed{Class: class, Limits: n.limits(), Searches: n.searchLimits()})
}
