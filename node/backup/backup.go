// Package backup writes a node's state to one encrypted stream and makes a folder of
// it again.
//
// [Create] writes, [Check] reads a whole file and believes nothing of it that its
// signed manifest does not say, [Restore] makes the folder of what Check accepted.
//
// A backup is an age file (age-encryption.org/v1), encrypted to at least two
// recipients so that one lost identity does not lose it. Inside is a sequence of
// records, integers big endian:
//
//	backup   = "tamga-backup-1\n" *part manifest
//	part     = %x01 length(4) name  *( %x02 length(4) record )
//	manifest = %x03 length(4) JWS of typ "tamga-backup+jwt"
//
// The parts, in this order: "gallery", a record for each row of the store (length of
// the key (2), key, value); for each ledger of the node NAME".checkpoint", its signed
// checkpoint, and NAME, a record for each leaf; for each file of the folder
// "file/"NAME, one record. The manifest gives every part's count, length and SHA-256
// over its records with their lengths, the ledgers' sizes and roots and the number of
// subjects, and is signed by the node's federation key.
//
// What is in a backup is what a thief of the disk has: rows are ciphertext under keys
// of the keystore, the keystore is sealed under the root key, the root key under its
// protectors. The API tokens are left out; a node that finds none writes them anew.
//
// Invariants:
//
//   - gallery rows are those of one moment, and every enrolment in them has its entry
//     in the ledger, whose checkpoint is taken afterwards;
//   - a stream that was cut, at whatever place, has no manifest and is refused;
//   - memory use does not depend on the number of people;
//   - Restore writes nothing before all of the file has passed Check, and never into
//     a folder that exists.
//
// It does not keep a restored ledger from being written to: that is node's recovery.
package backup

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"filippo.io/age"
)

// Errors to branch on.
var (
	// ErrDamaged: the file is not a whole backup as it was written. Errors that match
	// it name the part. See [PartError].
	ErrDamaged = errors.New("the backup is damaged")
	// ErrIdentity: none of the identities opens the file.
	ErrIdentity = errors.New("no identity given opens the backup")
	// ErrSignature: the manifest is not signed by the node it names.
	ErrSignature = errors.New("the backup's manifest is not signed by the node's federation key")
	// ErrRecipients: fewer than two different recipients, or not recipients of age.
	ErrRecipients = errors.New("a backup needs at least two different age recipients")
	// ErrChanged: keys or configuration were changed while the backup was written.
	ErrChanged = errors.New("keys or configuration changed while the backup was written; run it again")
)

// PartError says in which part of a backup something is wrong.
type PartError struct {
	Part string // of the package comment, or "header" or "manifest"
	Rule string
}

// Error names part and rule.
func (e *PartError) Error() string { return fmt.Sprintf("%v: %s: %s", ErrDamaged, e.Part, e.Rule) }

// Is makes errors.Is(err, ErrDamaged) work.
func (e *PartError) Is(target error) bool { return target == ErrDamaged }

func damaged(part, format string, args ...any) error {
	return &PartError{Part: part, Rule: fmt.Sprintf(format, args...)}
}

// manifestType is the typ of a manifest.
const manifestType = "tamga-backup+jwt"

const (
	magic = "tamga-backup-1\n"

	kindPart     = 1
	kindRecord   = 2
	kindManifest = 3

	// maxRecord bounds what one record makes a reader allocate: far above the largest
	// row of a gallery.
	maxRecord   = 4 << 20
	maxParts    = 256
	partGallery = "gallery"
	filePrefix  = "file/"
	suffixHead  = ".checkpoint"
	// minRecipients: with one, the person who holds the identity is the only copy.
	minRecipients = 2
	maxRecipients = 32
)

// Manifest says what is in a backup.
type Manifest struct {
	EntityID     string    `json:"entity_id"`
	Jurisdiction string    `json:"jurisdiction"`
	Created      time.Time `json:"created"`
	Subjects     uint64    `json:"subjects"`
	Ledgers      []Ledger  `json:"ledgers"` // the current one last
	Parts        []Part    `json:"parts"`
}

// Ledger is one ledger in a backup.
type Ledger struct {
	Name   string `json:"name"` // of its part, and of its folder
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   []byte `json:"root"`
}

// Part is one part of a backup.
type Part struct {
	Name    string `json:"name"`
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`
	SHA256  []byte `json:"sha256"`
}

// Ledger returns the current ledger, the zero value for none.
func (m Manifest) Ledger() Ledger {
	if len(m.Ledgers) == 0 {
		return Ledger{}
	}
	return m.Ledgers[len(m.Ledgers)-1]
}

var (
	fileName   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	ledgerName = regexp.MustCompile(`^ledger(-[0-9]{1,4})?$`)
)

// ParseRecipients reads age recipients, classic (age1...) or post-quantum (age1pq1...):
// at least two, all different, of one kind, else [ErrRecipients].
func ParseRecipients(texts []string) ([]age.Recipient, error) {
	if len(texts) < minRecipients || len(texts) > maxRecipients {
		return nil, ErrRecipients
	}
	var out []age.Recipient
	known := make(map[string]bool)
	for i, text := range texts {
		if known[text] {
			return nil, fmt.Errorf("%w: number %d is there twice", ErrRecipients, i+1)
		}
		known[text] = true
		var r age.Recipient
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			r, err = age.ParseHybridRecipient(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: number %d is none", ErrRecipients, i+1)
		}
		out = append(out, r)
	}
	return out, nil
}
