// Package markcmd is `tamga anchor mark`: Trust Marks are allowed, issued, delegated and withdrawn.
package markcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchordir"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchorfile"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/trustanchor"
	"github.com/tamga-id/tamga/node/internal/durable"
)

// Command is `tamga anchor mark`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "mark",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Issue Trust Marks, revoke them, and say whose count",
		Long: `A Trust Mark says that an Entity conforms to something: that it was audited, say. A law may
demand one of the other side: context.peer_marks.contains("https://anchor.example/marks/audited").

A mark counts when the Trust Anchor allows its type and its issuer (allow), the issuer is the
Trust Anchor itself or has a Trust Chain to it, the type's owner, where it has one, delegates
to the issuer (delegate), and the issuer, when it is asked, says that the mark is active.
Nodes ask anew when the last word is older than a quarter of trust.mark_staleness.

The node names the file of its mark in trust.marks, is started anew, and hands its
entity-configuration.jwt to its superior (tamga anchor renew).`,
		Example: `  tamga anchor mark allow --dir anchor --type https://anchor.example/marks/audited --issuer https://anchor.example --passphrase-file pass.txt
  tamga anchor mark issue --dir anchor --type https://anchor.example/marks/audited --subject https://kaz.example --out audited.jwt --passphrase-file pass.txt
  tamga anchor mark revoke --dir anchor --type https://anchor.example/marks/audited --subject https://kaz.example --passphrase-file pass.txt`,
	}
	c.AddCommand(markAllow(a), markIssue(a), markRevoke(a), markList(a), markDelegate(a))
	return c
}

// markFlags name a type of Trust Marks and an Entity.
type markFlags struct {
	at        anchordir.Flags
	kind, out string
	entity    string
	valid     time.Duration
}

// expiry is when what is signed now ends; zero is never.
func (m markFlags) expiry(now time.Time) time.Time {
	if m.valid == 0 {
		return time.Time{}
	}
	return now.Add(m.valid).UTC().Truncate(time.Second)
}

// check checks the type, and the Entity behind the flag of the name.
func (m markFlags) check(flag string) (trust.EntityID, error) {
	if !strings.HasPrefix(m.kind, "https://") || !trust.IsPrintable(m.kind, 1024) {
		return "", fault.Usage("--type takes the identifier of a type of Trust Marks, an https URL")
	}
	if m.valid < 0 {
		return "", fault.Usage("--valid takes a positive time, such as 8760h")
	}
	id, err := trust.ParseEntityID(m.entity)
	if err != nil {
		return "", fault.Usage("--%s takes an Entity Identifier, an https URL", flag)
	}
	return id, nil
}

// markView is a Trust Mark as `tamga anchor mark list` shows it: a contract.
type markIssued struct {
	Type     string         `json:"trust_mark_type"`
	Subject  trust.EntityID `json:"subject"`
	State    string         `json:"state"` // active, expired or revoked
	IssuedAt time.Time      `json:"issued_at"`
	Expires  time.Time      `json:"expires_at,omitzero"`
	Revoked  time.Time      `json:"revoked_at,omitzero"`
}

func issuedMark(m authority.IssuedMark, now time.Time) markIssued {
	v := markIssued{m.Type, m.Subject, string(trustmark.Active), m.IssuedAt, m.ExpiresAt, m.Revoked}
	switch {
	case !m.Revoked.IsZero():
		v.State = string(trustmark.Revoked)
	case !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt):
		v.State = string(trustmark.Expired)
	}
	return v
}

func markIssue(a *cli.App) *cobra.Command {
	var m markFlags
	var delegation, reference string
	c := &cobra.Command{
		Use:   "issue",
		Short: "Give an Entity a Trust Mark",
		Long: `Signs a Trust Mark in the place of an earlier one of its type and writes it to --out, for the
Entity to publish. Where the type has an owner, --delegation is what the owner signed with
tamga anchor mark delegate.`,
		Example: `  tamga anchor mark issue --dir anchor --type https://anchor.example/marks/audited --subject https://kaz.example --valid 8760h --out audited.jwt --passphrase-file pass.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			subject, err := m.check("subject")
			if err != nil {
				return err
			}
			if m.out == "" {
				return fault.Usage("--out is needed: the file to write the mark to")
			}
			mark := trustmark.Mark{Type: m.kind, Subject: subject, ExpiresAt: m.expiry(time.Now()), Reference: reference}
			if delegation != "" {
				b, err := os.ReadFile(delegation)
				if err != nil {
					return fmt.Errorf("reading delegation: %w", err)
				}
				mark.Delegation = strings.TrimSpace(string(b))
			}
			return issueMark(a, m, mark)
		},
	}
	f := c.Flags()
	m.at.Add(f)
	f.StringVar(&m.kind, "type", "", "identifier of the type, an https URL (required)")
	f.StringVar(&m.entity, "subject", "", "Entity Identifier of who gets it (required)")
	f.StringVar(&m.out, "out", "", "file to write it to (required)")
	f.DurationVar(&m.valid, "valid", 0, "for how long (default: until it is revoked)")
	f.StringVar(&delegation, "delegation", "", "file with the owner's delegation")
	f.StringVar(&reference, "reference", "", "URL where people read what the mark means")
	return c
}

func issueMark(a *cli.App, m markFlags, mark trustmark.Mark) error {
	anchor, err := anchordir.Open(a, m.at)
	if err != nil {
		return err
	}
	defer anchor.Root.Wipe()
	issued, err := anchor.IssueMark(mark)
	if err != nil {
		return err
	}
	if err := durable.Replace(m.out, []byte(issued.Token+"\n")); err != nil {
		return fmt.Errorf("writing trust mark: %w", err)
	}
	if _, known := anchor.Settings.MarkIssuers[mark.Type]; anchor.Author != nil && !known {
		a.Say("warning: this anchor allows no marks of the type, so nobody believes it: tamga anchor mark allow")
	}
	a.Say("hint: hand %s to %s: it names it in trust.marks of its tamga.yaml and starts the node again; then tamga anchor renew at its superior", m.out, mark.Subject)
	v := issuedMark(issued, time.Now())
	return a.Emit(struct {
		markIssued
		File string `json:"file"`
	}{v, m.out}, [][2]string{{"type", v.Type}, {"subject", string(v.Subject)}, {"expires", orNever(v.Expires)}, {"file", m.out}})
}

func orNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

func markRevoke(a *cli.App) *cobra.Command {
	var m markFlags
	c := &cobra.Command{
		Use:   "revoke",
		Short: "End a Trust Mark, and all of its type that the Entity had before",
		Long: `Who asks for the mark's status learns at once that it is revoked; nodes ask anew when the
last word is older than a quarter of their trust.mark_staleness, and believe no mark whose
issuer they have not heard for all of it.`,
		Example: `  tamga anchor mark revoke --dir anchor --type https://anchor.example/marks/audited --subject https://kaz.example --passphrase-file pass.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			subject, err := m.check("subject")
			if err != nil {
				return err
			}
			anchor, err := anchordir.Open(a, m.at)
			if err != nil {
				return err
			}
			defer anchor.Root.Wipe()
			err = anchor.RevokeMark(m.kind, subject)
			if errors.Is(err, authority.ErrNoMark) {
				return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeMembership, Err: err, Hint: "nothing was changed; see `tamga anchor mark list`"}
			}
			if err != nil {
				return err
			}
			return a.Emit(map[string]any{"trust_mark_type": m.kind, "revoked": subject}, [][2]string{{"revoked", m.kind}, {"of", string(subject)}})
		},
	}
	m.at.Add(c.Flags())
	c.Flags().StringVar(&m.kind, "type", "", "identifier of the type, an https URL (required)")
	c.Flags().StringVar(&m.entity, "subject", "", "Entity Identifier of who has it (required)")
	return c
}

func markList(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the Trust Marks that were issued, and whose this anchor allows",
		Long:    `Lists the last Trust Mark of each type and Entity: active, expired or revoked.`,
		Example: `  tamga anchor mark list --dir anchor --passphrase-file pass.txt -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			anchor, err := anchordir.Open(a, at)
			if err != nil {
				return err
			}
			defer anchor.Root.Wipe()
			out := struct {
				Marks   []markIssued                `json:"marks"`
				Issuers map[string][]trust.EntityID `json:"issuers"`
			}{[]markIssued{}, map[string][]trust.EntityID{}}
			maps.Copy(out.Issuers, anchor.Settings.MarkIssuers)
			var rows [][2]string
			for _, m := range anchor.Marks() {
				v := issuedMark(m, time.Now())
				out.Marks = append(out.Marks, v)
				rows = append(rows, [2]string{v.State, fmt.Sprintf("%s, %s, expires %s", v.Subject, v.Type, orNever(v.Expires))})
			}
			for _, kind := range slices.Sorted(maps.Keys(out.Issuers)) {
				rows = append(rows, [2]string{"allowed", kind + ": " + issuersOf(anchor.Settings, kind)})
			}
			return a.Emit(out, rows)
		},
	}
	at.Add(c.Flags())
	return c
}

// issuersOf says in words who may issue marks of a type.
func issuersOf(s anchordir.Settings, kind string) string {
	by := "anybody with a Trust Chain"
	if ids := s.MarkIssuers[kind]; len(ids) > 0 {
		names := make([]string, len(ids))
		for i, id := range ids {
			names[i] = string(id)
		}
		by = strings.Join(names, ", ")
	}
	if o, ok := s.MarkOwners[kind]; ok {
		by += ", by delegation of " + string(o.Entity)
	}
	return by
}

func markDelegate(a *cli.App) *cobra.Command {
	var m markFlags
	c := &cobra.Command{
		Use:   "delegate",
		Short: "As the owner of a type of Trust Marks, let another issue them",
		Long: `Signs a delegation (OpenID Federation 1.0 section 7.2.1) with the key of --dir. Trust Anchors
that allow the type with --owner and this folder's trust-anchor.json believe marks of the
issuer that carry it.`,
		Example: `  tamga anchor mark delegate --dir standards --type https://standards.example/marks/conformant --issuer https://lab.example --valid 8760h --out delegation.jwt --passphrase-file pass.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			issuer, err := m.check("issuer")
			if err != nil {
				return err
			}
			if m.out == "" {
				return fault.Usage("--out is needed: the file to write the delegation to")
			}
			anchor, err := anchordir.Open(a, m.at)
			if err != nil {
				return err
			}
			defer anchor.Root.Wipe()
			now := time.Now().UTC().Truncate(time.Second)
			d := trustmark.Delegation{Type: m.kind, Owner: anchor.Anchor().EntityID, Issuer: issuer, IssuedAt: now, ExpiresAt: m.expiry(now)}
			token, err := trustmark.SignDelegation(anchor.Key, d)
			if err != nil {
				return err
			}
			if err := durable.Replace(m.out, []byte(token+"\n")); err != nil {
				return fmt.Errorf("writing delegation: %w", err)
			}
			a.Say("hint: hand %s to %s: tamga anchor mark issue --delegation", m.out, issuer)
			return a.Emit(map[string]any{"trust_mark_type": d.Type, "owner": d.Owner, "issuer": d.Issuer, "file": m.out},
				[][2]string{{"type", d.Type}, {"owner", string(d.Owner)}, {"issuer", string(issuer)}, {"expires", orNever(d.ExpiresAt)}, {"file", m.out}})
		},
	}
	f := c.Flags()
	m.at.Add(f)
	f.StringVar(&m.kind, "type", "", "identifier of the type, an https URL (required)")
	f.StringVar(&m.entity, "issuer", "", "Entity Identifier of who may issue them (required)")
	f.StringVar(&m.out, "out", "", "file to write it to (required)")
	f.DurationVar(&m.valid, "valid", 0, "for how long (default: always)")
	return c
}

func markAllow(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	var kind, owner string
	var issuers []string
	var anybody, none bool
	c := &cobra.Command{
		Use:   "allow",
		Short: "Say whose Trust Marks of a type count in the region",
		Long: `Writes into the Trust Anchor's Entity Configuration who may issue marks of the type, in the
place of what it said of it before. An anchor that serves takes it up within seconds; another
has to publish again.`,
		Example: `  tamga anchor mark allow --dir anchor --type https://anchor.example/marks/audited --issuer https://anchor.example --passphrase-file pass.txt
  tamga anchor mark allow --dir anchor --type https://standards.example/marks/conformant --issuer https://lab.example --owner standards/trust-anchor.json --passphrase-file pass.txt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !strings.HasPrefix(kind, "https://") || !trust.IsPrintable(kind, 1024) {
				return fault.Usage("--type takes the identifier of a type of Trust Marks, an https URL")
			}
			if n := len(issuers); (n > 0) == (anybody || none) || anybody && none || none && owner != "" {
				return fault.Usage("say who with --issuer, or --anybody, or --none to allow the type no longer")
			}
			ids := []trust.EntityID{}
			for _, s := range issuers {
				id, err := trust.ParseEntityID(s)
				if err != nil {
					return fault.Usage("--issuer takes an Entity Identifier, an https URL")
				}
				ids = append(ids, id)
			}
			return allowMarks(a, at, kind, ids, owner, none)
		},
	}
	f := c.Flags()
	at.Add(f)
	f.StringVar(&kind, "type", "", "identifier of the type, an https URL (required)")
	f.StringArrayVar(&issuers, "issuer", nil, "Entity Identifier of who may issue marks of it; may be repeated")
	f.BoolVar(&anybody, "anybody", false, "anybody with a Trust Chain may")
	f.BoolVar(&none, "none", false, "nobody may any longer")
	f.StringVar(&owner, "owner", "", "trust-anchor.json of the owner, whose delegation an issuer then needs")
	return c
}

func allowMarks(a *cli.App, at anchordir.Flags, kind string, ids []trust.EntityID, owner string, none bool) error {
	anchor, err := anchordir.Open(a, at)
	if err != nil {
		return err
	}
	defer anchor.Root.Wipe()
	if anchor.Author == nil {
		return fault.Usage("only a Trust Anchor says whose Trust Marks count")
	}
	s := anchor.Settings
	s.MarkIssuers, s.MarkOwners = maps.Clone(s.MarkIssuers), maps.Clone(s.MarkOwners)
	if s.MarkIssuers == nil {
		s.MarkIssuers = map[string][]trust.EntityID{}
	}
	if s.MarkOwners == nil {
		s.MarkOwners = map[string]trust.MarkOwner{}
	}
	delete(s.MarkOwners, kind)
	s.MarkIssuers[kind] = ids
	if none {
		delete(s.MarkIssuers, kind)
	}
	if owner != "" {
		one, err := trustanchor.Read(owner)
		if err != nil {
			return err
		}
		s.MarkOwners[kind] = trust.MarkOwner{Entity: one.EntityID, Keys: one.Keys}
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("writing settings: %w", err)
	}
	// In the place of the other whole: an anchor that serves looks whether it is another file.
	if err := durable.Replace(filepath.Join(at.Dir, anchorfile.Settings), append(b, '\n')); err != nil {
		return fmt.Errorf("writing settings: %w", err)
	}
	// What nobody would accept shows here, and not at the next start.
	if _, err := anchordir.At(at.Dir, anchor.Root); err != nil {
		return errors.Join(err, files.WriteJSON(filepath.Join(at.Dir, anchorfile.Settings), anchor.Settings))
	}
	a.Say("hint: %s", anchor.Spreads())
	if none {
		return a.Emit(map[string]any{"trust_mark_type": kind, "issuers": nil}, [][2]string{{"type", kind}, {"allowed", "no longer"}})
	}
	return a.Emit(map[string]any{"trust_mark_type": kind, "issuers": ids, "owner": s.MarkOwners[kind].Entity},
		[][2]string{{"type", kind}, {"issuers", issuersOf(s, kind)}})
}
