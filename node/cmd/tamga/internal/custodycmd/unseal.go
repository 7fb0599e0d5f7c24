package custodycmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/unseal"
)

// unsealFlags say what to do with which share.
type unsealFlags struct {
	dir, api, recipient           string
	share, identity, message, out string
}

// Unseal is `tamga unseal`.
func Unseal(a *cli.App) *cobra.Command {
	var u unsealFlags
	c := &cobra.Command{
		Use:   "unseal",
		Short: "Bring a custodian's share to a sealed node",
		Long: `A node whose root key custodians hold starts sealed. Each of them brings his share, at
the node's machine or from his own, in any order and over restarts of the node; with the
last one that is needed the node opens.

Without a share the command shows how far the custodians are, and the fingerprint of the
recipient that shares must be sealed to; -o json has the recipient itself. It is a new one
each time the node was opened.
Exit code 8 while shares are missing.`,
		Example: `  tamga unseal --dir kaz                                                # how far are we?
  tamga unseal --dir kaz --share share-1-alice.age --identity alice.key  # at the node's machine
  tamga unseal --recipient "$(cat kaz.recipient)" --share share-2-bob.age --identity bob.key --out bob.msg   # elsewhere
  tamga unseal --dir kaz --message bob.msg                              # and carried to the node`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return openSealed(c.Context(), a, u) },
	}
	f := c.Flags()
	f.StringVar(&u.dir, "dir", "", "the node's folder")
	f.StringVar(&u.api, "api", "", "base URL of the sealed node, when there is no --dir")
	f.StringVar(&u.recipient, "recipient", "", "the sealed node's recipient, when there is no --dir; as -o json shows it")
	f.StringVar(&u.share, "share", "", "the custodian's sealed share")
	f.StringVar(&u.identity, "identity", "", "the custodian's age identity")
	f.StringVar(&u.out, "out", "", "new file for the message, instead of sending it")
	f.StringVar(&u.message, "message", "", "message that --out wrote, to send")
	return c
}

func openSealed(ctx context.Context, a *cli.App, u unsealFlags) error {
	switch {
	case u.message != "" && (u.share != "" || u.out != ""):
		return fault.Usage("--message is sent as it is: without --share and --out")
	case u.out != "" && u.share == "":
		return fault.Usage("--out is for a share: give --share and --identity")
	case u.dir == "" && u.api == "" && u.out == "":
		return fault.Usage("say which node: --dir, or --api")
	}
	message, err := u.read()
	if err != nil {
		return err
	}
	if u.out != "" {
		if err := files.Create(u.out, message, 0o600); err != nil {
			return err
		}
		a.Say("sealed to the recipient %s: compare that with the operator, by another way than it came", unseal.Fingerprint(u.recipient))
		a.Say("hint: carry %s to the node's machine: tamga unseal --dir DIR --message %s", u.out, filepath.Base(u.out))
		return nil
	}
	base := u.api
	if base == "" {
		cfg, err := config.Load(filepath.Join(u.dir, node.ConfigFile))
		if err != nil {
			return err
		}
		base = "http://" + nodeclient.Address(cfg)
	}
	p, err := askSealed(ctx, strings.TrimRight(base, "/"), message)
	if err != nil {
		return err
	}
	if err := a.Emit(p, [][2]string{{"ceremony", p.Ceremony}, {"opens", fmt.Sprintf("any %d of %d", p.Threshold, p.Shares)},
		{"given by", strings.Join(p.Given, " ")}, {"missing", fmt.Sprint(p.Missing)}, {"recipient", p.Fingerprint}}); err != nil {
		return err
	}
	if p.Missing > 0 {
		return fault.Verdict{Exit: fault.ExitSealed}
	}
	return nil
}

// read is the message to bring, sealed to the node; nil when only progress is asked.
func (u *unsealFlags) read() ([]byte, error) {
	if u.message != "" {
		return files.ReadSmall(u.message, "message")
	}
	if u.share == "" && u.identity == "" {
		return nil, nil
	}
	_, share, err := rootkey.OpenShare(u.share, u.identity)
	if err != nil {
		return nil, err
	}
	to := u.recipient
	if to == "" && u.dir != "" {
		if to, err = unseal.Recipient(u.dir); err != nil {
			return nil, err
		}
	}
	if to == "" {
		return nil, fault.Usage("--recipient is needed where there is no --dir; the operator reads it with `tamga unseal --dir DIR`")
	}
	u.recipient = to
	return share.SealTo(to)
}

// askSealed sends a message, or asks for progress. It proves nothing of who answers:
// what is sent can be opened by the node alone.
func askSealed(ctx context.Context, base string, message []byte) (unseal.Progress, error) {
	method := http.MethodGet
	if message != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, base+unseal.Path, bytes.NewReader(message))
	if err != nil {
		return unseal.Progress{}, fault.Usage("--api takes a base URL, such as http://127.0.0.1:7443")
	}
	cl := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer cl.CloseIdleConnections()
	resp, err := cl.Do(req)
	if err != nil {
		return unseal.Progress{}, (&nodeclient.Client{Base: base}).Silent(ctx)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, nodeclient.MaxReply))
	if err != nil {
		return unseal.Progress{}, fmt.Errorf("reading node's reply: %w", err)
	}
	if resp.StatusCode >= 300 {
		err := nodeclient.Problem(resp.StatusCode, b)
		if f, ok := err.(*fault.Failure); ok && resp.StatusCode == http.StatusUnprocessableEntity {
			f.Exit, f.Hint = fault.ExitSealed, "nothing was changed; compare the ceremony with `tamga unseal --dir DIR`"
		}
		return unseal.Progress{}, err
	}
	var p unseal.Progress
	if err := json.Unmarshal(b, &p); err != nil {
		return unseal.Progress{}, fmt.Errorf("reading node's reply: %w", err)
	}
	return p, nil
}
