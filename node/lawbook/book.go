package lawbook

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/node/internal/durable"
)

// Publication is one text of the law and how it came into force.
type Publication struct {
	Number    uint64
	Version   string
	Digest    policy.Digest
	Note      string
	At        time.Time
	Operators []string // IDs of the keys that approved; none for number 0, the file of the configuration
	Approvals []string
	Origin    string // of the ledger that has the entry
	Entry     uint64
	Text      []byte
	Proposal  [32]byte // SHA-256 of the claim that was signed; zero for number 0

	proposal Proposal // what was signed; zero for number 0
}

// wirePublication is a publication's file.
type wirePublication struct {
	Proposal  wireProposal `json:"proposal"`
	Approvals []string     `json:"approvals"`
	At        time.Time    `json:"at"`
	Origin    string       `json:"origin"`
	Entry     uint64       `json:"entry"`
}

// Book is a node's publications, oldest first, number 0 the law of the configuration's file.
type Book struct {
	dir string

	mu  sync.Mutex // guards what follows, and that one publication is made at a time
	all []Publication
}

// Open reads the book in dir; a folder that is not there is an empty book. first is the law of the configuration's file
// and its text: it is in force until something was published, and is kept as number 0 from then on.
func Open(dir string, first *policy.Law, text []byte) (*Book, error) {
	b := &Book{dir: dir, all: []Publication{{Version: first.Version(), Digest: first.Digest(), Text: text}}}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening book of laws: %w", err)
	}
	if kept, err := os.ReadFile(filepath.Join(dir, firstFile)); err == nil {
		law, err := policy.Load(firstFile, kept)
		if err != nil {
			return nil, fmt.Errorf("opening book of laws: %w", err)
		}
		b.all[0] = Publication{Version: law.Version(), Digest: law.Digest(), Text: kept}
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		if f.Name() != fileOf(uint64(len(b.all))) {
			return nil, fmt.Errorf("opening book of laws: %w: publication %d is missing", ErrForged, len(b.all))
		}
		p, err := b.read(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("opening book of laws: %w", err)
		}
		b.all = append(b.all, p)
	}
	return b, nil
}

const (
	firstFile   = "000000.cedar"
	pendingFile = "next.pending" // a publication that may yet have no entry in the ledger
)

func fileOf(number uint64) string { return fmt.Sprintf("%06d.json", number) }

// read reads the next publication, which must follow the last.
func (b *Book) read(path string) (Publication, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return Publication{}, err
	}
	var w wirePublication
	if err := jose.DecodeClaims(src, &w); err != nil {
		return Publication{}, fmt.Errorf("reading publication: %w", err)
	}
	p, err := assemble([]byte(w.Proposal.Claim), []byte(w.Proposal.Law))
	if err != nil {
		return Publication{}, err
	}
	if err := b.follows(p); err != nil {
		return Publication{}, err
	}
	return publication(p, w), nil
}

func publication(p Proposal, w wirePublication) Publication {
	return Publication{Number: p.Number, Version: p.Version, Digest: p.law.Digest(), Note: p.Note, At: w.At, Operators: signers(w.Approvals),
		Approvals: w.Approvals, Origin: w.Origin, Entry: w.Entry, Text: p.Text, Proposal: p.Digest(), proposal: p}
}

// signers are the keys that approvals name, each once.
func signers(approvals []string) (ids []string) {
	for _, token := range approvals {
		if u, err := jose.Parse(token); err == nil && !slices.Contains(ids, u.KeyID()) {
			ids = append(ids, u.KeyID())
		}
	}
	return ids
}

// follows demands that p is about the last of the book.
func (b *Book) follows(p Proposal) error {
	last := b.all[len(b.all)-1]
	if p.Number != last.Number+1 || p.Replaces != hex.EncodeToString(last.Digest[:]) {
		return fmt.Errorf("%w: it would be publication %d, and the next one is %d", ErrStale, p.Number, last.Number+1)
	}
	return nil
}

// Publications lists all, oldest first. The slice is the caller's.
func (b *Book) Publications() []Publication {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// Last is the newest publication: the law in force, when its entry is in the ledger.
func (b *Book) Last() Publication {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[len(b.all)-1]
}

// Recorded makes the entry about a publication in the ledger, durably, and says where it is.
type Recorded func(p Proposal, evidence []byte, operators []string) (origin string, entry uint64, err error)

// Publish puts the proposal into force: approvals by two operators, an entry in the ledger, then the file. It is in force
// when Publish returns, also after a crash; with an error it is not, until [Book.Prove] finds its entry in the ledger.
func (b *Book) Publish(p Proposal, approvals []string, operators []jose.PublicKey, now time.Time, record Recorded) (Publication, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.follows(p); err != nil {
		return Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	signed, err := p.Approvers(approvals, operators)
	if err != nil {
		return Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	evidence, err := p.Evidence(approvals)
	if err != nil {
		return Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	w := wirePublication{Proposal: wireProposal{string(p.raw), string(p.Text)}, Approvals: approvals, At: now.UTC().Truncate(time.Second)}
	// Before the entry: the ledger must never tell of a text that is nowhere.
	if err := b.put(pendingFile, w); err != nil {
		return Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	if w.Origin, w.Entry, err = record(p, evidence, signed); err != nil {
		return Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	return b.take(p, w)
}

// take makes what is in the ledger the newest publication.
func (b *Book) take(p Proposal, w wirePublication) (Publication, error) {
	if p.Number == 1 {
		if err := durable.Replace(filepath.Join(b.dir, firstFile), b.all[0].Text); err != nil {
			return Publication{}, fmt.Errorf("publishing law: %w", err)
		}
	}
	if err := b.put(fileOf(p.Number), w); err != nil {
		return Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	_ = os.Remove(filepath.Join(b.dir, pendingFile)) // one that stays does not follow any more
	out := publication(p, w)
	b.all = append(b.all, out)
	return out, nil
}

func (b *Book) put(name string, w wirePublication) error {
	src, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	return durable.Replace(filepath.Join(b.dir, name), append(src, '\n'))
}
