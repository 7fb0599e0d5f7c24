// Package holdercmd is `tamga holder`: those who hold the pseudonym key together, instead of a node.
package holdercmd

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keystore"
)

// Command is `tamga holder`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "holder",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Hold a node's pseudonym key with others, none of whom has it",
		Long: `Several machines, 3 say, hold the pseudonym key together: any 2 of them compute pseudonyms,
one alone learns and can do nothing, and neither they nor the node ever have the key. Each
has its own folder, under its own root key, and answers the node blindly: it does not learn
who was asked for, and answers no more than its rate. A committee is for one node.

In order: init (each holder, on its own machine), deal (each, with the cards of all), join
(each, with the dealings of all). Compare the fingerprint of the committee, which is the
same for all; its file goes to the node: tamga init --pseudonym-holders, or, for a node
that is there, pseudonym.holders in tamga.yaml and tamga key rotate prepare --holders. Then
serve (each), with the key that tamga holder client shows at the node.

The key is replaced, when a holder's share was stolen say, by tamga key rotate prepare
--holders at the node, replace (each), activate and retire at the node, retire (each).
Before it is activated, back undoes replace.`,
		Example: `  tamga holder init --dir alpha --name alpha --address alpha.example:7460 --passphrase-file a.txt
  tamga holder deal --dir alpha --threshold 2 --passphrase-file a.txt --out alpha.dealing alpha/card.json beta.json gamma.json
  tamga holder join --dir alpha --passphrase-file a.txt alpha.dealing beta.dealing gamma.dealing
  tamga holder client --dir kaz --passphrase-file pass.txt
  tamga holder serve --dir alpha --passphrase-file a.txt --listen 0.0.0.0:7460 --client KEY`,
	}
	c.AddCommand(holderInit(a), holderDeal(a), holderJoin(a), holderShow(a), holderServe(a), holderClient(a), holderReplace(a), holderBack(a), holderRetire(a))
	return c
}

type holderFlags struct {
	dir  string
	from rootkey.Flags
}

func (h *holderFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&h.dir, "dir", "", "the holder's folder (required)")
	h.from.Add(c.Flags(), " of the holder")
}

func openHolder(a *cli.App, h holderFlags) (*holder.Folder, error) {
	if h.dir == "" {
		return nil, fault.Usage("--dir is needed: the folder that `tamga holder init` made")
	}
	root, err := rootkey.Open(a, h.dir, h.from)
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return holder.OpenFolder(h.dir, root)
}

func holderInit(a *cli.App) *cobra.Command {
	var h holderFlags
	var name, address string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a holder, on its own machine",
		Long: `Makes the holder's folder with its keys under the passphrase, and card.json, its public part,
which goes to the other holders. ` + "`tamga custody`" + ` works on the folder: a token instead of
the passphrase, another passphrase.`,
		Example: `  tamga holder init --dir alpha --name alpha --address alpha.example:7460 --passphrase-file a.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if h.dir == "" || name == "" || address == "" {
				return fault.Usage("--dir, --name and --address are needed")
			}
			pass, err := a.Secret(h.from.SecretFlags, "Passphrase for the holder")
			if err != nil {
				return err
			}
			defer clear(pass)
			a.WarnShort(pass)
			card, err := holder.Make(h.dir, name, address, custody.Passphrase(pass, custody.DefaultParams()))
			switch {
			case errors.Is(err, os.ErrExist):
				return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: err, Hint: "use another --dir; nothing was changed"}
			case errors.Is(err, holder.ErrFormat):
				return fault.Usage("--name takes 1 to 32 of a-z, 0-9 and '-', --address takes host:port")
			case err != nil:
				return err
			}
			a.Say("hint: hand %s to the other holders, and compare the fingerprint by another way", filepath.Join(h.dir, holder.CardFile))
			return a.Emit(map[string]string{"name": name, "card": filepath.Join(h.dir, holder.CardFile), "fingerprint": card.Fingerprint()},
				[][2]string{{"holder", name}, {"card", filepath.Join(h.dir, holder.CardFile)}, {"fingerprint", card.Fingerprint()}})
		},
	}
	c.Flags().StringVar(&h.dir, "dir", "", "folder to make (required)")
	c.Flags().StringVar(&name, "name", "", "the holder's name (required)")
	c.Flags().StringVar(&address, "address", "", "host:port where the node reaches it (required)")
	h.from.SecretFlags.Add(c.Flags(), " of the holder")
	return c
}

func holderDeal(a *cli.App) *cobra.Command {
	var h holderFlags
	var threshold int
	var out string
	c := &cobra.Command{
		Use:   "deal CARD...",
		Short: "Deal shares to all holders",
		Long: `Deals a share of a random part of the key to each of the holders whose cards are given, this
one's own among them, each sealed to its holder, and signs the whole. Every holder does this
once. The file may lie open; it goes to every holder.`,
		Example: `  tamga holder deal --dir alpha --threshold 2 --passphrase-file a.txt --out alpha.dealing alpha/card.json beta.json gamma.json`,
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" || threshold < 2 || threshold > len(args) {
				return fault.Usage("--out is needed, and --threshold, 2 or more of the %d holders", len(args))
			}
			cards, err := readAll(args, "card", holder.ParseCard)
			if err != nil {
				return err
			}
			f, err := openHolder(a, h)
			if err != nil {
				return err
			}
			defer f.Close()
			d, err := f.Deal(threshold, cards)
			if err != nil {
				return err
			}
			if err := files.Create(out, d.Encode(), 0o644); err != nil {
				return err
			}
			rows := [][2]string{{"dealt by", d.Dealer}, {"any", fmt.Sprintf("%d of %d", threshold, len(d.Cards))}}
			type named struct {
				Name        string `json:"name"`
				Fingerprint string `json:"fingerprint"`
			}
			to := []named{}
			for _, card := range d.Cards {
				to = append(to, named{card.Name, card.Fingerprint()})
				rows = append(rows, [2]string{"to " + card.Name, card.Fingerprint()})
			}
			a.Say("hint: hand %s to every holder; with one of each: tamga holder join", out)
			return a.Emit(struct {
				Dealer    string  `json:"dealer"`
				Threshold int     `json:"threshold"`
				To        []named `json:"to"`
				File      string  `json:"file"`
			}{d.Dealer, threshold, to, out}, rows)
		},
	}
	h.add(c)
	c.Flags().IntVar(&threshold, "threshold", 0, "how many holders compute pseudonyms, 2 or more (required)")
	c.Flags().StringVar(&out, "out", "", "new file for the dealing (required)")
	return c
}

// readAll reads what each of the files holds: cards or dealings, by their word for errors.
func readAll[T any](names []string, word string, parse func([]byte) (T, error)) ([]T, error) {
	var all []T
	for _, name := range names {
		b, err := files.ReadSmall(name, word)
		if err != nil {
			return nil, err
		}
		one, err := parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// committeeView is the JSON of a committee.
type committeeView struct {
	Threshold   int      `json:"threshold"`
	Holders     []string `json:"holders"`
	Fingerprint string   `json:"fingerprint"`
	File        string   `json:"file"`
}

func emitCommittee(a *cli.App, dir string, c holder.Committee) error {
	v := committeeView{c.Threshold, nil, c.Fingerprint(), filepath.Join(dir, holder.CommitteeFile)}
	rows := [][2]string{{"committee", v.File}, {"fingerprint", v.Fingerprint}, {"any", fmt.Sprintf("%d of %d", c.Threshold, len(c.Holders))}}
	for _, m := range c.Holders {
		v.Holders = append(v.Holders, m.Name)
		rows = append(rows, [2]string{"holder " + m.Name, m.Address})
	}
	return a.Emit(v, rows)
}

func holderJoin(a *cli.App) *cobra.Command {
	var h holderFlags
	c := &cobra.Command{
		Use:   "join DEALING...",
		Short: "Put the share together that was dealt to this holder",
		Long: `Checks the dealings, one of each holder, names who dealt something wrong, keeps the share in
the holder's keystore, and writes committee.json. All holders must join with the same
dealings: their committees have one fingerprint then.`,
		Example: `  tamga holder join --dir alpha --passphrase-file a.txt alpha.dealing beta.dealing gamma.dealing`,
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			dealings, err := readAll(args, "dealing", holder.ParseDealing)
			if err != nil {
				return err
			}
			f, err := openHolder(a, h)
			if err != nil {
				return err
			}
			defer f.Close()
			committee, err := f.Join(dealings)
			if err != nil {
				return err
			}
			a.Say("hint: compare the fingerprint with the other holders; copy the folder %s to a safe place: if fewer than %d holders are left, nobody enrolled is found again", h.dir, committee.Threshold)
			return emitCommittee(a, h.dir, committee)
		},
	}
	h.add(c)
	return c
}

func holderShow(a *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "show",
		Short:   "Show a holder's card and committee",
		Long:    `Reads the public files of the holder's folder.`,
		Example: `  tamga holder show --dir alpha -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return fault.Usage("--dir is needed: the folder that `tamga holder init` made")
			}
			b, err := files.ReadSmall(filepath.Join(dir, holder.CommitteeFile), "committee")
			if err == nil {
				committee, err := holder.ParseCommittee(b)
				if err != nil {
					return err
				}
				return emitCommittee(a, dir, committee)
			}
			if b, err = files.ReadSmall(filepath.Join(dir, holder.CardFile), "card"); err != nil {
				return err
			}
			card, err := holder.ParseCard(b)
			if err != nil {
				return err
			}
			return a.Emit(map[string]string{"name": card.Name, "fingerprint": card.Fingerprint(), "next": "deal, join"},
				[][2]string{{"holder", card.Name}, {"card", card.Fingerprint()}, {"next", "deal, join"}})
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the holder's folder (required)")
	return c
}

func holderServe(a *cli.App) *cobra.Command {
	var h holderFlags
	var listen string
	var clients []string
	var rate float64
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer the node until Ctrl-C",
		Long: `Answers requests of the node whose key is given with --client, over TLS 1.3, and nobody
else's. Events go to stderr as JSON, one a line: every minute in which anything was asked,
how much was answered and refused. Give a rate that your traffic needs and no more: it is
what a thief of the node's keys would guess at.`,
		Example: `  tamga holder serve --dir alpha --passphrase-file a.txt --listen 0.0.0.0:7460 --client KEY --rate 20`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			keys, err := clientKeys(clients)
			if err != nil {
				return err
			}
			if listen == "" || rate <= 0 {
				return fault.Usage("--listen is needed, and --rate takes a positive number")
			}
			return serveHolder(c.Context(), a, h, listen, holder.Options{Clients: keys, Rate: rate, Now: time.Now, Log: slog.New(slog.NewJSONHandler(a.Err, nil))})
		},
	}
	h.add(c)
	c.Flags().StringVar(&listen, "listen", "", "host:port to listen on (required)")
	c.Flags().StringArrayVar(&clients, "client", nil, "key of the node, from \"tamga holder client\"; once for each node that shares the gallery (required)")
	c.Flags().Float64Var(&rate, "rate", holder.DefaultRate, "answers a second at most; ten seconds' worth may come at once")
	return c
}

func clientKeys(texts []string) (keys []ed25519.PublicKey, err error) {
	for _, text := range texts {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(b) != ed25519.PublicKeySize {
			return nil, fault.Usage("--client takes the key that `tamga holder client` shows")
		}
		keys = append(keys, b)
	}
	if len(keys) == 0 {
		return nil, fault.Usage("--client is needed: the key that `tamga holder client` shows at the node")
	}
	return keys, nil
}

func serveHolder(ctx context.Context, a *cli.App, h holderFlags, listen string, o holder.Options) error {
	if err := custody.HideProcess(); err != nil {
		o.Log.WarnContext(ctx, "process not hidden from core dumps", slog.String("cause", err.Error()))
	}
	f, err := openHolder(a, h)
	if err != nil {
		return err
	}
	defer f.Close()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("opening listener: %w", err)
	}
	a.Say("holder %s answers at %s", f.Card().Name, l.Addr())
	return f.Serve(ctx, l, o)
}

func holderClient(a *cli.App) *cobra.Command {
	var dir string
	var from rootkey.Flags
	c := &cobra.Command{
		Use:     "client",
		Short:   "Show the key that holders know a node by",
		Long:    `Opens the node's keystore and shows the public key that each holder is given with --client.`,
		Example: `  tamga holder client --dir kaz --passphrase-file pass.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			root, err := rootkey.Open(a, dir, from)
			if err != nil {
				return err
			}
			defer root.Wipe()
			key, err := keystore.HolderClient(dir, root)
			if err != nil {
				return err
			}
			text := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
			clear(key)
			return a.Emit(map[string]string{"client": text}, [][2]string{{"client", text}})
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.Add(c.Flags(), "")
	return c
}

func holderReplace(a *cli.App) *cobra.Command {
	var h holderFlags
	var clients []string
	c := &cobra.Command{
		Use:   "replace FILE",
		Short: "Go over to the key that the node prepared",
		Long: `Multiplies the share by what the node sealed to this holder in its pseudonym-replacement.json,
and answers for both keys from then on; a running holder takes it up by itself. Every holder
does this between prepare and activate of ` + "`tamga key rotate`" + `. A file that the node of
--client did not sign is refused.`,
		Example: `  tamga holder replace --dir alpha --passphrase-file a.txt --client KEY pseudonym-replacement.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := files.ReadSmall(args[0], "replacement")
			if err != nil {
				return err
			}
			keys, err := clientKeys(clients)
			if err != nil {
				return err
			}
			r, err := holder.ParseReplacement(b, keys)
			if err != nil {
				return err
			}
			f, err := openHolder(a, h)
			if err != nil {
				return err
			}
			defer f.Close()
			committee, err := f.Replace(r)
			if err != nil {
				return err
			}
			a.Say("hint: compare the fingerprint with the other holders; copy the folder %s anew. When the node has retired the key before: tamga holder retire", h.dir)
			return emitCommittee(a, h.dir, committee)
		},
	}
	h.add(c)
	c.Flags().StringArrayVar(&clients, "client", nil, "key of the node, from \"tamga holder client\"; once for each node that shares the gallery (required)")
	return c
}

func holderBack(a *cli.App) *cobra.Command {
	var h holderFlags
	c := &cobra.Command{
		Use:   "back",
		Short: "Take a replacement back that the node has not activated",
		Long: `Makes the share before the current one again, and the committee's file with it. The other
one stays beside it: the holder answers for both as before, and replace with the same file
goes forward again. When the replacement is not to come at all, retire destroys its share,
and another one can be taken. Once retire has destroyed the share before, there is no way back.`,
		Example: `  tamga holder back --dir alpha --passphrase-file a.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f, err := openHolder(a, h)
			if err != nil {
				return err
			}
			defer f.Close()
			committee, err := f.Back()
			if err != nil {
				return err
			}
			a.Say("hint: compare the fingerprint with the other holders. If the node will never activate the replacement: tamga holder retire, which destroys the share that was stepped back from; if it did: tamga holder replace, with the same file")
			return emitCommittee(a, h.dir, committee)
		},
	}
	h.add(c)
	return c
}

func holderRetire(a *cli.App) *cobra.Command {
	var h holderFlags
	c := &cobra.Command{
		Use:   "retire",
		Short: "Destroy the share of the key before",
		Long: `Destroys the share before the current one, after the node has retired the key it is of, or,
after back, the one that was stepped back from. A running holder forgets it within a minute.
Copies of the folder from before still hold it: destroy them.`,
		Example: `  tamga holder retire --dir alpha --passphrase-file a.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f, err := openHolder(a, h)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := f.Retire(); err != nil {
				return err
			}
			a.Say("hint: destroy copies of %s from before", h.dir)
			return a.Emit(map[string]string{"retired": f.Card().Name}, [][2]string{{"retired", "the share before, of " + f.Card().Name}})
		},
	}
	h.add(c)
	return c
}
