package nodeclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"

	"github.com/tamga-id/tamga/node"
)

// Running is a client of the node with the operator's token, nil when the node is not
// running.
func (n Flags) Running(ctx context.Context) (*Client, error) {
	n.Operator = true
	cl, err := n.Client()
	if at, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrNotExist) && n.tokenFile == "" &&
		filepath.Base(at.Path) == node.EnrolTokenFile {
		return nil, nil // a restored folder: a node that runs has written its tokens
	}
	if err != nil {
		return nil, err
	}
	var s node.Status
	err = cl.Call(ctx, http.MethodGet, "/v1/status", "", nil, &s)
	if errors.Is(err, ErrNotRunning) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return cl, nil
}

// Post sends a JSON body to the running node as its operator.
func (n Flags) Post(ctx context.Context, path string, body, out any) error {
	n.Operator = true
	cl, err := n.Client()
	if err != nil {
		return err
	}
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	return cl.Call(ctx, http.MethodPost, path, "application/json", b, out)
}
