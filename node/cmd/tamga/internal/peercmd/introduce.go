package peercmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/entity"
	"github.com/tamga-id/tamga/node/introduction"
)

// introducing are the flags of invite and accept.
type introducing struct {
	dir, out string
	from     rootkey.Flags
}

func (i *introducing) add(c *cobra.Command) {
	c.Flags().StringVar(&i.dir, "dir", "", "the node's folder (required); the node may run")
	c.Flags().StringVar(&i.out, "out", "", "file to write and to send to the other side")
	i.from.Add(c.Flags(), "")
}

// open opens the book of the node, and its own side.
func openIntroduction(a *cli.App, i introducing) (*introduction.Book, introduction.Self, error) {
	if err := cli.NeedDir(i.dir); err != nil {
		return nil, introduction.Self{}, err
	}
	file := filepath.Join(i.dir, node.ConfigFile)
	cfg, err := config.Load(file)
	if err != nil {
		return nil, introduction.Self{}, err
	}
	book, err := introduction.OpenBook(entity.IntroductionsFile(cfg))
	if err != nil {
		return nil, introduction.Self{}, err
	}
	root, err := rootkey.Open(a, i.dir, i.from)
	if err != nil {
		return nil, introduction.Self{}, err
	}
	defer root.Wipe()
	self, err := entity.Introduce(file, root)
	return book, self, err
}

func peerInvite(a *cli.App) *cobra.Command {
	var in introducing
	var lifetime time.Duration
	c := &cobra.Command{
		Use:   "invite",
		Short: "Begin an introduction: a signed file for the other side",
		Long: `Writes a signed invitation: who this node is, its federation keys, addresses and Trust
Anchors, and until when it may be accepted. Send it in any way. The other side takes it with
peer accept and sends back what that writes; this side takes that with peer accept, and sends
what comes of it. Both then show the same five words, which the operators read to one another
over the phone. So each knows that it has the other's own keys, and that both have the same
Trust Anchors. An introduction makes nobody a member: that the Trust Anchor does.`,
		Example: `  tamga peer invite --dir kaz --passphrase-file pass.txt --out kaz.invitation`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if in.out == "" {
				return fault.Usage("--out is needed: the file to write")
			}
			book, self, err := openIntroduction(a, in)
			if err != nil {
				return err
			}
			token, err := book.Invite(self, lifetime, time.Now())
			if err != nil {
				return err
			}
			if err := files.WriteFresh(in.out, token); err != nil {
				return err
			}
			a.Say("hint: send %s to the other side; take what it sends back with tamga peer accept", in.out)
			return a.Emit(map[string]any{"invitation": in.out, "entity_id": self.EntityID, "fingerprints": self.Fingerprints()},
				[][2]string{{"invitation", in.out}, {"from", string(self.EntityID)}, {"federation keys", strings.Join(self.Fingerprints(), " ")}})
		},
	}
	in.add(c)
	c.Flags().DurationVar(&lifetime, "lifetime", 0, "how long it may be accepted (default 168h)")
	return c
}

func peerAccept(a *cli.App) *cobra.Command {
	var in introducing
	var heard, who string
	c := &cobra.Command{
		Use:   "accept [FILE]",
		Short: "Go on with an introduction: take the other side's file, then its words",
		Long: `Takes an invitation, or what the other side wrote when it took one, and writes the next file
with --out. After the third file both sides show five words. Phone the other operator at a
number that you did not get with the file, have the words read to you, and give them:

  tamga peer accept --dir kgz --from https://kaz.example --words "..."

If they are others, somebody is between you: the introduction is given up, and the files are
evidence. Keys that were confirmed are shown by peer show, and peer test warns when a Trust
Anchor later passes on others.`,
		Example: `  tamga peer accept --dir kgz --passphrase-file pass.txt --out kgz.acceptance kaz.invitation
  tamga peer accept --dir kaz --passphrase-file pass.txt --out kaz.confirmation kgz.acceptance
  tamga peer accept --dir kgz --passphrase-file pass.txt kaz.confirmation`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case heard != "" && who != "" && len(args) == 0:
				return confirmWords(a, in.dir, trust.EntityID(who), strings.Fields(strings.ToLower(heard)))
			case heard != "" || who != "" || len(args) != 1:
				return fault.Usage("give either the FILE of the other side, or --from with --words")
			}
			return takeFile(a, in, args[0])
		},
	}
	in.add(c)
	c.Flags().StringVar(&who, "from", "", "Entity Identifier of the other side, with --words")
	c.Flags().StringVar(&heard, "words", "", "the five words that the other operator read to you")
	return c
}

// takenFile is the JSON result of peer accept.
type takenFile struct {
	Took         string   `json:"took"` // invitation, acceptance or confirmation
	EntityID     string   `json:"entity_id"`
	Name         string   `json:"name"`
	Jurisdiction string   `json:"jurisdiction"`
	Fingerprints []string `json:"fingerprints"`
	SameAnchors  bool     `json:"same_anchors"`
	Words        []string `json:"words,omitempty"`
	Reply        string   `json:"reply,omitempty"`
}

func takeFile(a *cli.App, in introducing, path string) error {
	token, err := readIntroduction(path)
	if err != nil {
		return err
	}
	book, self, err := openIntroduction(a, in)
	if err != nil {
		return err
	}
	s, err := book.Accept(self, token, time.Now())
	if err != nil {
		return err
	}
	if s.Reply != "" && in.out == "" {
		return fault.Usage("--out is needed: this file has to be answered with another")
	}
	if s.Reply != "" {
		if err := files.WriteFresh(in.out, s.Reply); err != nil {
			return err
		}
	}
	out := takenFile{Took: strings.TrimSuffix(strings.TrimPrefix(s.Took, "tamga-"), "+jwt"), EntityID: string(s.Other.EntityID), Name: s.Other.Name, Jurisdiction: s.Other.Jurisdiction,
		Fingerprints: s.Other.Fingerprints(), SameAnchors: sameAnchors(self.Anchors, s.Other.Anchors), Words: s.Words}
	rows := [][2]string{{"took", out.Took}, {"from", out.EntityID}, {"name", out.Name}, {"country", out.Jurisdiction},
		{"federation keys", strings.Join(out.Fingerprints, " ")}, {"trust anchors", map[bool]string{true: "the same as here", false: "OTHERS than here"}[out.SameAnchors]}}
	if s.Reply != "" {
		out.Reply = in.out
		rows = append(rows, [2]string{"send back", in.out})
	}
	if len(s.Words) > 0 {
		rows = append(rows, [2]string{"words", strings.Join(s.Words, " ")})
		a.Say("hint: phone the other operator; when both have the words: tamga peer accept --dir %s --from %s --words \"what was read to you\"", in.dir, out.EntityID)
	}
	if !out.SameAnchors {
		a.Say("warning: the other side has other Trust Anchors, or other keys of them: one of you does not have what the anchor handed out")
	}
	return a.Emit(out, rows)
}

// readIntroduction reads a file that somebody sent.
func readIntroduction(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10+1))
	return string(b), err
}

// sameAnchors reports whether both sides believe in one Trust Anchor at least, under the
// same keys, and in none under different ones.
func sameAnchors(ours, theirs []trust.Anchor) bool {
	shared := false
	for _, o := range ours {
		for _, t := range theirs {
			if o.EntityID != t.EntityID {
				continue
			}
			for _, k := range o.Keys.Keys() {
				if _, ok := t.Keys.Key(k.KeyID()); !ok {
					return false
				}
			}
			shared = true
		}
	}
	return shared
}

func confirmWords(a *cli.App, dir string, id trust.EntityID, heard []string) error {
	book, err := book(a, dir)
	if err != nil {
		return err
	}
	done, err := book.Confirm(id, heard, time.Now())
	if err != nil {
		return err
	}
	return a.Emit(map[string]any{"confirmed": done.Party.EntityID, "fingerprints": done.Party.Fingerprints()},
		[][2]string{{"confirmed", string(done.Party.EntityID)}, {"federation keys", strings.Join(done.Party.Fingerprints(), " ")}})
}

func book(a *cli.App, dir string) (*introduction.Book, error) {
	if err := cli.NeedDir(dir); err != nil {
		return nil, err
	}
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return nil, err
	}
	return introduction.OpenBook(entity.IntroductionsFile(cfg))
}

func peerRemove(a *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "remove PEER",
		Short: "Forget an introduction and the keys that were confirmed",
		Long: `Forgets what this node has recorded of an introduction. PEER is a country or an Entity
Identifier; where several of a country were introduced, only the latter. A member stays one: who must be
refused is paused (peer pause), or suspended or removed by the Trust Anchor.`,
		Example: `  tamga peer remove --dir kaz KGZ`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			book, err := book(a, dir)
			if err != nil {
				return err
			}
			id := trust.EntityID(args[0])
			of := book.Of(args[0])
			if len(of) > 1 {
				return fault.Usage("several of %s were introduced: %s; name one", args[0], strings.Join(of, ", "))
			}
			if len(of) == 1 {
				id = trust.EntityID(of[0])
			}
			was, err := book.Remove(id)
			if err != nil {
				return err
			}
			if !was {
				return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodePeer, Err: errors.New("there is no introduction with this peer")}
			}
			return a.Emit(map[string]string{"removed": string(id)}, [][2]string{{"removed", string(id)}})
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required); the node may run")
	return c
}
