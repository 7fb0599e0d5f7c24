// Package nodeclient calls the HTTP API of a running node, after whoever answers proved that it knows the token.
package nodeclient

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/config"
)

// Flags say which running node a command talks to.
type Flags struct {
	Dir, API, tokenFile string
	Operator            bool // with the operator's token of dir, not the officers'
}

// Add defines the flags.
func (n *Flags) Add(f *pflag.FlagSet) {
	f.StringVar(&n.Dir, "dir", "", "the node's folder: its address and API token are read there")
	f.StringVar(&n.API, "api", "", "base URL of the node's API, when there is no --dir")
	f.StringVar(&n.tokenFile, "token-file", "", "file with the API token, when there is no --dir")
}

// Client calls a running node's API. Token and people's data go to the node only: any
// program of this machine could have taken its port while it was stopped, so every
// call first has whoever answers prove that it knows the token, and then uses the
// connection that this was proved on. It is not safe for concurrent use.
type Client struct {
	Base  string       // the API's URL, without a slash at its end
	HTTP  *http.Client // holds to the one connection that was proved; its Timeout may be changed
	token string
}

const (
	// MaxReply is how much of a reply is read, in bytes.
	MaxReply = 16 << 20
	// proofTimeout is for the proof, which a node gives without looking anything up.
	proofTimeout = 10 * time.Second
)

func newClient(base, token string) *Client {
	return &Client{Base: strings.TrimRight(base, "/"), token: token, HTTP: &http.Client{
		Timeout: 2 * time.Minute,
		// One connection, and no proxy between.
		Transport:     &http.Transport{DialContext: dial, MaxConnsPerHost: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// proving marks the context of a request for proof, which alone may open a connection.
type proving struct{}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	if ctx.Value(proving{}) == nil {
		return nil, errors.New("the connection was lost")
	}
	return (&net.Dialer{Timeout: proofTimeout}).DialContext(ctx, network, address)
}

// Client is of the node that the flags name, which has not been called yet.
func (n Flags) Client() (*Client, error) {
	base, token := n.API, n.tokenFile
	if n.Dir != "" {
		cfg, err := config.Load(filepath.Join(n.Dir, node.ConfigFile))
		if err != nil {
			return nil, err
		}
		if base == "" {
			base = "http://" + Address(cfg)
		}
		if token == "" && n.Operator {
			token = filepath.Join(n.Dir, node.EnrolTokenFile)
		}
		if token == "" {
			token = filepath.Join(n.Dir, node.TokenFile)
		}
	}
	if base == "" || token == "" {
		return nil, fault.Usage("say which node: --dir, or --api and --token-file")
	}
	b, err := os.ReadFile(token)
	if err != nil {
		return nil, fmt.Errorf("reading API token: %w", err)
	}
	c := newClient(base, strings.TrimSpace(string(b)))
	if c.token == "" {
		return nil, errors.New("reading API token: the file is empty")
	}
	return c, nil
}

// Address is where the node listens now, or would.
func Address(cfg config.Config) string {
	if b, err := os.ReadFile(node.AddressFile(cfg)); err == nil {
		return strings.TrimSpace(string(b))
	}
	return cfg.Listen.API
}

// ErrNotRunning is of a call that nobody answered.
var ErrNotRunning = errors.New("the node does not answer")

// Call sends body, when there is one, and decodes the reply into out.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	return c.CallWith(ctx, method, path, contentType, nil, body, out)
}

// CallWith is call with further headers.
func (c *Client) CallWith(ctx context.Context, method, path, contentType string, header http.Header, body []byte, out any) error {
	if err := c.Prove(ctx); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling node: %w", err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return c.Silent(ctx)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply))
	if err != nil {
		return fmt.Errorf("reading node's reply: %w", err)
	}
	if resp.StatusCode >= 300 {
		return Problem(resp.StatusCode, b)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("reading node's reply: %w", err)
	}
	return nil
}

// Prove demands of whoever answers that it knows the token, without saying it.
func (c *Client) Prove(ctx context.Context) error {
	var challenge [sha256.Size]byte
	_, _ = rand.Read(challenge[:]) // crypto/rand does not fail, it ends the process
	brief, cancel := context.WithTimeout(context.WithValue(ctx, proving{}, true), proofTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(brief, http.MethodGet, c.Base+"/livez", nil)
	if err != nil {
		return fmt.Errorf("calling node: %w", err)
	}
	req.Header.Set("Tamga-Challenge", base64.RawURLEncoding.EncodeToString(challenge[:]))
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return c.Silent(ctx)
	}
	// To its end, so that the connection is there for the call.
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return c.Silent(ctx)
	}
	var health struct {
		Sealed bool `json:"sealed"`
	}
	if json.Unmarshal(body, &health) == nil && health.Sealed {
		return &fault.Failure{Exit: fault.ExitSealed, Code: protocol.CodeSealed, Err: errors.New("calling node: it is sealed")}
	}
	mac := hmac.New(sha256.New, []byte(c.token))
	mac.Write([]byte("tamga/v1/api-proof\x00"))
	mac.Write(challenge[:])
	want := mac.Sum(nil)
	for _, header := range []string{"Tamga-Proof", "Tamga-Enrol-Proof"} { // the node cannot know which token is meant
		got, err := base64.RawURLEncoding.DecodeString(resp.Header.Get(header))
		if err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	c.HTTP.CloseIdleConnections()
	return &fault.Failure{Exit: fault.ExitUnreachable, Code: protocol.CodeNotRunning,
		Err:  fmt.Errorf("calling node: something else answers at %s, or a node with another token; nothing was sent to it", c.Base),
		Hint: "find out which program listens there before you start the node; check --dir, --api and --token-file"}
}

// Silent is the error of a call that got no reply.
func (c *Client) Silent(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &fault.Failure{Exit: fault.ExitUnreachable, Code: protocol.CodeNotRunning, Err: fmt.Errorf("calling node: %w at %s", ErrNotRunning, c.Base)}
}

// Problem turns an RFC 9457 problem into what the command says.
func Problem(status int, body []byte) error {
	var p struct {
		Code   protocol.Code `json:"code"`
		Detail string        `json:"detail"`
		Title  string        `json:"title"`
		Errors []struct {
			Pointer string `json:"pointer"`
			Rule    string `json:"rule"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return fmt.Errorf("the node replied with status %d", status)
	}
	why := p.Detail
	if why == "" {
		why = p.Title
	}
	for _, e := range p.Errors {
		why += "\n" + e.Pointer + ": " + e.Rule
	}
	f := &fault.Failure{Exit: fault.ExitFailure, Code: p.Code, Err: errors.New(why)}
	switch p.Code {
	case protocol.CodeStoreAway:
		f.Exit = fault.ExitUnreachable
	case protocol.CodeStoreInDoubt:
		f.Exit = fault.ExitInconclusive
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		f.Exit = fault.ExitUnauthorised
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		f.Exit, f.Hint = fault.ExitUsage, "mend the values named and run the command again; its --help shows their form"
	}
	return f
}
