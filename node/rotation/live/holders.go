package live

import (
	"context"
	"log/slog"

	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keystore"
)

// watchHolders logs who of the holders fails or lies, for as long as they are asked.
func (k *Keys) watchHolders(ctx context.Context, of keystore.Set) {
	ctx = context.WithoutCancel(ctx)
	for _, c := range of.Holders {
		c.Watch(func(f holder.Failure) {
			if f.Lies {
				k.log.ErrorContext(ctx, "pseudonym holder lies", slog.String("holder", f.Holder))
			} else {
				k.log.WarnContext(ctx, "pseudonym holder failed", slog.String("holder", f.Holder), slog.String("cause", f.Err.Error()))
			}
		})
	}
}
