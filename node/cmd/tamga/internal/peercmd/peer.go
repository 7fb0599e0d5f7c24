// Package peercmd is `tamga peer` and `tamga trust`: the other members, and why they are trusted.
package peercmd

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/held"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/peering"
)

// Peer is `tamga peer`.
func Peer(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "peer",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Be introduced to other members, look at, test and pause them",
		Long: `What this node knows of the other members, and what its operator decides about them. A
peer is named by country or Entity Identifier.`,
		Example: `  tamga peer invite --dir kaz --passphrase-file pass.txt --out kaz.invitation
  tamga peer list --dir kaz
  tamga peer test --dir kaz KGZ
  tamga peer pause --dir kaz --reason "investigating" KGZ`,
	}
	c.AddCommand(peerInvite(a), peerAccept(a), peerRemove(a), peerList(a), peerShow(a), peerPing(a), peerTest(a), peerPause(a), peerResume(a))
	return c
}

// peersReply is the body of GET /v1/peers, which -o json passes on.
type peersReply struct {
	Suspended bool         `json:"suspended"`
	Anchors   []anchorView `json:"anchors"`
	Peers     []peerView   `json:"peers"`
}

type anchorView struct {
	EntityID  string    `json:"entity_id"`
	Location  string    `json:"location,omitempty"`
	KeyIDs    []string  `json:"key_ids"`
	Sequence  uint64    `json:"sequence"`
	IssuedAt  time.Time `json:"issued_at,omitzero"`
	Members   int       `json:"members"`
	Suspended int       `json:"suspended"`
}

type peerView struct {
	EntityID     string    `json:"entity_id"`
	Jurisdiction string    `json:"jurisdiction"`
	State        string    `json:"state"`
	Since        time.Time `json:"since,omitzero"`
	Reason       string    `json:"reason,omitempty"`
	By           string    `json:"by,omitempty"`
	PeerID       string    `json:"peer_id,omitempty"`
	Expires      time.Time `json:"expires,omitzero"`
	Connected    bool      `json:"connected"`
	Links        []struct {
		Address     string `json:"address"`
		Inbound     bool   `json:"inbound"`
		Security    string `json:"security"`
		KeyExchange string `json:"key_exchange"`
	} `json:"links"`
	Heard        time.Time    `json:"heard,omitzero"`
	Failed       time.Time    `json:"failed,omitzero"`
	Failure      string       `json:"failure,omitempty"`
	Addresses    []string     `json:"addresses"`
	SigningKeys  []string     `json:"signing_keys"`
	SealingKeys  []string     `json:"sealing_keys"`
	KeyExchange  string       `json:"key_exchange,omitempty"`
	Modalities   []string     `json:"modalities"`
	Formats      []string     `json:"formats"`
	Purposes     []string     `json:"purposes"`
	LegalBases   []string     `json:"legal_bases"`
	Vocabulary   string       `json:"vocabulary,omitempty"`
	Holds        []held.Entry `json:"biometric_data"`
	Revisions    []string     `json:"revisions"`
	LedgerOrigin string       `json:"ledger_origin,omitempty"`
	Confirmed    time.Time    `json:"confirmed,omitzero"`
	KeysChanged  bool         `json:"keys_changed"`
	Marks        []markView   `json:"marks"`
	Undetermined []markView   `json:"undetermined_marks"`
	Chain        []linkView   `json:"chain"`
}

type markView struct {
	Type   string    `json:"type"`
	Issuer string    `json:"issuer"`
	Until  time.Time `json:"until"`
}

type linkView struct {
	Kind     string    `json:"kind"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	Fetched  bool      `json:"fetched"`
	IssuedAt time.Time `json:"issued_at,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	KeyIDs   []string  `json:"key_ids"`
	Hints    []string  `json:"authority_hints"`
	Anchor   bool      `json:"anchor"`
	Rule     string    `json:"rule,omitempty"`
	Fault    string    `json:"fault,omitempty"`
}

type stageView struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Side   string `json:"side,omitempty"`
	Detail string `json:"detail"`
	Next   string `json:"next,omitempty"`
}

func peers(ctx context.Context, a *cli.App, nf nodeclient.Flags) (peersReply, error) {
	var out peersReply
	cl, err := nf.Client()
	if err == nil {
		err = cl.Call(ctx, http.MethodGet, "/v1/peers", "", nil, &out)
	}
	return out, err
}

// state says in words what a peer is.
func (p peerView) words() string {
	s := p.State
	switch {
	case p.By != "" && p.State == "paused":
		s += " with " + p.By
	case p.By != "":
		s += " by " + p.By
	}
	if !p.Since.IsZero() {
		s += " since " + p.Since.Format(time.RFC3339)
	}
	if p.Reason != "" {
		s += ": " + p.Reason
	}
	return s
}

func peerList(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "list",
		Short: "List the other members and their states",
		Long: `Lists the members that the running node knows: member, paused by this node's operator, or
suspended by the Trust Anchor. Both of the latter are refused both ways.`,
		Example: `  tamga peer list --dir kaz -o json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := peers(c.Context(), a, nf)
			if err != nil {
				return err
			}
			var rows [][2]string
			if all.Suspended {
				rows = append(rows, [2]string{"this node", "suspended by its Trust Anchor: it neither asks nor answers"})
			}
			for _, p := range all.Peers {
				text := p.EntityID + ", " + p.words()
				if p.State == "member" {
					text += ", until " + p.Expires.UTC().Format(time.RFC3339)
					if p.Connected {
						text += ", connected"
					}
				}
				rows = append(rows, [2]string{p.Jurisdiction, text})
			}
			if len(all.Peers) == 0 {
				a.Say("hint: no peer is known; see tamga trust anchors")
			}
			return a.Emit(all, rows)
		},
	}
	nf.Add(c.Flags())
	return c
}

func peerShow(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "show PEER",
		Short: "Show what is known of one peer",
		Long: `Shows state, Trust Chain and its end, keys, key exchange, addresses, what the peer serves,
and when it was last heard. PEER is a country or an Entity Identifier.`,
		Example: `  tamga peer show --dir kaz KGZ`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := peers(c.Context(), a, nf)
			if err != nil {
				return err
			}
			for _, p := range all.Peers {
				if p.Jurisdiction == args[0] || p.EntityID == args[0] {
					return a.Emit(p, p.rows())
				}
			}
			return noPeer()
		},
	}
	nf.Add(c.Flags())
	return c
}

func noPeer() error {
	return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodePeer, Err: fmt.Errorf("no member of this name is known")}
}

func (p peerView) rows() [][2]string {
	rows := [][2]string{{"entity", p.EntityID}, {"country", p.Jurisdiction}, {"state", p.words()}}
	if p.PeerID == "" {
		return rows
	}
	never := func(t time.Time) string {
		if t.IsZero() {
			return "never since the node was started"
		}
		return t.UTC().Format(time.RFC3339)
	}
	rows = append(rows, [][2]string{{"peer id", p.PeerID}, {"chain expires", p.Expires.UTC().Format(time.RFC3339)}, {"connected", fmt.Sprint(p.Connected)},
		{"last heard", never(p.Heard)}}...)
	for _, l := range p.Links {
		way := "to"
		if l.Inbound {
			way = "from"
		}
		rows = append(rows, [2]string{"connection", fmt.Sprintf("%s %s, %s, keys agreed with %s", way, l.Address, l.Security, l.KeyExchange)})
	}
	if !p.Failed.IsZero() {
		rows = append(rows, [2]string{"last failure", never(p.Failed) + ": " + p.Failure})
	}
	rows = append(rows, [][2]string{{"signing keys", strings.Join(p.SigningKeys, " ")}, {"sealing keys", strings.Join(p.SealingKeys, " ")},
		{"key exchange", p.KeyExchange}, {"purposes", strings.Join(p.Purposes, ", ")}, {"legal bases", strings.Join(p.LegalBases, ", ")}, {"vocabulary", p.Vocabulary}, {"modalities", strings.Join(p.Modalities, ", ")},
		{"formats", strings.Join(p.Formats, ", ")}, {"revisions", strings.Join(p.Revisions, ", ")}, {"ledger", p.LedgerOrigin}}...)
	for _, e := range p.Holds {
		rows = append(rows, [2]string{"holds", e.Words()})
	}
	switch {
	case p.KeysChanged:
		rows = append(rows, [2]string{"introduction", "OTHER federation keys than were confirmed " + p.Confirmed.UTC().Format(time.RFC3339)})
	case !p.Confirmed.IsZero():
		rows = append(rows, [2]string{"introduction", "keys confirmed " + p.Confirmed.UTC().Format(time.RFC3339)})
	default:
		rows = append(rows, [2]string{"introduction", "none; the Trust Anchor alone vouches for the keys"})
	}
	for _, mark := range p.Marks {
		rows = append(rows, [2]string{"trust mark", mark.words()})
	}
	for _, mark := range p.Undetermined {
		rows = append(rows, [2]string{"trust mark", mark.undetermined()})
	}
	for _, address := range p.Addresses {
		rows = append(rows, [2]string{"address", address})
	}
	for _, l := range p.Chain {
		rows = append(rows, [2]string{"chain", l.words()})
	}
	return rows
}

func (m markView) words() string {
	return m.Type + " by " + m.Issuer + ", until " + m.Until.UTC().Format(time.RFC3339)
}

// undetermined says that the mark counts for nothing, and why.
func (m markView) undetermined() string {
	return m.Type + " by " + m.Issuer + ", undetermined: its issuer has not said of late whether it is revoked"
}

// words says in one line what a statement is and what is wrong with it.
func (l linkView) words() string {
	what := l.Issuer + " about itself"
	if l.Issuer != l.Subject {
		what = l.Issuer + " about " + l.Subject
	}
	if l.Anchor {
		what += " (Trust Anchor)"
	}
	switch {
	case l.Fault != "" && l.Rule != "":
		what += ": REFUSED by rule " + l.Rule + ": " + l.Fault
	case l.Fault != "":
		what += ": could not be had or read: " + l.Fault
	}
	if !l.Expires.IsZero() {
		what += ", " + l.IssuedAt.UTC().Format(time.RFC3339) + " to " + l.Expires.UTC().Format(time.RFC3339)
	}
	return what
}

// testView is the body of POST /v1/peers/test, which -o json passes on.
type testView struct {
	Peer   string      `json:"peer"`
	OK     bool        `json:"ok"`
	Stages []stageView `json:"stages"`
	RTT    float64     `json:"rtt_ms"`
	Skew   *float64    `json:"clock_skew_s,omitempty"`
}

// tryPeer runs a test and prints it; a failed one is exit code 7.
func tryPeer(ctx context.Context, a *cli.App, nf nodeclient.Flags, name string, ping bool) error {
	var t testView
	if err := nf.Post(ctx, "/v1/peers/test", map[string]any{"peer": name, "ping": ping}, &t); err != nil {
		return err
	}
	rows := [][2]string{{"peer", t.Peer}}
	for _, s := range t.Stages {
		rows = append(rows, [2]string{s.Name, s.words()})
	}
	if err := a.Emit(t, rows); err != nil {
		return err
	}
	if !t.OK {
		return fault.Verdict{Exit: fault.ExitUnreachable}
	}
	return nil
}

// words says whose side a finding is on.
func (s stageView) words() string {
	text := s.State + "  " + s.Detail
	if s.Side != "" {
		side := map[string]string{peering.Ours: "our side", peering.Theirs: "the peer's side", peering.Between: "between both", peering.Superior: "the Trust Anchor's side"}[s.Side]
		text += "  [" + side + "] " + s.Next
	}
	return text
}

func peerTest(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "test PEER",
		Short: "Find out, stage by stage, whether a peer could be asked now, and whose side it is on",
		Long: `Goes through own membership, the peer's membership and chain, names, each address by a
connection of its own, handshake, the peer's keys beside those that the Trust Anchor passes
on, a signed Query that the peer must refuse, both clocks, listings, purposes, and a
verification about nobody where both laws have sandbox_test. What is wrong is said with
whose side it is and what they do. No person is asked about and nothing is left in the
ledgers, but for that verification.

No built-in law has sandbox_test, so that the verification is skipped at first. Both
sides have to allow it, each in its own law (tamga policy propose), by this rule:

` + peering.SandboxRule("KGZ") + `

with its own country in the @id. It opens the purpose to every officer, about whoever is
enrolled: it is for nodes that are tried out, and leaves the law before people are.

Exit code 7 says that a stage failed.`,
		Example: `  tamga peer test --dir kaz KGZ`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return tryPeer(c.Context(), a, nf, args[0], false)
		},
	}
	nf.Add(c.Flags())
	return c
}

func peerPing(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "ping PEER",
		Short: "Try each address of a peer",
		Long: `Connects to each address that the peer announces, past every back-off and beside what is
connected already, and says for each how long it took or what was wrong. Exit code 7 says
that none answered.`,
		Example: `  tamga peer ping --dir kaz KGZ`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return tryPeer(c.Context(), a, nf, args[0], true)
		},
	}
	nf.Add(c.Flags())
	return c
}

// pauseView is what pausing and resuming come to.
type pauseView struct {
	Peer   string `json:"peer"`
	Paused bool   `json:"paused"`
}

func peerPause(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	var reason string
	var only bool
	c := &cobra.Command{
		Use:   "pause PEER",
		Short: "Have nothing to do with a peer for now",
		Long: `The running node ends the peer's connections, refuses it and does not ask it, over a
restart too, until peer resume. The Trust Anchor and the other members are not told: where
a peer must be refused by all, ask the anchor's operator for tamga anchor suspend.

With a country its ministries' nodes are paused, those that it enrolls meanwhile too; --only
pauses the named node alone. What was paused by itself stays so when the country is resumed.`,
		Example: `  tamga peer pause --dir kaz --reason "investigating" KGZ`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var out pauseView
			body := map[string]any{"peer": args[0]}
			if only {
				body["only"] = true
			}
			if reason != "" {
				body["reason"] = reason
			}
			if err := nf.Post(c.Context(), "/v1/peers/pause", body, &out); err != nil {
				return err
			}
			return a.Emit(out, [][2]string{{"paused", out.Peer}})
		},
	}
	nf.Add(c.Flags())
	c.Flags().BoolVar(&only, "only", false, "not the nodes below the peer, such as its ministries'")
	c.Flags().StringVar(&reason, "reason", "", "kept for who looks later, at most 200 characters; the peer is not told")
	return c
}

func peerResume(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:     "resume PEER",
		Short:   "End a peer's pause",
		Long:    `The peer is a member like the others again, at once.`,
		Example: `  tamga peer resume --dir kaz KGZ`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var out pauseView
			if err := nf.Post(c.Context(), "/v1/peers/resume", map[string]string{"peer": args[0]}, &out); err != nil {
				return err
			}
			return a.Emit(out, [][2]string{{"resumed", out.Peer}})
		},
	}
	nf.Add(c.Flags())
	return c
}
