package node

import (
	"context"
	"log/slog"

	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keystore"
)

// watchHolders logs who of the holders fails or lies, for as long as they are asked.
func (n *Node) watchHolders(ctx context.Context, k keystore.Set) {
	ctx = context.WithoutCancel(ctx)
	for _, c := range k.Holders {
		c.Watch(func(f holder.Failure) {
			if f.Lies {
				n.log.ErrorContext(ctx, "pseudonym holder lies", slog.String("holder", f.Holder))
			} else {
				n.log.WarnContext(ctx, "pseudonym holder failed", slog.String("holder", f.Holder), slog.String("cause", f.Err.Error()))
			}
		})
	}
}
