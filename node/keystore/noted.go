package keystore

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keys"
)

// Beside the checkpoint file, outside of the node's folder, a file says which generations
// of its keys the node has used last. So a keystore that is put back is noticed even where
// nothing that the node keeps is under the newer keys: a signing key that was replaced
// because it was stolen does not come back unseen.

var (
	// ErrOlder: the node has used a newer keystore than this one.
	ErrOlder = errors.New("the keystore is an older one than the node has used")
	// ErrNoted: the file that says which keys were used is not what the node wrote.
	ErrNoted = errors.New("it was edited, or is of another node")
)

const labelNoted = "tamga/v1/keys-noted"

// noted is the file: for each family the oldest generation and the current one, and an
// HMAC-SHA-256 over that, under a key that no rotation replaces.
type noted struct {
	Keys map[keys.Family][2]uint32 `json:"keys"`
	MAC  []byte                    `json:"mac"`
}

// NotedFile is the file of the node of this configuration, empty when it keeps none.
func NotedFile(cfg config.Config) string {
	if cfg.Recovery.CheckpointFile == "" {
		return ""
	}
	return filepath.Clean(cfg.Recovery.CheckpointFile) + "-keys"
}

// Note makes sure that k is no older than what the file says, and has it say what k is:
// [ErrOlder], [ErrNoted]. A file that is not there is begun.
func (k Set) Note(cfg config.Config) error { return k.note(NotedFile(cfg), true) }

// NoteAnew has the file say what k is, whatever it said: for a recovery in which two
// operators have accepted what is lost.
func (k Set) NoteAnew(cfg config.Config) error { return k.note(NotedFile(cfg), false) }

func (k Set) note(file string, compare bool) error {
	if file == "" {
		return nil
	}
	was, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading which keys were used: %w", err)
	}
	next := noted{Keys: make(map[keys.Family][2]uint32)}
	if err == nil && compare {
		if next, err = k.readNoted(was); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(k.Families)) {
		if f == keys.Pseudonym {
			continue // the gallery says which it needs, and it may lie apart
		}
		now, before := k.Families[f], next.Keys[f]
		if now.Oldest < before[0] || now.Current < before[1] {
			return fmt.Errorf("%w: it has generations %d to %d of %s, and %d to %d were used", ErrOlder, now.Oldest, now.Current, f, before[0], before[1])
		}
		next.Keys[f] = [2]uint32{now.Oldest, now.Current}
	}
	if next.MAC, err = k.notedMAC(next.Keys); err != nil {
		return err
	}
	b, err := json.Marshal(next)
	if err != nil || bytes.Equal(b, was) {
		return err
	}
	if err := custody.WriteFile(file, b); err != nil && !errors.Is(err, custody.ErrBusy) { // who is at it notes the same, or a later one
		return fmt.Errorf("noting which keys are used: %w", err)
	}
	return nil
}

func (k Set) readNoted(b []byte) (n noted, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil || n.Keys == nil {
		return n, ErrNoted
	}
	mac, err := k.notedMAC(n.Keys)
	if err == nil && !hmac.Equal(mac, n.MAC) {
		err = ErrNoted
	}
	return n, err
}

func (k Set) notedMAC(of map[keys.Family][2]uint32) ([]byte, error) {
	b, err := json.Marshal(of) // in the order of the families
	if err != nil {
		return nil, err
	}
	key := k.Gallery.Derive(labelNoted)
	defer clear(key[:])
	mac := hmac.New(sha256.New, key[:])
	mac.Write(b)
	return mac.Sum(nil), nil
}
