package peercmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/explain"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/trustanchor"
)

// Trust is `tamga trust`.
func Trust(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Resolve Trust Chains, and explain why one is accepted or not",
		Long: `What the Trust Anchors and their statements say. resolve and explain ask a running node
with --dir, which also hears members over libp2p, or work by themselves with --anchor and
the file of a Trust Anchor.`,
		Example: `  tamga trust explain --dir kaz https://kgz.example
  tamga trust resolve --anchor trust-anchor.json https://kgz.example
  tamga trust anchors --dir kaz`,
	}
	c.AddCommand(trustExplain(a), trustResolve(a), trustAnchors(a), trustMarks(a), trustKeys(a))
	return c
}

// explanationView is the body of POST /v1/trust/explanations, which -o json passes on.
type explanationView struct {
	Entity     string      `json:"entity"`
	Outcome    string      `json:"outcome"`
	Reason     string      `json:"reason,omitempty"`
	Expires    time.Time   `json:"expires,omitzero"`
	Anchor     string      `json:"anchor,omitempty"`
	Statements []linkView  `json:"statements"`
	Decisions  []stageView `json:"decisions"`
}

// exit is the exit code of an outcome.
func (e explanationView) exit() error {
	switch e.Outcome {
	case explain.Accepted:
	case explain.Undetermined:
		return fault.Verdict{Exit: fault.ExitUnreachable}
	case explain.NotMember:
		return fault.Verdict{Exit: fault.ExitRefused}
	default:
		return fault.Verdict{Exit: fault.ExitIntegrity}
	}
	for _, d := range e.Decisions {
		if d.State == "failed" {
			return fault.Verdict{Exit: fault.ExitRefused}
		}
	}
	return nil
}

const trustExits = `

Exit code 0: accepted; 5: no member, suspended or paused; 7: could not be found out; 9: a
statement breaks a rule.`

func trustExplain(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	var anchors []string
	c := &cobra.Command{
		Use:   "explain ENTITY",
		Short: "Print a Trust Chain, every decision, and the statement that fails",
		Long: `Resolves the Trust Chain of an Entity anew and prints every statement that was looked for,
what it claims, and which rule the failing one breaks; with --dir also what the node makes
of it: listings, suspensions, pauses. ENTITY is an Entity Identifier, or the country of a
known member.` + trustExits,
		Example: `  tamga trust explain --dir kaz https://kgz.example
  tamga trust explain --anchor trust-anchor.json https://kgz.example`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e, _, err := explanation(c.Context(), a, nf, anchors, args[0])
			if err != nil {
				return err
			}
			rows := [][2]string{{"entity", e.Entity}, {"outcome", e.Outcome}}
			if e.Reason != "" {
				rows = append(rows, [2]string{"reason", e.Reason})
			}
			if e.Anchor != "" {
				rows = append(rows, [2]string{"anchor", e.Anchor}, [2]string{"expires", e.Expires.UTC().Format(time.RFC3339)})
			}
			for i, s := range e.Statements {
				rows = append(rows, [2]string{fmt.Sprintf("%d %s", i+1, s.Kind), s.words()})
			}
			for _, d := range e.Decisions {
				rows = append(rows, [2]string{d.Name, d.words()})
			}
			if err := a.Emit(e, rows); err != nil {
				return err
			}
			return e.exit()
		},
	}
	nf.Add(c.Flags())
	c.Flags().StringArrayVar(&anchors, "anchor", nil, "file of a Trust Anchor (trust-anchor.json), instead of a node; may be repeated")
	return c
}

func trustResolve(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	var anchors []string
	c := &cobra.Command{
		Use:   "resolve ENTITY",
		Short: "Resolve a Trust Chain and print the metadata that it gives",
		Long: `Prints the resolved metadata of an Entity: what it says of itself with what its superiors
fix. -o json prints the metadata as it is signed, and with --anchor the chain's tokens,
which anybody can verify.` + trustExits,
		Example: `  tamga trust resolve --anchor trust-anchor.json -o json https://kgz.example`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(anchors) == 0 {
				return resolveAtNode(c.Context(), a, nf, args[0])
			}
			e, chain, err := explanation(c.Context(), a, nf, anchors, args[0])
			if err != nil {
				return err
			}
			out := map[string]any{"entity": e.Entity, "outcome": e.Outcome}
			rows := [][2]string{{"entity", e.Entity}, {"outcome", e.Outcome}}
			if e.Outcome == explain.Accepted {
				out["anchor"], out["expires"], out["metadata"], out["trust_chain"] = e.Anchor, e.Expires, chain.Metadata, chain.Statements()
				rows = append(rows, [2]string{"anchor", e.Anchor}, [2]string{"expires", e.Expires.UTC().Format(time.RFC3339)})
				if m := chain.Metadata.TamgaNode; m != nil {
					rows = append(rows, [][2]string{{"country", m.Jurisdiction}, {"peer id", m.PeerID}, {"addresses", strings.Join(m.Addresses, " ")},
						{"purposes", strings.Join(m.Purposes, ", ")}}...)
				}
			} else {
				out["reason"] = e.Reason
				rows = append(rows, [2]string{"reason", e.Reason})
			}
			if err := a.Emit(out, rows); err != nil {
				return err
			}
			return e.exit()
		},
	}
	nf.Add(c.Flags())
	c.Flags().StringArrayVar(&anchors, "anchor", nil, "file of a Trust Anchor (trust-anchor.json), instead of a node; may be repeated")
	return c
}

// resolveAtNode prints what the running node has resolved.
func resolveAtNode(ctx context.Context, a *cli.App, nf nodeclient.Flags, name string) error {
	all, err := peers(ctx, a, nf)
	if err != nil {
		return err
	}
	for _, p := range all.Peers {
		if p.Jurisdiction == name || p.EntityID == name {
			if err := a.Emit(p, p.rows()); err != nil || p.State == "member" {
				return err
			}
			return fault.Verdict{Exit: fault.ExitRefused}
		}
	}
	e, _, err := explanation(ctx, a, nf, nil, name)
	if err != nil {
		return err
	}
	if err := a.Emit(e, [][2]string{{"entity", e.Entity}, {"outcome", e.Outcome}, {"reason", e.Reason}}); err != nil {
		return err
	}
	return e.exit()
}

// explanation asks the running node, or resolves by itself under the anchors of files.
func explanation(ctx context.Context, a *cli.App, nf nodeclient.Flags, files []string, name string) (explanationView, trust.Chain, error) {
	var out explanationView
	if len(files) == 0 {
		err := nf.Post(ctx, "/v1/trust/explanations", map[string]string{"entity": name}, &out)
		return out, trust.Chain{}, err
	}
	id, err := trust.ParseEntityID(name)
	if err != nil {
		return out, trust.Chain{}, fault.Usage("ENTITY is an Entity Identifier, an https URL, when there is no --dir")
	}
	anchors, err := trustanchor.ReadAll(files)
	if err != nil {
		return out, trust.Chain{}, err
	}
	keeper, source, err := ask(ctx, a, anchors)
	if err != nil {
		return out, trust.Chain{}, err
	}
	e := explain.Resolve(ctx, keeper.Anchors(), source, id, time.Now())
	suspension, suspended := keeper.Suspended(id)
	switch {
	case e.Outcome != explain.Undetermined:
	case suspended && keeper.Excludes(id):
		e.Outcome = explain.NotMember // what could not be fetched would not change that
	case keeper.Excludes(id):
		e.Reason += "; no Trust Anchor vouches for it itself, and an Intermediate below one may"
	}
	out = explanationView{Entity: string(e.Entity), Outcome: e.Outcome, Reason: e.Reason, Anchor: string(e.Chain.Anchor), Expires: e.Chain.ExpiresAt, Decisions: []stageView{}}
	for _, s := range e.Statements {
		out.Statements = append(out.Statements, linkOf(s))
	}
	if suspended && e.Outcome != explain.Accepted {
		out.Decisions = append(out.Decisions, stageView{"listing", "failed", "anchor", "suspended since " + time.Unix(suspension.Since, 0).UTC().Format(time.RFC3339) + " " + suspension.Reason, "Ask the Trust Anchor's operator."})
	}
	return out, e.Chain, nil
}

// ask hears Trust Anchors without a node.
func ask(ctx context.Context, a *cli.App, anchors []trust.Anchor) (*membership.Keeper, *membership.Source, error) {
	keeper, err := membership.NewKeeper(anchors, "")
	if err != nil {
		return nil, nil, err
	}
	beneath, err := endpoint.NewHTTP(nil, membership.WithoutFiles(anchors), nil)
	if err != nil {
		return nil, nil, err
	}
	beneath.AllowPrivate() // an operator asks by hand, and sees the answer himself
	source, err := membership.NewSource(beneath, anchors, keeper, nil, time.Now)
	if err != nil {
		return nil, nil, err
	}
	if _, err := source.Poll(ctx); err != nil {
		a.Say("warning: %s", err.Error())
	}
	return keeper, source, nil
}

func linkOf(s explain.Statement) linkView {
	l := linkView{Kind: s.Kind, Issuer: string(s.Issuer), Subject: string(s.Subject), Fetched: s.Fetched, IssuedAt: s.IssuedAt, Expires: s.ExpiresAt,
		KeyIDs: s.KeyIDs, Hints: []string{}, Anchor: s.Anchor, Rule: string(s.Rule), Fault: s.Fault}
	for _, h := range s.AuthorityHints {
		l.Hints = append(l.Hints, string(h))
	}
	return l
}

func trustAnchors(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "anchors",
		Short: "List the Trust Anchors of a node, and when they were last heard",
		Long: `Lists the configured Trust Anchors with their keys, and the number of the newest signed
listing that the running node holds: compare it with tamga anchor list. 0 says that the
anchor publishes no listing.`,
		Example: `  tamga trust anchors --dir kaz`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := peers(c.Context(), a, nf)
			if err != nil {
				return err
			}
			var rows [][2]string
			for _, n := range all.Anchors {
				text := fmt.Sprintf("listing %d of %s, %d members, %d suspended", n.Sequence, n.IssuedAt.UTC().Format(time.RFC3339), n.Members, n.Suspended)
				if n.Sequence == 0 {
					text = "no signed listing"
				}
				rows = append(rows, [2]string{n.EntityID, text}, [2]string{"  keys", strings.Join(n.KeyIDs, " ")})
				if n.Location != "" {
					rows = append(rows, [2]string{"  reached at", n.Location})
				}
			}
			return a.Emit(struct {
				Anchors []anchorView `json:"anchors"`
			}{all.Anchors}, rows)
		},
	}
	nf.Add(c.Flags())
	return c
}

// memberMarks are the Trust Marks of one member: the valid, and those that may be.
type memberMarks struct {
	EntityID     string     `json:"entity_id"`
	Jurisdiction string     `json:"jurisdiction"`
	Marks        []markView `json:"marks"`
	Undetermined []markView `json:"undetermined_marks"`
}

func trustMarks(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "marks [PEER]",
		Short: "List the valid Trust Marks of members",
		Long: `Lists the Trust Marks that the running node has verified under its Trust Anchors' rules, of
all members or of one, which is named by country or Entity Identifier. A mark that is not
valid, or whose issuer revoked it, is not listed. One is undetermined, and counts for nothing,
when its issuer could not be asked for trust.mark_staleness whether it is revoked, nor an
Anchor's folder says so.`,
		Example: `  tamga trust marks --dir kaz KGZ`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := peers(c.Context(), a, nf)
			if err != nil {
				return err
			}
			out := []memberMarks{}
			var rows [][2]string
			for _, p := range all.Peers {
				if p.State == "suspended" || len(args) > 0 && p.Jurisdiction != args[0] && p.EntityID != args[0] {
					continue
				}
				out = append(out, memberMarks{p.EntityID, p.Jurisdiction, p.Marks, p.Undetermined})
				if len(p.Marks)+len(p.Undetermined) == 0 {
					rows = append(rows, [2]string{p.Jurisdiction, p.EntityID + ", none"})
				}
				for _, m := range p.Marks {
					rows = append(rows, [2]string{p.Jurisdiction, p.EntityID + ", " + m.words()})
				}
				for _, m := range p.Undetermined {
					rows = append(rows, [2]string{p.Jurisdiction, p.EntityID + ", " + m.undetermined()})
				}
			}
			if len(args) > 0 && len(out) == 0 {
				return noPeer()
			}
			return a.Emit(struct {
				Members []memberMarks `json:"members"`
			}{out}, rows)
		},
	}
	nf.Add(c.Flags())
	return c
}
