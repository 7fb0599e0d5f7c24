package fault

import (
	"errors"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/recovery"
)

func ofBackup(err error) *Failure {
	switch {
	case errors.Is(err, backup.ErrRecipients):
		return &Failure{Exit: ExitUsage, Code: protocol.CodeUsage, Err: err, Hint: "give --recipient twice or more, or --recipients-file; `age-keygen` makes identities"}
	case errors.Is(err, backup.ErrKind):
		return &Failure{Exit: ExitUsage, Code: protocol.CodeUsage, Err: err, Hint: "files *" + backup.BackupEnding + " are backups, and --keys takes the *" + backup.EscrowEnding}
	case errors.Is(err, backup.ErrOccupied):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeExists, Err: err, Hint: "name another file for the key escrow; nothing was written. One that was cut off or altered has to be removed first"}
	case errors.Is(err, backup.ErrExpired):
		return &Failure{Exit: ExitRefused, Code: protocol.CodeBackupExpired, Err: err}
	case errors.Is(err, backup.ErrEarlier):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeEscrow, Err: err}
	case errors.Is(err, backup.ErrDamaged), errors.Is(err, backup.ErrSignature):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeBackup, Err: err}
	case errors.Is(err, backup.ErrIdentity):
		return &Failure{Exit: ExitUnauthorised, Code: protocol.CodeBackup, Err: err, Hint: "give with --identity-file the identity of one of the recipients (of the key escrow: --keys-identity-file); the file may be whole"}
	}
	return nil
}

// OfLawbook classifies what is about a change of the law.
func OfLawbook(err error) *Failure {
	switch {
	case errors.Is(err, lawbook.ErrForged):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeLawBook, Err: err,
			Hint: "keep the folder laws as evidence, and put back the one that the node wrote; the ledger says what was published"}
	case errors.Is(err, lawbook.ErrUnpublished):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeLawBook, Err: err,
			Hint: "put the text back, as law file or in the folder laws, and publish the other one: `tamga policy propose`"}
	case errors.Is(err, lawbook.ErrApproval):
		return &Failure{Exit: ExitUnauthorised, Code: protocol.CodeLawBook, Err: err, Hint: "two different operators of recovery.operators sign it: `tamga policy approve`; the law in force was not changed"}
	case errors.Is(err, lawbook.ErrStale):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeLawBook, Err: err, Hint: "propose it anew: `tamga policy propose`; the law in force was not changed"}
	}
	return nil
}

// ofRecovery classifies what is about a data folder that is not the latest.
func ofRecovery(err error) *Failure {
	switch {
	case errors.Is(err, folder.ErrErasures):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeBackup, Err: err, Hint: "give with --erasures the data/gallery-erasures of the same node, whole and not older than the backup, or name the risk; nothing was made"}
	case errors.Is(err, gap.ErrRecovery):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeRecovery, Err: err}
	case errors.Is(err, ledger.ErrOutdated), errors.Is(err, ledger.ErrForgotten):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeRolledBack, Err: err}
	case errors.Is(err, gap.ErrNotInRecovery):
		return &Failure{Exit: ExitFailure, Code: protocol.CodeRecovery, Err: err, Hint: "start it with `tamga run`; with --checkpoint a newer checkpoint can be shown to it"}
	case errors.Is(err, recovery.ErrAcceptance):
		return &Failure{Exit: ExitUnauthorised, Code: protocol.CodeRecovery, Err: err, Hint: "two different operators of recovery.operators must sign the claim as it is now: `tamga recovery accept`; nothing was changed"}
	case errors.Is(err, recovery.ErrUnknown):
		return &Failure{Exit: ExitIntegrity, Code: protocol.CodeRecovery, Err: err, Hint: "show it with `tamga recovery status --dir DIR --checkpoint FILE`: every receipt that a peer holds has one"}
	}
	return nil
}
