package nodeclient

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/tamga-id/tamga/node/backup"
)

// counter counts what goes through it.
type counter struct {
	to   io.Writer
	n    int64
	told func(int64)
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	if c.n>>22 != (c.n+int64(n))>>22 {
		c.told(c.n + int64(n))
	}
	c.n += int64(n)
	return n, err
}

// Escrow asks the running node, which must have proved that it is it.
func (c *Client) Escrow(ctx context.Context, recipients []string) ([]byte, error) {
	resp, err := c.forRecipients(ctx, "/v1/escrows", recipients)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("receiving key escrow: %w", err)
	}
	return b, nil
}

// forRecipients returns a response that is a file. The caller closes it.
func (c *Client) forRecipients(ctx context.Context, path string, recipients []string) (*http.Response, error) {
	body, err := json.Marshal(map[string][]string{"recipients": recipients})
	if err != nil {
		return nil, fmt.Errorf("calling node: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("calling node: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	c.HTTP.Timeout = 0 // as long as it takes
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, c.Silent(ctx)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply))
		if err != nil {
			return nil, fmt.Errorf("reading node's reply: %w", err)
		}
		return nil, Problem(resp.StatusCode, b)
	}
	return resp, nil
}

// BackUp asks the running node, which must have proved that it is it.
func (c *Client) BackUp(ctx context.Context, w io.Writer, recipients []string, told func(int64)) (m backup.Manifest, err error) {
	resp, err := c.forRecipients(ctx, "/v1/backups", recipients)
	if err != nil {
		return m, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(&counter{to: w, told: told}, resp.Body); err != nil {
		return m, fmt.Errorf("receiving backup: %w", err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(resp.Trailer.Get("Tamga-Backup-Manifest"))
	if err == nil {
		err = json.Unmarshal(payload, &m)
	}
	if err != nil {
		return m, errors.New("receiving backup: the node stopped before it was complete")
	}
	return m, nil
}
