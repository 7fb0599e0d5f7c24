package fault

import (
	"errors"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keystore"
)

// ofPseudonyms classifies what is about a pseudonym key that is kept apart.
func ofPseudonyms(err error) *Failure {
	f := &Failure{Exit: ExitSealed, Code: protocol.CodePseudonymKey, Err: err}
	switch {
	case errors.Is(err, keystore.ErrPseudonymKeyHere):
		f.Hint = "move the key there with `tamga custody pseudonym`, or take pseudonym.keystore out of " + node.ConfigFile
	case errors.Is(err, keystore.ErrForeignPseudonymKey):
		f.Exit = ExitIntegrity
		f.Hint = "pseudonym.keystore in " + node.ConfigFile + " must name the folder, or a copy of it, that was made for this node. If `tamga custody pseudonym` was cut off, and the key rotated since, name another folder"
	case errors.Is(err, keystore.ErrMoved):
		f.Exit, f.Hint = ExitFailure, "it can be copied like any folder while the node is stopped: change pseudonym.keystore in "+node.ConfigFile+" then. Nothing was changed"
	case errors.Is(err, keystore.ErrConfigByHand):
		f.Exit, f.Hint = ExitConfig, "the key was moved; write the lines above to "+node.ConfigFile+" and run the command again"
	case errors.Is(err, pseudonym.ErrHolders):
		f.Exit, f.Code = ExitUnreachable, protocol.CodePseudonymHolder
	case errors.Is(err, pseudonym.ErrShared):
		f.Exit, f.Code = ExitRefused, protocol.CodeRotation
		f.Hint = "holders have the key, and nobody can take it off people's pseudonyms again: a new one of theirs takes its place with --holders. Nothing was changed"
	case errors.Is(err, keystore.ErrCommittee):
		f.Exit = ExitConfig
		f.Hint = "pseudonym.holders in " + node.ConfigFile + " names the file that `tamga holder join` wrote, the same for all holders. Nothing was changed"
	case errors.Is(err, holder.ErrForeign), errors.Is(err, holder.ErrSignature), errors.Is(err, holder.ErrFormat), errors.Is(err, pseudonym.ErrTerms),
		errors.Is(err, pseudonym.ErrProof):
		f.Exit, f.Hint = ExitIntegrity, "compare the fingerprints with the other holders, by another way than the file came; one dealing of each is needed. Nothing was changed"
	case errors.Is(err, holder.ErrNode):
		f.Exit, f.Code = ExitIntegrity, protocol.CodeHolderReplacement
		f.Hint = "have the node's operator run `tamga key rotate prepare --holders` again, which writes the file anew, and compare --client with what `tamga holder client` shows at the node. Nothing was changed"
	case errors.Is(err, holder.ErrOverlap), errors.Is(err, holder.ErrNothingOld):
		f.Exit, f.Code = ExitFailure, protocol.CodeRotation
		f.Hint = "the node prepares, holders replace, the node activates and retires, holders retire; back goes until then. Nothing was changed"
	case errors.Is(err, holder.ErrJoined), errors.Is(err, holder.ErrNotJoined):
		f.Exit, f.Hint = ExitFailure, "see `tamga holder show`: make, deal, join, serve. Nothing was changed"
	case errors.Is(err, gallery.ErrPseudonymKeys) && !errors.Is(err, gallery.ErrUnavailable) && !errors.Is(err, gallery.ErrOutdated):
		f.Exit = ExitIntegrity
		f.Hint = "the keystore is an older copy, from before the pseudonym key was replaced: put back the newest one, " +
			"keystore.json or the folder that pseudonym.keystore names. Nothing was changed"
	case errors.Is(err, keystore.ErrPseudonymKey):
	default:
		return nil
	}
	return f
}
