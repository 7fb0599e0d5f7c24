package anchorcmd

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchordir"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// anchorMember is a member as `tamga anchor list` shows it: a contract.
type anchorMember struct {
	EntityID      trust.EntityID `json:"entity_id"`
	Jurisdiction  string         `json:"jurisdiction"`
	Jurisdictions []string       `json:"jurisdictions,omitempty"` // for whose nodes an Intermediate may vouch
	MaxPathLength int            `json:"max_path_length,omitempty"`
	EntityTypes   []string       `json:"entity_types"`
	PeerID        string         `json:"peer_id"`
	PeerIDs       []string       `json:"peer_ids,omitempty"` // further ones, while it replaces its libp2p key
	State         string         `json:"state"`              // member, suspended or expired
	Reason        string         `json:"reason,omitempty"`
	Suspended     time.Time      `json:"suspended,omitzero"`
	EnrolledAt    time.Time      `json:"enrolled_at"`
	Lifetime      string         `json:"statement_lifetime"`
	Configuration time.Time      `json:"configuration_until"`
	Keys          []string       `json:"key_ids"`
}

func memberOf(e authority.Enrolment, now time.Time) anchorMember {
	m := anchorMember{EntityID: e.Entity, Jurisdiction: e.Jurisdiction, PeerID: e.PeerID, PeerIDs: e.PeerIDs, State: "member", Reason: e.Reason,
		Suspended: e.Suspended, EnrolledAt: e.EnrolledAt, Lifetime: e.Lifetime.String(), Jurisdictions: e.Jurisdictions, EntityTypes: e.EntityTypes}
	if len(e.Jurisdictions) > 0 {
		m.MaxPathLength = e.Depth + 1
	}
	if s, err := trust.ParseStatement(e.Configuration); err == nil {
		m.Configuration = s.ExpiresAt()
	}
	for _, k := range e.Keys.Keys() {
		m.Keys = append(m.Keys, k.KeyID())
	}
	switch {
	case !e.Suspended.IsZero():
		m.State = "suspended"
	case !now.Before(m.Configuration):
		m.State = "expired"
	}
	return m
}

func anchorList(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	c := &cobra.Command{
		Use:   "list",
		Short: "List the members, and who is suspended",
		Long: `Lists every member with its country and state: member, suspended, or expired, which is a
member whose Entity Configuration has run out so that nobody can verify it: enroll its new
one. The sequence is that of a Trust Anchor's signed listing, which members compare.`,
		Example: `  tamga anchor list --dir anchor --passphrase-file pass.txt -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			anchor, err := anchordir.Open(a, at)
			if err != nil {
				return err
			}
			sequence, err := anchor.Update()
			if err != nil {
				return err
			}
			out := struct {
				Sequence uint64         `json:"sequence,omitempty"`
				Members  []anchorMember `json:"members"`
			}{sequence, []anchorMember{}}
			var rows [][2]string
			if anchor.Author != nil {
				rows = append(rows, [2]string{"sequence", fmt.Sprint(sequence)})
			}
			for _, e := range anchor.List() {
				m := memberOf(e, time.Now())
				out.Members = append(out.Members, m)
				state := m.State
				if m.State == "suspended" {
					state += " since " + m.Suspended.Format(time.RFC3339)
					if m.Reason != "" {
						state += ": " + m.Reason
					}
				}
				if len(m.Jurisdictions) > 0 {
					state += fmt.Sprintf("; vouches for nodes of %s, up to %d deep", strings.Join(m.Jurisdictions, ", "), m.MaxPathLength)
				}
				rows = append(rows, [2]string{cmp.Or(m.Jurisdiction, "-"), fmt.Sprintf("%s, %s", m.EntityID, state)})
			}
			return a.Emit(out, rows)
		},
	}
	at.Add(c.Flags())
	return c
}

func anchorSuspend(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	var reason string
	c := &cobra.Command{
		Use:   "suspend ENTITY-IDENTIFIER",
		Short: "Stop vouching for a member, until it is reinstated",
		Long: `The anchor signs a listing without the member. Members that run take it over within a
minute, from the anchor or from one another: they close the member's connections, refuse it
and do not ask it. Members that are cut off do so when the statement they hold runs out.
Country and peer ID stay the member's. The reason is shown to every member.

An anchor that does not serve has to publish again. A node that vouches for others tells of
it when it runs, and an Intermediate answers with it when it serves.`,
		Example: `  tamga anchor suspend --dir anchor --passphrase-file pass.txt --reason "key lost" https://kaz.example`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return changeMember(a, at, args[0], "suspended", func(o anchordir.Opened, id trust.EntityID) error { return o.Suspend(id, reason) })
		},
	}
	at.Add(c.Flags())
	c.Flags().StringVar(&reason, "reason", "", "shown to every member; printable ASCII, at most 200 characters")
	return c
}

func anchorReinstate(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	c := &cobra.Command{
		Use:     "reinstate ENTITY-IDENTIFIER",
		Short:   "Vouch for a suspended member again",
		Long:    `Ends a suspension. Members that run notice within a minute.`,
		Example: `  tamga anchor reinstate --dir anchor --passphrase-file pass.txt https://kaz.example`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return changeMember(a, at, args[0], "reinstated", func(o anchordir.Opened, id trust.EntityID) error { return o.Reinstate(id) })
		},
	}
	at.Add(c.Flags())
	return c
}

// changeMember changes the state of a member and signs the next listing.
func changeMember(a *cli.App, at anchordir.Flags, id, done string, change func(anchordir.Opened, trust.EntityID) error) error {
	anchor, err := anchordir.Open(a, at)
	if err != nil {
		return err
	}
	if err := change(anchor, trust.EntityID(id)); err != nil {
		f := &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeMembership, Err: err, Hint: "nothing was changed; " + listed(anchor.Authority)}
		if errors.Is(err, authority.ErrSuspended) || errors.Is(err, authority.ErrNotSuspended) {
			f.Hint = "nothing was changed; see `tamga anchor list`"
		}
		return f
	}
	sequence, err := anchor.Update()
	if err != nil {
		return err
	}
	a.Say("hint: %s", anchor.Spreads())
	if anchor.Author == nil {
		return a.Emit(map[string]any{done: id}, [][2]string{{done, id}})
	}
	return a.Emit(map[string]any{done: id, "sequence": sequence}, [][2]string{{done, id}, {"sequence", fmt.Sprint(sequence)}})
}

func anchorPublish(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	var out string
	c := &cobra.Command{
		Use:   "publish",
		Short: "Write all that the anchor says as a folder of signed files",
		Long: `Writes the folder that nodes read instead of asking the anchor: .well-known/tamga-federation
with the listing and every member's Trust Chain, and .well-known/openid-federation. Every
file proves itself, so the anchor's key can stay on a machine without a network. Carry the
folder on a stick and put it

  on a web server, as the root of the anchor's location, whatever that serves it as, or
  on each node's disk: location: file:///path/to/folder in tamga.yaml.

Nodes look every few seconds whether it changed. They never go back to an older listing.
Publish again after every change, and before the time that is printed, when the first
statement runs out: enroll --lifetime says how long statements hold. Whether the anchor's
Trust Marks are revoked is in the folder, too. Nodes believe that for their
trust.mark_staleness, 6 hours by default; after that the marks are undetermined and count
for nothing, until the folder is published again.`,
		Example: `  tamga anchor publish --dir anchor --passphrase-file pass.txt --out /media/stick/federation`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return fault.Usage("--out is needed: the folder to write")
			}
			anchor, err := anchordir.Open(a, at)
			if err != nil {
				return err
			}
			if anchor.Author == nil {
				return fault.Usage("only a Trust Anchor publishes a folder: nodes ask others at their endpoints")
			}
			p, err := anchor.Author.Publish(out)
			if err != nil {
				return err
			}
			rows := [][2]string{{"folder", out}, {"sequence", fmt.Sprint(p.Listing.Sequence)}, {"members", fmt.Sprint(len(p.Listing.Members))},
				{"suspended", fmt.Sprint(len(p.Listing.Suspended))}, {"trust marks", fmt.Sprint(p.Marks)}}
			view := map[string]any{"folder": out, "sequence": p.Listing.Sequence, "members": len(p.Listing.Members), "suspended": len(p.Listing.Suspended), "mark_statuses": p.Marks}
			if !p.Until.IsZero() { // with nobody in it nothing runs out
				rows = append(rows, [2]string{"publish again before", p.Until.UTC().Format(time.RFC3339)})
				view["until"] = p.Until.UTC()
			}
			expired := []trust.EntityID{}
			for _, id := range p.Expired {
				expired = append(expired, id)
				a.Say("warning: the Entity Configuration of %s has run out; nobody can verify it: enroll its new one", string(id))
			}
			view["expired"] = expired
			return a.Emit(view, rows)
		},
	}
	at.Add(c.Flags())
	c.Flags().StringVar(&out, "out", "", "folder to write (required)")
	return c
}
