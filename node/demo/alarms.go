package demo

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/tamga-id/tamga/node/responder"
)

// alarms listens for canaries in a node's log, as the agency's monitoring would.
type alarms struct {
	slog.Handler
	heard *atomic.Int32
}

// Enabled hears errors whatever the operator chose to see.
func (a alarms) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError || a.Handler.Enabled(ctx, l)
}

// Handle implements [slog.Handler].
func (a alarms) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == responder.AlarmCanary {
		a.heard.Add(1)
	}
	if !a.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return a.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (a alarms) WithAttrs(attrs []slog.Attr) slog.Handler {
	return alarms{a.Handler.WithAttrs(attrs), a.heard}
}

// WithGroup implements [slog.Handler].
func (a alarms) WithGroup(name string) slog.Handler {
	return alarms{a.Handler.WithGroup(name), a.heard}
}
