package enrolcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/registrar"
)

// openSink is the running node, or its gallery when it is not running.
func openSink(ctx context.Context, a *cli.App, i importFlags) (enrol.Sink, func() error, error) {
	none := func() error { return nil }
	cl, err := i.node.Running(ctx)
	if err != nil {
		return nil, none, err
	}
	if cl != nil {
		return remoteSink{cl, i}, none, nil
	}
	g, err := rootkey.OpenRegistrar(ctx, a, i.node.Dir, i.from)
	if err != nil {
		return nil, none, err
	}
	if i.dryRun {
		return planSink{g}, g.Close, nil
	}
	return g, g.Close, nil
}

// planSink says what would happen.
type planSink struct{ *registrar.Registrar }

func (p planSink) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return p.Plan(ctx, batch)
}

// remoteSink enrols through a running node's API.
type remoteSink struct {
	c     *nodeclient.Client
	flags importFlags
}

// header says for all lines of a request what the enrolments say one by one.
func (r remoteSink) header(batch []gallery.Enrolment) http.Header {
	h := http.Header{"Tamga-Duplicates": {r.flags.duplicates}}
	if r.flags.dryRun {
		h.Set("Tamga-Dry-Run", "true")
	}
	if len(batch) > 0 && batch[0].Batch != "" {
		h.Set("Tamga-Batch", batch[0].Batch)
	}
	return h
}

// maxPost keeps a request below the API's limit of 16 MiB.
const maxPost = 12 << 20

func (r remoteSink) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	var out []gallery.Result
	var body bytes.Buffer
	flush := func() error {
		if body.Len() == 0 {
			return nil
		}
		var reply struct {
			Results []struct {
				Result gallery.Change `json:"result"`
				Code   protocol.Code  `json:"code"`
				Member string         `json:"member"`
				Rule   string         `json:"rule"`
			} `json:"results"`
		}
		if err := r.c.CallWith(ctx, http.MethodPost, "/v1/enrolments", "application/x-ndjson", r.header(batch), body.Bytes(), &reply); err != nil {
			return err
		}
		for _, one := range reply.Results {
			res := gallery.Result{Change: one.Result}
			if one.Result == gallery.Failed {
				res.Err = &enrol.RuleError{Code: one.Code, Member: one.Member, Rule: one.Rule}
			}
			out = append(out, res)
		}
		body.Reset()
		return nil
	}
	for _, e := range batch {
		line, err := json.Marshal(enrol.RecordOf(e))
		if err != nil {
			return nil, fmt.Errorf("encoding record: %w", err)
		}
		if body.Len()+len(line) > maxPost {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		body.Write(line)
		body.WriteByte('\n')
	}
	return out, flush()
}
