package problem

import (
	"errors"
	"net/http"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keystore"
)

// OfStore is the problem of an error of the gallery; detail says it of one that has no
// code of its own.
func OfStore(err error, detail string) *Problem {
	switch {
	case errors.Is(err, gallery.ErrFull), errors.Is(err, ledger.ErrNoSpace):
		return New(http.StatusInsufficientStorage, protocol.CodeStoreFull, "")
	case errors.Is(err, gallery.ErrReopen):
		return New(http.StatusServiceUnavailable, protocol.CodeStoreInDoubt, "Restart the node, then send the same again: nothing is stored or erased before.")
	case errors.Is(err, gallery.ErrInDoubt):
		return New(http.StatusServiceUnavailable, protocol.CodeStoreInDoubt, "")
	case errors.Is(err, gallery.ErrOutdated):
		return New(http.StatusServiceUnavailable, protocol.CodeRotation, "Another node of the same store has rotated to a key that this one lacks: give it the keystore of that node.")
	case errors.Is(err, gallery.ErrOlderKeys), errors.Is(err, keystore.ErrOlder):
		return New(http.StatusServiceUnavailable, protocol.CodeOlderKeys, "")
	case errors.Is(err, pseudonym.ErrHolders):
		return New(http.StatusServiceUnavailable, protocol.CodePseudonymHolder, "")
	case errors.Is(err, gallery.ErrUnavailable):
		return New(http.StatusServiceUnavailable, protocol.CodeStoreAway, detail)
	}
	return New(http.StatusInternalServerError, protocol.CodeInternal, detail)
}
