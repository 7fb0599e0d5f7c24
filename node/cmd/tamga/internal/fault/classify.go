package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/custody/token"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/policy/lawtext"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchorfile"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/entity"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/introduction"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lawbook/inforce"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
	"github.com/tamga-id/tamga/node/rows/outside"
	"github.com/tamga-id/tamga/node/stores"
)

// Classify gives an error of a package its exit code, its code of the registry and,
// where the registry's next step is too general, a hint.
func Classify(err error) *Failure {
	f, known := errors.AsType[*Failure](err)
	switch {
	case errors.Is(err, context.Canceled):
		cut := &Failure{Exit: ExitInterrupted, Code: protocol.CodeInterrupted, Err: errors.New("interrupted")}
		if known {
			cut.Hint = f.Hint
		}
		return cut
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Exit: ExitUnreachable, Code: protocol.CodeTimeout, Err: errors.New("the time that --timeout allows is over; no outcome is known")}
	case known && f.Code != "":
		return f
	case known:
		// Whoever made it knew the exit code or the next step, and not what it is.
		g := Classify(f.Err)
		return &Failure{Exit: f.Exit, Code: g.Code, Err: f.Err, Hint: cmp.Or(f.Hint, g.Hint)}
	}
	for _, kind := range []func(error) *Failure{ofIntroduction, ofConfiguration, ofProtocol, ofPseudonyms, ofBackup, ofRecovery, OfLawbook, ofStores, ofData, ofListening, ofFiles} {
		if f := kind(err); f != nil {
			return f
		}
	}
	if cobraUsage(err) {
		return &Failure{Exit: ExitUsage, Code: protocol.CodeUsage, Err: argumentSlip(err)}
	}
	return &Failure{Exit: ExitFailure, Code: protocol.CodeFailed, Err: err}
}

func ofConfiguration(err error) *Failure {
	f := &Failure{Exit: ExitConfig, Code: protocol.CodeConfig, Err: err}
	if _, ok := errors.AsType[*lawtext.LawError](err); ok {
		f.Hint = "mend the law file at the places listed; nothing was started. `tamga init` writes a working text to compare with"
		return f
	}
	if _, ok := errors.AsType[*config.Errors](err); ok {
		return f
	}
	if errors.Is(err, entity.ErrAnchorFile) {
		f.Hint = "put back the trust-anchor.json that the Trust Anchor's operator handed out; nothing was started"
		return f
	}
	if errors.Is(err, founding.ErrNoLaw) {
		f.Hint = "give the country's law in Cedar with --law; nothing was made"
		return f
	}
	if errors.Is(err, inforce.ErrForeign) {
		f.Hint = "give the law of the node's own country: --law of `tamga init`, policy.law in " + node.ConfigFile
		return f
	}
	return nil
}

func ofIntroduction(err error) *Failure {
	f := &Failure{Exit: ExitIntegrity, Code: protocol.CodeIntroduction, Err: err}
	switch {
	case errors.Is(err, introduction.ErrWords):
		f.Hint = "the introduction is given up. Read the words once more: if they differ, somebody is between you and the other side. Keep the files as evidence, and begin anew over another channel"
	case errors.Is(err, introduction.ErrFile), errors.Is(err, introduction.ErrForeign):
	case errors.Is(err, introduction.ErrExpired):
		f.Exit, f.Hint = ExitFailure, "ask the other side for a new one: tamga peer invite"
	default:
		return nil
	}
	return f
}

func ofProtocol(err error) *Failure {
	if f, ok := errors.AsType[*protocol.Fault](err); ok {
		return &Failure{Exit: ExitOf(f.Code.Outcome()), Code: f.Code, Err: err}
	}
	return nil
}

func ofStores(err error) *Failure {
	switch {
	case isWait(err):
		return &Failure{Exit: ExitSealed, Code: protocol.CodeCustodyWait, Err: err}
	case errors.Is(err, token.ErrBuild):
		return &Failure{Exit: ExitUsage, Code: protocol.CodeUsage, Err: err}
	case errors.Is(err, token.ErrToken):
		return &Failure{Exit: ExitSealed, Code: protocol.CodeCustody, Err: err, Hint: "check module, label and PIN; tokens lock after a few wrong PINs"}
	case errors.Is(err, custody.ErrNoProtector), errors.Is(err, custody.ErrLastProtector):
		return &Failure{Exit: ExitSealed, Code: protocol.CodeSealed, Err: err, Hint: "see `tamga custody show`: it lists what opens the root key"}
	case errors.Is(err, ceremony.ErrTranscript):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeCeremony, Err: err}
	case errors.Is(err, custody.ErrBusy):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeStoreLocked, Err: err, Hint: "wait until the other command ends, then look with `tamga key list` or `tamga custody show` and run this one again"}
	case errors.Is(err, keys.ErrPrepared), errors.Is(err, keys.ErrNotPrepared), errors.Is(err, keys.ErrNothingOld),
		errors.Is(err, custody.ErrNotPrepared), errors.Is(err, custody.ErrOverlap), errors.Is(err, custody.ErrNothingOld):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeRotation, Err: err}
	case errors.Is(err, rotation.ErrLedgerKey):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeRotation, Err: err, Hint: "start the node, which signs the ledger anew, and wait for \"changed keystore taken up\"; nothing was changed"}
	case errors.Is(err, rotation.ErrUnretired):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeRotation, Err: err, Hint: "retire the old ones first, with `tamga key rotate retire`; nothing was changed"}
	case errors.Is(err, rotation.ErrUnannounced):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeRotation, Err: err, Hint: "start the node, hand its new " + node.EntityConfigurationFile + " to the Trust Anchor (tamga anchor enroll), and retire the key when every member has refreshed; nothing was changed"}
	case errors.Is(err, rotation.ErrHistory):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeRotation, Err: err, Hint: "nothing was changed"}
	case errors.Is(err, rotation.ErrProtectors):
		return &Failure{Exit: ExitRefused, Code: protocol.CodeRotation, Err: err, Hint: "see `tamga custody show`. Remove the others first, or accept it with --accept-risk=fewer-protectors; put the new root key under them again once it is active (tamga ceremony, tamga custody)"}
	case errors.Is(err, keys.ErrMalformed):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeCustody, Err: err}
	case isCeremony(err):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeCeremony, Err: err}
	case errors.Is(err, custody.ErrPassphrase), errors.Is(err, custody.ErrRoot), errors.Is(err, custody.ErrFormat):
		return &Failure{Exit: ExitSealed, Code: protocol.CodeCustody, Err: err}
	case errors.Is(err, ledger.ErrTampered):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeLedgerTampered, Err: err}
	case errors.Is(err, ledger.ErrNoSpace), errors.Is(err, gallery.ErrFull), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeStoreFull, Err: err}
	case errors.Is(err, enrol.ErrNoBatch):
		return &Failure{Exit: ExitUsage, Code: protocol.CodeBatch, Err: err}
	case errors.Is(err, enrol.ErrBusy):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeStoreLocked, Err: err, Hint: "wait until the other import of the same path ends, or stop it and run this one again"}
	case errors.Is(err, gallery.ErrLocked), errors.Is(err, ledger.ErrLocked):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeStoreLocked, Err: err}
	case errors.Is(err, stores.ErrDSN):
		return &Failure{Exit: ExitConfig, Code: protocol.CodeConfig, Err: err, Hint: "store.dsn_file in " + node.ConfigFile + " names a file with one line, the connection string, that only the node's user may read: chmod 600"}
	case errors.Is(err, store.ErrConnection):
		return &Failure{Exit: ExitConfig, Code: protocol.CodeConfig, Err: err, Hint: "mend the server, or the line in the file that store.dsn_file in " + node.ConfigFile + " names"}
	case errors.Is(err, keystore.ErrOlder), errors.Is(err, keystore.ErrNoted):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeOlderKeys, Err: err, Hint: "put back the newest keystore.json, with the root.json that opens it, or restore the newest key escrow. If that is lost, remove the file ending in -keys beside recovery.checkpoint_file: the node then uses the older keys again, also such as were replaced because they were stolen"}
	case errors.Is(err, gallery.ErrOlderKeys):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeOlderKeys, Err: err}
	case errors.Is(err, gallery.ErrOutdated), errors.Is(err, registrar.ErrReplicas):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeRotation, Err: err}
	case errors.Is(err, snapshot.ErrSameStore), errors.Is(err, snapshot.ErrNotEmpty):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeStoreTarget, Err: err}
	case errors.Is(err, gallery.ErrInDoubt):
		return &Failure{Exit: ExitInconclusive, Code: protocol.CodeStoreInDoubt, Err: err}
	case errors.Is(err, gallery.ErrUnavailable):
		return &Failure{Exit: ExitUnreachable, Code: protocol.CodeStoreAway, Err: err}
	case errors.Is(err, gallery.ErrDamaged):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeStoreDamaged, Err: err}
	case errors.Is(err, outside.ErrEdited):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeStoreDamaged, Err: err, Hint: "put the file back as the node left it. If it is lost, remove it: it is made up from the store, and a consent whose withdrawal the store has lost, too, is valid again"}
	}
	return nil
}

// ofData is about data that were read and do not do for what was asked.
func ofData(err error) *Failure {
	f := &Failure{Exit: ExitFailure, Code: protocol.CodeData, Err: err}
	switch {
	case errors.Is(err, calibration.ErrTooFew):
		f.Hint = "give a folder with more people and more captures of each; nothing was written. `tamga help calibrate` says what is compared"
	case errors.Is(err, evaluate.ErrGroups):
		f.Hint = "the first column of the table is subject, written as in the data: for fingers SET_FINGER, for faces as in the column subject, " +
			"for irises as in the column eye, for signatures the writer's number"
	case errors.Is(err, evaluate.ErrSize):
		f.Hint = "evaluate fewer captures, for instance each set in a folder of its own"
	default:
		return nil
	}
	return f
}

// Unfit is for data that were read and do not do, when only the command knows why.
func Unfit(hint, format string, args ...any) error {
	return &Failure{Exit: ExitFailure, Code: protocol.CodeData, Err: fmt.Errorf(format, args...), Hint: hint}
}

func isCeremony(err error) bool {
	for _, e := range []error{ceremony.ErrFormat, ceremony.ErrPlan, ceremony.ErrForeign, ceremony.ErrShare, ceremony.ErrRepeated,
		ceremony.ErrIdentity, ceremony.ErrMissing, keystore.ErrForeignPlan} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func isWait(err error) bool {
	_, ok := errors.AsType[*custody.WaitError](err)
	return ok
}

// ofListening is about an address of the node's or the anchor's own.
func ofListening(err error) *Failure {
	socket, ok := errors.AsType[*net.OpError](err)
	if !errors.Is(err, transport.ErrListen) && (!ok || socket.Op != "listen") {
		return nil
	}
	f := &Failure{Exit: ExitFailure, Code: protocol.CodeListen, Err: err}
	const where = "choose another one: --listen or --api of `tamga init`, listen in " + node.ConfigFile + ", or listen in an anchor's " + anchorfile.Settings
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.Hint = "stop the program that holds the address (`ss -ltunp` names it; perhaps this node runs already), or " + where
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.Hint = "this machine has no such address: " + where
	case errors.Is(err, syscall.EACCES):
		f.Hint = "ports below 1024 need a privilege: " + where
	}
	return f
}

func ofFiles(err error) *Failure {
	at, ok := errors.AsType[*fs.PathError](err)
	if !ok && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f := &Failure{Exit: ExitFailure, Code: protocol.CodeFile, Err: err}
	if !ok {
		return f
	}
	switch base := filepath.Base(at.Path); {
	case !errors.Is(err, fs.ErrNotExist):
	case base == node.ConfigFile, base == node.TokenFile, base == node.EnrolTokenFile:
		f.Hint = "check --dir: it names the folder that `tamga init` made"
	case base == anchorfile.Settings, base == anchorfile.Root, base == anchorfile.Keystore:
		f.Hint = "check --dir: it names the folder that `tamga anchor init` made"
	}
	return f
}

// cobraUsage recognises the errors that cobra gives no type: a wrong command or a
// wrong number of arguments.
func cobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "accepts ", "requires at least"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

// What was typed is not repeated, here and below: by one slip it is a document
// number, and what a command says lands in tickets and journals.

// flagSlip says what is wrong with a flag by the flag's own name and type.
func flagSlip(err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s takes a value of type %s", e.GetFlag().Name, e.GetFlag().Value.Type())
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s needs a value", e.GetFlag().Name)
	}
	return errors.New("there is a flag that the command does not have")
}

// argumentSlip keeps of cobra's `unknown command "X" for "tamga verify"` what
// follows X: the command, and which ones are spelled like X.
func argumentSlip(err error) error {
	text := err.Error()
	if at := strings.LastIndex(text, `" for "`); strings.HasPrefix(text, "unknown command") && at >= 0 {
		return errors.New("unknown command or argument" + text[at+1:])
	}
	return err
}

// Nameless drops the name of a file that could not be read.
func Nameless(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
