package peercmd

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/historicalkeys"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/trustanchor"
)

// formerKey is a key of `tamga trust keys`: a contract.
type formerKey struct {
	KeyID   string    `json:"key_id"`
	State   string    `json:"state"` // present, retired or compromised
	From    time.Time `json:"from,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
	// Believed says whether what the key signed at --at is to be believed; absent without.
	Believed *bool `json:"believed,omitempty"`
}

func trustKeys(a *cli.App) *cobra.Command {
	var file, at string
	c := &cobra.Command{
		Use:   "keys",
		Short: "List the federation keys of a Trust Anchor, those that it used before among them",
		Long: `Reads what the anchor publishes, online or as a folder, follows its changes of keys from the
trust-anchor.json given, however old, and verifies its historical keys (OpenID Federation 1.0
section 8.7) under the present ones. With --at it says which of the keys are to be believed for
what was signed at that time: a compromised one for none.`,
		Example: `  tamga trust keys --anchor trust-anchor.json
  tamga trust keys --anchor trust-anchor.json --at 2026-03-01T12:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var when time.Time
			if file == "" {
				return fault.Usage("--anchor is needed: the file of a Trust Anchor (trust-anchor.json)")
			}
			if at != "" {
				var err error
				if when, err = time.Parse(time.RFC3339, at); err != nil {
					return fault.Usage("--at takes a time such as 2026-03-01T12:00:00Z")
				}
			}
			anchors, err := trustanchor.ReadAll([]string{file})
			if err != nil {
				return err
			}
			keeper, source, err := ask(c.Context(), a, anchors)
			if err != nil {
				return err
			}
			former, err := source.FormerKeys(anchors[0].EntityID)
			if err != nil {
				return err
			}
			return emitFormer(a, keeper.Anchors()[0], former, when)
		},
	}
	c.Flags().StringVar(&file, "anchor", "", "file of a Trust Anchor (trust-anchor.json; required)")
	c.Flags().StringVar(&at, "at", "", "time at which something was signed")
	return c
}

func emitFormer(a *cli.App, anchor trust.Anchor, former []historicalkeys.Key, at time.Time) error {
	out := []formerKey{}
	rows := [][2]string{{"entity", string(anchor.EntityID)}}
	add := func(k formerKey, believed bool, text string) {
		if !at.IsZero() {
			k.Believed = &believed
			text += map[bool]string{true: "; believed at that time", false: "; NOT believed at that time"}[believed]
		}
		out = append(out, k)
		rows = append(rows, [2]string{k.State, k.KeyID + text})
	}
	for _, k := range anchor.Keys.Keys() {
		add(formerKey{KeyID: k.KeyID(), State: "present"}, true, "")
	}
	for _, k := range former {
		one := formerKey{KeyID: k.Key.KeyID(), State: "retired", From: k.IssuedAt, Until: k.ExpiresAt, Revoked: k.RevokedAt}
		if k.Reason == historicalkeys.Compromised {
			one.State = k.Reason
		}
		add(one, k.HeldAt(at), fmt.Sprintf(", %s to %s", since(k.IssuedAt), k.ExpiresAt.UTC().Format(time.RFC3339)))
	}
	return a.Emit(struct {
		EntityID trust.EntityID `json:"entity_id"`
		Keys     []formerKey    `json:"keys"`
	}{anchor.EntityID, out}, rows)
}

func since(t time.Time) string {
	if t.IsZero() {
		return "its beginning"
	}
	return t.UTC().Format(time.RFC3339)
}
