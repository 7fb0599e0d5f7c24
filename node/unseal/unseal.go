// Package unseal lets custodians open the root key of a node that was started
// sealed.
//
// [Open] makes or finds the node's recipient, an age identity of its own, and the
// shares that were brought before a restart. Custodians seal their shares to
// [Sealed.Recipient] and bring them, one by one, through [Sealed.Add] or the HTTP
// handler of [Sealed.Handler]; once there are enough, [Sealed.Wait] returns the
// root.
//
// What lies on disk meanwhile are at most k-1 shares of k, sealed to the node:
// with the folder they can be read, so a thief of the disk of a half unsealed node
// needs one custodian less for each of them. The k-th share is never written. When
// the root is open, the shares and the identity are destroyed, so that recorded
// shares open nothing the next time.
//
// The handler answers health checks and takes shares, and does nothing else.
package unseal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/internal/durable"
)

// Files of a half unsealed node, in its folder.
const (
	keyFile   = "unseal-key"
	shareGlob = "unseal-share-*.age"
)

// ErrOpened reports a share that comes after the root was opened.
var ErrOpened = errors.New("the root key is open already")

// Sealed is a node whose root key is not open yet. It is safe for concurrent use.
type Sealed struct {
	// Immutable after Open.
	dir, rootFile string
	terms         custody.Custodians
	identity      *age.HybridIdentity
	opened        chan struct{} // Closed when root is set.

	mu        sync.Mutex
	gathering *ceremony.Gathering // Guarded by mu.
	root      custody.Root        // Guarded by mu.
}

// Progress says how far the custodians are.
type Progress struct {
	Ceremony  string   `json:"ceremony"`
	Threshold int      `json:"threshold"`
	Shares    int      `json:"shares"`
	Given     []string `json:"given"` // Names of custodians.
	Missing   int      `json:"missing"`
	Recipient string   `json:"recipient"` // Whom shares are sealed to.
	// Fingerprint is short for the recipient, for people to compare.
	Fingerprint string `json:"fingerprint"`
}

// Open prepares to unseal the node in dir, whose root file is rootFile. It returns
// custody.ErrNoProtector when no custodians hold its key. Shares of an earlier
// start that are not good any more are dropped, and said in dropped.
func Open(dir, rootFile string) (s *Sealed, dropped []string, err error) {
	p, err := custody.Inspect(rootFile)
	if err != nil {
		return nil, nil, fmt.Errorf("preparing to unseal: %w", err)
	}
	if p.Custodians == nil {
		return nil, nil, fmt.Errorf("preparing to unseal: custodians: %w", custody.ErrNoProtector)
	}
	s = &Sealed{dir: dir, rootFile: rootFile, terms: *p.Custodians, opened: make(chan struct{}), gathering: ceremony.Gather(*p.Custodians)}
	if s.identity, err = ownIdentity(filepath.Join(dir, keyFile)); err != nil {
		return nil, nil, fmt.Errorf("preparing to unseal: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, shareGlob))
	if err != nil {
		return nil, nil, fmt.Errorf("preparing to unseal: %w", err)
	}
	for _, file := range files {
		message, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("preparing to unseal: %w", err)
		}
		share, err := ceremony.OpenShare(message, s.identity)
		if err == nil && s.gathering.Missing() > 1 {
			err = s.gathering.Add(share)
		} else if err == nil {
			err = errors.New("as many shares as the node keeps")
		}
		if err != nil {
			dropped = append(dropped, filepath.Base(file))
			if err := os.Remove(file); err != nil {
				return nil, nil, fmt.Errorf("preparing to unseal: %w", err)
			}
		}
	}
	return s, dropped, nil
}

// ownIdentity reads the node's identity, or makes one.
func ownIdentity(file string) (*age.HybridIdentity, error) {
	text, err := os.ReadFile(file)
	if err == nil {
		id, err := age.ParseHybridIdentity(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("%s holds no identity; remove it, and shares brought so far are brought again", filepath.Base(file))
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, err
	}
	return id, writeNew(file, []byte(id.String()+"\n"))
}

// writeNew puts a whole file in its place, flushed.
func writeNew(file string, data []byte) error {
	tmp := file + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, file); err != nil {
		return err
	}
	return durable.Folders(filepath.Dir(file))
}

// Recipient is whom custodians seal their shares to.
func (s *Sealed) Recipient() string { return s.identity.Recipient().String() }

// Recipient returns the recipient of the sealed node in dir, for commands on its
// machine: another program could have taken its port.
func Recipient(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return "", fmt.Errorf("reading the sealed node's recipient: %w", err)
	}
	id, err := age.ParseHybridIdentity(strings.TrimSpace(string(text)))
	if err != nil {
		return "", fmt.Errorf("reading the sealed node's recipient: %s holds no identity", keyFile)
	}
	return id.Recipient().String(), nil
}

// Fingerprint is the first half of the recipient's SHA-256 in hexadecimal groups.
func Fingerprint(recipient string) string {
	sum := sha256.Sum256([]byte(recipient))
	return ceremony.ID([custody.CeremonySize]byte(sum[:custody.CeremonySize]))
}

// Progress says how far the custodians are.
func (s *Sealed) Progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.progressLocked()
}

func (s *Sealed) progressLocked() Progress {
	given := s.gathering.Given()
	if given == nil {
		given = []string{}
	}
	return Progress{Ceremony: ceremony.ID(s.terms.Ceremony), Threshold: s.terms.Threshold, Shares: s.terms.Shares,
		Given: given, Missing: s.gathering.Missing(), Recipient: s.Recipient(), Fingerprint: Fingerprint(s.Recipient())}
}

// Add takes a share that is sealed to the node. When it returns nil the share is
// kept over a restart, or the root is open. A share that is not good is one of the
// errors of crypto/ceremony; [ErrOpened] when the root is open.
func (s *Sealed) Add(message []byte) (Progress, error) {
	share, err := ceremony.OpenShare(message, s.identity)
	if err != nil {
		return Progress{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root.Usable() {
		return Progress{}, ErrOpened
	}
	// The share counts only once it is kept; until then it is tried on a copy.
	next := s.gathering.Clone()
	if err := next.Add(share); err != nil {
		return Progress{}, err
	}
	if next.Missing() > 0 {
		file := strings.Replace(shareGlob, "*", strconv.Itoa(share.Index()), 1)
		if err := writeNew(filepath.Join(s.dir, file), message); err != nil {
			return Progress{}, fmt.Errorf("keeping share: %w", err)
		}
		s.gathering = next
		return s.progressLocked(), nil
	}
	if err := s.openLocked(next); err != nil {
		return Progress{}, err
	}
	s.gathering = next
	return s.progressLocked(), nil
}

func (s *Sealed) openLocked(g *ceremony.Gathering) error {
	key, err := g.Key()
	if err != nil {
		return err
	}
	defer clear(key)
	root, err := custody.OpenShared(s.rootFile, key)
	if err != nil {
		return err
	}
	if err := s.forget(); err != nil {
		root.Wipe()
		return fmt.Errorf("destroying shares: %w", err)
	}
	s.root = root
	close(s.opened)
	return nil
}

// forget destroys what was kept: the identity first, without which the shares
// are noise.
func (s *Sealed) forget() error {
	files, err := filepath.Glob(filepath.Join(s.dir, shareGlob))
	if err != nil {
		return err
	}
	for _, file := range append([]string{filepath.Join(s.dir, keyFile)}, files...) {
		if err := shred(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// shred overwrites a file, where the file system writes in place, and removes it.
func shred(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(make([]byte, info.Size()), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(file))
}

// Wait returns the root once it is open; the caller wipes it.
func (s *Sealed) Wait(ctx context.Context) (custody.Root, error) {
	select {
	case <-ctx.Done():
		return custody.Root{}, ctx.Err()
	case <-s.opened:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.root, nil
	}
}
