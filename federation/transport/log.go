package transport

import (
	"log/slog"

	"github.com/libp2p/go-libp2p/gologshim"
)

// RouteLibraryLogs sends what libp2p itself logs to a handler instead of standard error. It acts on the whole process
// and only before the first Host, so it is for main to call; slog.DiscardHandler silences libp2p. Its lines hold peer
// IDs and addresses, never payloads.
func RouteLibraryLogs(handler slog.Handler) { gologshim.SetDefaultHandler(handler) }
