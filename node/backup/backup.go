// Package backup writes a node's data to one encrypted file and its keys to another, and
// makes a folder of both again.
//
// [Create] writes a backup and [CreateEscrow] a key escrow; [Check] and [OpenEscrow] read
// a whole file and believe nothing of it that its signed manifest does not say;
// [Checked.Restore] makes the folder of what they accepted. [Survey] needs no
// identity and says which files are whole, and which backups still open.
//
// A backup holds no key of the node. Its rows are ciphertext under keys that are wrapped
// under KEKs which are in the key escrow alone: the sealed keystore and the root file.
// There is one escrow, written anew when keys change, in the place of the one before. So
// a backup opens as long as its KEKs are kept, and when a KEK is retired (package
// node/keys) and the escrows of before are destroyed, every backup under it is useless
// to whoever has it, everything else of the node included.
//
// Either is an age file (age-encryption.org/v1), encrypted to at least two recipients so
// that one lost identity does not lose it, and a [Label] behind it. Inside is a
// sequence of records, integers big endian:
//
//	backup   = "tamga-backup-2\n" *part manifest
//	escrow   = "tamga-escrow-1\n" *part manifest
//	part     = %x01 length(4) name  *( %x02 length(4) record )
//	manifest = %x03 length(4) JWS of typ "tamga-backup+jwt" or "tamga-escrow+jwt"
//
// The parts of a backup, in this order: "gallery", a record for each row of the store
// (length of the key (2), key, value); for each ledger of the node NAME".checkpoint", its
// signed checkpoint, and NAME, a record for each leaf; for each file of the folder
// "file/"NAME, one record. An escrow has files only. The manifest gives every part's
// count, length and SHA-256 over its records with their lengths, the ledgers' sizes and
// roots, the number of subjects, and the generations of keys that are needed or held; it
// is signed by the node's federation key.
//
// What is in an escrow is sealed: the keystore under the root key, the root key under its
// protectors. The API tokens are left out; a node that finds none writes them anew.
//
// Invariants:
//
//   - nothing in a backup opens a row of it;
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
	"os"
	"regexp"
	"strings"
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
	ErrSignature = errors.New("not signed by the node's federation key")
	// ErrRecipients: fewer than two different recipients, or not recipients of age.
	ErrRecipients = errors.New("a backup needs at least two different age recipients")
	// ErrChanged: the configuration was changed while the backup was written, or keys
	// that it needs were destroyed.
	ErrChanged = errors.New("keys or configuration changed while the backup was written; run it again")
	// ErrKind: a backup was given for a key escrow, or a key escrow for a backup.
	ErrKind = errors.New("the file is of another kind")
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

// magic begins what is inside a file of the kind.
func (k Kind) magic() string {
	if k == KindEscrow {
		return "tamga-escrow-1\n"
	}
	return "tamga-backup-2\n"
}

// manifestType is the typ of its manifest.
func (k Kind) manifestType() string {
	if k == KindEscrow {
		return "tamga-escrow+jwt"
	}
	return "tamga-backup+jwt"
}

const (
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

// Manifest says what is in a backup or a key escrow.
type Manifest struct {
	EntityID     string    `json:"entity_id"`
	Jurisdiction string    `json:"jurisdiction"`
	Created      time.Time `json:"created"`
	Keys         Keys      `json:"keys"` // that a backup needs, or an escrow holds
	Subjects     uint64    `json:"subjects,omitempty"`
	Ledgers      []Ledger  `json:"ledgers,omitempty"` // the current one last
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

// ReadRecipients reads the recipients in a file, one a line, # for comments. They are not
// looked at: see [ParseRecipients].
func ReadRecipients(file string) (texts []string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading recipients: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			texts = append(texts, line)
		}
	}
	return texts, nil
}

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
