package anchorcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchordir"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// enrollFlags are the operator's decisions about a member.
type enrollFlags struct {
	at               anchordir.Flags
	o                authority.EnrollOptions
	pathLength       int
	permit, exclude  []string
	policy           string
	pathLengthWasSet bool
}

func anchorEnroll(a *cli.App) *cobra.Command {
	var e enrollFlags
	c := &cobra.Command{
		Use:   "enroll ENTITY-CONFIGURATION",
		Short: "Make a node or an Intermediate a member, or change its membership",
		Long: `Reads the Entity Configuration that tamga init wrote, checks it, and pins its country and
peer ID: no other member can claim either. It proves that the node holds the private key of
each peer ID in it, and is refused without (TMG-TRU-0009). Say with --jurisdiction which country you
have established the node to act for. A running anchor serves the member at once.

With --jurisdictions the member is an Intermediate, and may vouch for nodes of those
countries: a national authority, or, beside --jurisdiction, a node that vouches for those of
its ministries. --max-path-length is how many Intermediates, itself among them, may stand
between you and a node; --permit-name and --exclude-name bound the hosts of Entity
Identifiers, and --policy is a metadata policy (OpenID Federation 1.0 section 6.1), all for
the member and everybody below it. What breaks them has no chain, and tamga trust explain
names the statement. --mark-issuer is for who issues Trust Marks and is no node.`,
		Example: `  tamga anchor enroll --dir anchor --jurisdiction KAZ --passphrase-file pass.txt kaz/entity-configuration.jwt
  tamga anchor enroll --dir anchor --jurisdictions KAZ --max-path-length 2 --permit-name .kaz.example --passphrase-file pass.txt national/entity-configuration.jwt
  tamga anchor enroll --dir national --jurisdiction KAZ --jurisdictions KAZ --passphrase-file pass.txt kaz/entity-configuration.jwt
  tamga anchor enroll --dir kaz --jurisdiction KAZ --passphrase-file pass.txt ministry/entity-configuration.jwt`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e.pathLengthWasSet = c.Flags().Changed("max-path-length")
			return enroll(a, e, args[0])
		},
	}
	f := c.Flags()
	e.at.Add(f)
	f.StringVar(&e.o.Jurisdiction, "jurisdiction", "", "ISO 3166-1 alpha-3 code of the country that the node acts for (required for a node)")
	f.StringSliceVar(&e.o.Jurisdictions, "jurisdictions", nil, "countries for whose nodes the member may vouch, which makes it an Intermediate")
	f.IntVar(&e.pathLength, "max-path-length", 1, "how many Intermediates, the member among them, may stand between you and a node")
	f.StringSliceVar(&e.permit, "permit-name", nil, "host, or .domain for every host below it, that Entity Identifiers below must have")
	f.StringSliceVar(&e.exclude, "exclude-name", nil, "host or .domain that they must not have")
	f.StringVar(&e.policy, "policy", "", "file with a metadata policy, JSON")
	f.BoolVar(&e.o.MarkIssuer, "mark-issuer", false, "the member issues Trust Marks and is neither node nor Intermediate")
	f.DurationVar(&e.o.Lifetime, "lifetime", 0, "lifetime of each statement about the member (default 24h)")
	f.StringVar(&e.o.Location, "location", "", "base URL where the member serves its Entity Configuration, to fetch it anew")
	return c
}

// options checks what can be told without the anchor.
func (e *enrollFlags) options() error {
	switch {
	case e.o.Jurisdiction == "" && len(e.o.Jurisdictions) == 0 && !e.o.MarkIssuer:
		return fault.Usage("--jurisdiction is needed: the country you have established the node to act for; or --jurisdictions for an Intermediate")
	case e.pathLengthWasSet && (len(e.o.Jurisdictions) == 0 || e.pathLength < 1):
		return fault.Usage("--max-path-length goes with --jurisdictions, and is 1 or more")
	}
	if len(e.o.Jurisdictions) > 0 {
		e.o.Depth = e.pathLength - 1
	}
	if len(e.permit)+len(e.exclude) > 0 {
		e.o.Constraints.Naming = &trust.NamingConstraints{Permitted: e.permit, Excluded: e.exclude}
	}
	if e.policy != "" {
		b, err := os.ReadFile(e.policy)
		if err != nil {
			return fmt.Errorf("reading metadata policy: %w", err)
		}
		if !json.Valid(b) {
			return fault.Usage("--policy takes a file with a metadata policy, a JSON object")
		}
		e.o.Policy = b
	}
	return nil
}

func enroll(a *cli.App, e enrollFlags, file string) error {
	if err := e.options(); err != nil {
		return err
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading entity configuration: %w", err)
	}
	anchor, err := anchordir.Open(a, e.at)
	if err != nil {
		return err
	}
	defer anchor.Root.Wipe()
	m, err := anchor.Enroll(strings.TrimSpace(string(token)), e.o)
	if err != nil {
		return notEnrolled(err)
	}
	return enrolled(a, anchor, m)
}

func notEnrolled(err error) error {
	f := &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeMembership, Err: err,
		Hint: "nothing was changed. The file to enroll is the entity-configuration.jwt of the node's folder: compare it and --jurisdiction with what the node's operator sent"}
	if unproved(err) {
		f.Code, f.Hint = protocol.CodePeerUnproved, hintUnproved
	}
	if c, ok := errors.AsType[*trust.ChainError](err); ok && c.Rule == trust.RuleHint {
		f.Hint = "nothing was changed. The Entity does not name this superior: its operator adds it to trust.anchors or trust.superiors of tamga.yaml, " +
			"starts the node again, and sends the entity-configuration.jwt that it writes then"
	}
	if errors.Is(err, authority.ErrFull) {
		f.Exit, f.Hint = fault.ExitFailure, "nothing was changed. Raise trust.subordinates in tamga.yaml; other countries take 32 nodes below one"
	}
	return f
}

const hintUnproved = "nothing was changed. The node has to hold the libp2p key of every peer ID that it names: ask its operator for the " +
	"entity-configuration.jwt that the node wrote last. If he sent you that, somebody claims a peer ID that is not his"

// unproved reports whether an Entity Configuration names a peer ID without a proof of its key.
func unproved(err error) bool {
	f, ok := errors.AsType[*trust.ChainError](err)
	return ok && f.Rule == trust.RuleUnproved
}

// enrolled shows a member that was enrolled or renewed.
func enrolled(a *cli.App, anchor anchordir.Opened, e authority.Enrolment) error {
	if _, err := anchor.Update(); err != nil {
		return err
	}
	rows := [][2]string{{"member", string(e.Entity)}}
	if e.Jurisdiction != "" {
		rows = append(rows, [2]string{"country", e.Jurisdiction}, [2]string{"peer id", e.PeerID})
	}
	for _, id := range e.PeerIDs { // pinned as that is: whoever enrolls has to have heard of it
		rows = append(rows, [2]string{"further peer id", id})
	}
	if len(e.Jurisdictions) > 0 {
		rows = append(rows, [2]string{"vouches for", strings.Join(e.Jurisdictions, ", ")}, [2]string{"max path length", fmt.Sprint(e.Depth + 1)})
	}
	return a.Emit(map[string]any{"entity_id": e.Entity, "jurisdiction": e.Jurisdiction, "peer_id": e.PeerID, "peer_ids": e.PeerIDs, "enrolled_at": e.EnrolledAt,
		"jurisdictions": e.Jurisdictions, "max_path_length": pathLength(e)}, rows)
}

// pathLength is the constraint in the statements about a member, 0 for a Leaf.
func pathLength(e authority.Enrolment) int {
	if len(e.Jurisdictions) == 0 {
		return 0
	}
	return e.Depth + 1
}

func anchorRenew(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	c := &cobra.Command{
		Use:   "renew ENTITY-CONFIGURATION",
		Short: "Take over a member's newer Entity Configuration",
		Long: `Takes over what a member changed of itself: addresses, keys, Trust Marks. It has to be signed
with a federation key that you vouch for already, and may change neither country nor peer
ID: those, and what enroll decided, stay. An anchor that was told a --location does this by
itself when half of the life of the one it has is over.`,
		Example: `  tamga anchor renew --dir anchor --passphrase-file pass.txt kaz/entity-configuration.jwt`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			token, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("reading entity configuration: %w", err)
			}
			anchor, err := anchordir.Open(a, at)
			if err != nil {
				return err
			}
			defer anchor.Root.Wipe()
			m, err := anchor.Renew(strings.TrimSpace(string(token)))
			if err != nil {
				f := &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeMembership, Err: err,
					Hint: "nothing was changed. A member whose key was lost, or whose country or peer ID is another, is enrolled anew: tamga anchor enroll"}
				if unproved(err) {
					f.Code, f.Hint = protocol.CodePeerUnproved, hintUnproved
				}
				return f
			}
			return enrolled(a, anchor, m)
		},
	}
	at.Add(c.Flags())
	return c
}
