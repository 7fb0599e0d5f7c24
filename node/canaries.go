package node

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/decoy"
)

// AddCanaries makes subjects of the own register canaries, enrolled already or not. One of another country's is refused
// with [pseudonym.ErrIdentifier]: no Query about it gets here, so it would never raise its alarm.
func (n *Node) AddCanaries(_ context.Context, subjects []pseudonym.Identifier) error {
	for i, s := range subjects {
		if id, err := s.Normalize(); err == nil && id.Jurisdiction != n.cfg.Jurisdiction {
			return fmt.Errorf("adding canaries: subject %d is of another country: %w", i, pseudonym.ErrIdentifier)
		}
	}
	return n.decoys.Add(n.now(), subjects...)
}

// Canaries lists them.
func (n *Node) Canaries() ([]decoy.Canary, error) { return n.decoys.List() }

// Alarms lists those that Queries raised at the nodes of the store.
func (n *Node) Alarms() ([]alarms.Alarm, error) { return n.alarms.List() }

// openDecoys opens the books of canaries and of alarms, and compares it with the list outside of the store.
func (n *Node) openDecoys(ctx context.Context) error {
	list, err := decoy.OpenList(n.cfg.Recovery.CheckpointFile, n.keys.Gallery.Derive("tamga/v1/canaries"))
	if err != nil {
		return err
	}
	n.decoys, n.alarms = decoy.New(n.rows, list), alarms.New(n.rows)
	return n.countDecoys(ctx)
}

// countDecoys tells of canaries that the store has lost: a Query about one raises the alarm as
// before, but somebody may have looked for them.
func (n *Node) countDecoys(ctx context.Context) error {
	missing, err := n.decoys.Agree()
	if missing > 0 {
		n.log.ErrorContext(ctx, "ALARM: canaries are missing from the store: an older copy was put back, or somebody took them out", slog.Int("canaries", missing))
	}
	return err
}
