package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/config"
)

// nodeFlags say which running node a command talks to.
type nodeFlags struct {
	dir, api, tokenFile string
}

func (n *nodeFlags) add(f *pflag.FlagSet) {
	f.StringVar(&n.dir, "dir", "", "the node's folder: its address and API token are read there")
	f.StringVar(&n.api, "api", "", "base URL of the node's API, when there is no --dir")
	f.StringVar(&n.tokenFile, "token-file", "", "file with the API token, when there is no --dir")
}

// client calls a running node's API.
type client struct {
	base, token string
	http        *http.Client
}

const maxReply = 16 << 20

func (n nodeFlags) client() (*client, error) {
	c := &client{base: strings.TrimRight(n.api, "/"), http: &http.Client{Timeout: 2 * time.Minute}}
	token := n.tokenFile
	if n.dir != "" {
		cfg, err := config.Load(filepath.Join(n.dir, node.ConfigFile))
		if err != nil {
			return nil, err
		}
		if c.base == "" {
			c.base = "http://" + address(cfg)
		}
		if token == "" {
			token = filepath.Join(n.dir, node.TokenFile)
		}
	}
	if c.base == "" || token == "" {
		return nil, usage("say which node: --dir, or --api and --token-file")
	}
	b, err := os.ReadFile(token)
	if err != nil {
		return nil, fmt.Errorf("reading API token: %w", err)
	}
	c.token = strings.TrimSpace(string(b))
	return c, nil
}

// address is where the node listens now, or would.
func address(cfg config.Config) string {
	if b, err := os.ReadFile(node.AddressFile(cfg)); err == nil {
		return strings.TrimSpace(string(b))
	}
	return cfg.Listen.API
}

var errNotRunning = errors.New("the node does not answer")

// call sends body, when there is one, and decodes the reply into out.
func (c *client) call(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling node: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &failure{exit: exitUnreachable, code: protocol.CodeNotRunning, err: fmt.Errorf("calling node: %w at %s", errNotRunning, c.base)}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return fmt.Errorf("reading node's reply: %w", err)
	}
	if resp.StatusCode >= 300 {
		return problem(resp.StatusCode, b)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("reading node's reply: %w", err)
	}
	return nil
}

// problem turns an RFC 9457 problem into what the command says.
func problem(status int, body []byte) error {
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
	f := &failure{exit: exitFailure, code: p.Code, err: errors.New(why)}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		f.exit = exitUnauthorised
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		f.exit = exitUsage
	}
	return f
}
