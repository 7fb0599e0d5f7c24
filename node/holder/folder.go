package holder

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/internal/durable"
)

// Files of a holder's folder. The root file is named as a node's, so that what changes a
// node's custody changes a holder's.
const (
	RootFile      = "root.json"
	keystoreFile  = "keystore.json"
	CardFile      = "card.json"
	CommitteeFile = "committee.json"
)

// Names of the secrets in the keystore.
const (
	secretTLS      = "tls-key"
	secretIdentity = "identity"
	secretShare    = "share"
)

const labelDealing = "tamga/v1/holder-dealing\x00"

// Make makes a holder's folder, which must hold none yet, and returns its card.
func Make(dir, name, address string, p custody.Protector) (Card, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return Card{}, fmt.Errorf("making holder: %w", err)
	}
	defer clear(seed)
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		return Card{}, fmt.Errorf("making holder: %w", err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	c := Card{Format: formatCard, Name: name, Address: address, Key: key.Public().(ed25519.PublicKey), Recipient: identity.Recipient().String()}
	if err := c.validate(); err != nil {
		return Card{}, fmt.Errorf("making holder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Card{}, fmt.Errorf("making holder: %w", err)
	}
	root, err := custody.Create(filepath.Join(dir, RootFile), p)
	if err != nil {
		return Card{}, fmt.Errorf("making holder: %w", err)
	}
	defer root.Wipe()
	err = custody.CreateKeystore(filepath.Join(dir, keystoreFile), root, map[string][]byte{secretTLS: seed, secretIdentity: []byte(identity.String())})
	if err == nil {
		err = writeNew(filepath.Join(dir, CardFile), c.Encode())
	}
	if err != nil {
		return Card{}, fmt.Errorf("making holder: %w", err)
	}
	return c, nil
}

// Folder is a holder's folder, open.
type Folder struct {
	dir      string
	root     custody.Root
	card     Card
	tls      ed25519.PrivateKey
	identity *age.HybridIdentity
	share    []byte // nil before Join
	before   []byte // the share before, nil when there is none
	key      func(of []byte) (share, error)
}

// OpenFolder opens a holder's folder with its root key, of which it keeps a copy until Close.
func OpenFolder(dir string, root custody.Root) (*Folder, error) {
	store, err := custody.OpenKeystore(filepath.Join(dir, keystoreFile), root)
	if err != nil {
		return nil, fmt.Errorf("opening holder: %w", err)
	}
	f := &Folder{dir: dir}
	f.key = func(of []byte) (share, error) {
		k, err := pseudonym.NewShare(of)
		return ownShare{k}, err
	}
	seed, err := store.Secret(secretTLS)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("opening holder: %w", errors.Join(err, custody.ErrNoSecret))
	}
	f.tls = ed25519.NewKeyFromSeed(seed)
	text, err := store.Secret(secretIdentity)
	if err != nil {
		return nil, fmt.Errorf("opening holder: %w", err)
	}
	if f.identity, err = age.ParseHybridIdentity(string(text)); err != nil {
		return nil, fmt.Errorf("opening holder: identity: %w", ErrFormat)
	}
	if err := f.readShares(store); err != nil {
		return nil, fmt.Errorf("opening holder: %w", err)
	}
	b, err := custody.ReadFile(filepath.Join(dir, CardFile))
	if err == nil {
		f.card, err = ParseCard(b)
	}
	if err == nil && !bytes.Equal(f.card.Key, f.tls.Public().(ed25519.PublicKey)) {
		err = ErrForeign
	}
	if err == nil {
		f.root, err = root.Clone()
	}
	if err != nil {
		return nil, fmt.Errorf("opening holder: %w", err)
	}
	return f, nil
}

// readShares takes the shares that there are.
func (f *Folder) readShares(store custody.Keystore) error {
	for name, to := range map[string]*[]byte{secretShare: &f.share, secretBefore: &f.before} {
		b, err := store.Secret(name)
		if err != nil && !errors.Is(err, custody.ErrNoSecret) {
			return err
		}
		*to = b
	}
	return nil
}

// Close wipes what can be.
func (f *Folder) Close() {
	f.root.Wipe()
	clear(f.tls)
	clear(f.share)
	clear(f.before)
}

// Card is the holder's own.
func (f *Folder) Card() Card { return f.card }

// Dealing is what one holder deals to all, itself included. It may lie open: each share is
// sealed to its holder.
type Dealing struct {
	Format      string   `json:"format"`
	Dealer      string   `json:"dealer"` // name
	Cards       []Card   `json:"cards"`  // of all holders, by name
	Commitments [][]byte `json:"commitments"`
	Sealed      []string `json:"sealed"` // armored age, in the order of cards
	Signature   []byte   `json:"signature"`
}

// signed is what the signature is over.
func (d Dealing) signed() []byte {
	d.Signature = nil
	return append([]byte(labelDealing), encode(d)...)
}

// Encode gives the bytes of the file.
func (d Dealing) Encode() []byte { return encode(d) }

// ParseDealing reads a dealing and verifies its signature: [ErrFormat], [ErrForeign] or
// [ErrSignature].
func ParseDealing(b []byte) (Dealing, error) {
	var d Dealing
	if err := decode(b, &d); err != nil {
		return Dealing{}, fmt.Errorf("reading dealing: %w", err)
	}
	n := len(d.Cards)
	if d.Format != formatDealing || n < 2 || n > pseudonym.MaxHolders || len(d.Sealed) != n || len(d.Commitments) < 2 || len(d.Commitments) > n {
		return Dealing{}, fmt.Errorf("reading dealing: %w", ErrFormat)
	}
	cards, err := sorted(d.Cards)
	if err != nil {
		return Dealing{}, fmt.Errorf("reading dealing: %w", err)
	}
	if !slices.EqualFunc(cards, d.Cards, sameCard) {
		return Dealing{}, fmt.Errorf("reading dealing: cards out of order: %w", ErrFormat)
	}
	at := index(d.Cards, d.Dealer)
	if at < 0 || !ed25519.Verify(d.Cards[at].Key, d.signed(), d.Signature) {
		return Dealing{}, fmt.Errorf("reading dealing: %w", ErrSignature)
	}
	return d, nil
}

func sameCard(a, b Card) bool { return bytes.Equal(a.Encode(), b.Encode()) }

func index(cards []Card, name string) int {
	return slices.IndexFunc(cards, func(c Card) bool { return c.Name == name })
}

// Deal deals shares to the holders of the cards, of whom this is one, any threshold of
// whom are to evaluate. Deal once: all must join with the same dealing.
func (f *Folder) Deal(threshold int, cards []Card) (Dealing, error) {
	if f.share != nil {
		return Dealing{}, fmt.Errorf("dealing: %w", ErrJoined)
	}
	all, err := sorted(cards)
	if err != nil {
		return Dealing{}, fmt.Errorf("dealing: %w", err)
	}
	if at := index(all, f.card.Name); at < 0 || !sameCard(all[at], f.card) {
		return Dealing{}, fmt.Errorf("dealing: this holder's own card is not among the cards: %w", ErrForeign)
	}
	commitments, shares, err := pseudonym.Deal(threshold, len(all))
	if err != nil {
		return Dealing{}, fmt.Errorf("dealing: %w", err)
	}
	d := Dealing{Format: formatDealing, Dealer: f.card.Name, Cards: all, Commitments: commitments}
	for i, share := range shares {
		sealed, err := seal(all[i].Recipient, share)
		clear(share)
		if err != nil {
			return Dealing{}, fmt.Errorf("dealing: %w", err)
		}
		d.Sealed = append(d.Sealed, sealed)
	}
	d.Signature = ed25519.Sign(f.tls, d.signed())
	return d, nil
}

func seal(to string, share []byte) (string, error) {
	r, err := age.ParseHybridRecipient(to)
	if err != nil {
		return "", ErrFormat
	}
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, r)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(share); err != nil {
		return "", err
	}
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		return "", err
	}
	return out.String(), nil
}

func (f *Folder) unseal(text string) ([]byte, error) {
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader([]byte(text))), f.identity)
	if err != nil {
		return nil, ErrForeign
	}
	b, err := io.ReadAll(io.LimitReader(r, pseudonym.SeedSize+1))
	if err != nil || len(b) != pseudonym.SeedSize {
		return nil, ErrFormat
	}
	return b, nil
}

// Join puts together what all holders dealt to this one, keeps the share, and writes the
// committee. It says who dealt something wrong. Doing it again with the same dealings
// changes nothing; with others it is [ErrJoined].
func (f *Folder) Join(dealings []Dealing) (Committee, error) {
	c, share, err := f.join(dealings)
	if err != nil {
		return Committee{}, fmt.Errorf("joining: %w", err)
	}
	if f.share != nil && !bytes.Equal(f.share, share) {
		return Committee{}, fmt.Errorf("joining: %w", ErrJoined)
	}
	err = custody.UpdateKeystore(filepath.Join(f.dir, keystoreFile), f.root, func(secrets map[string][]byte) error {
		if was, ok := secrets[secretShare]; ok && !bytes.Equal(was, share) {
			return ErrJoined
		}
		secrets[secretShare] = bytes.Clone(share)
		return nil
	})
	if err == nil {
		f.share = share
		err = f.writeCommittee(c)
	}
	if err != nil {
		return Committee{}, fmt.Errorf("joining: %w", err)
	}
	return c, nil
}

func (f *Folder) join(dealings []Dealing) (Committee, []byte, error) {
	if len(dealings) == 0 || len(dealings) != len(dealings[0].Cards) {
		return Committee{}, nil, fmt.Errorf("there must be one dealing of each holder: %w", ErrForeign)
	}
	cards := dealings[0].Cards
	own := index(cards, f.card.Name)
	if own < 0 || !sameCard(cards[own], f.card) {
		return Committee{}, nil, fmt.Errorf("this holder's own card is not among the cards: %w", ErrForeign)
	}
	all, shares := make([]pseudonym.Dealing, len(cards)), make([][]byte, len(cards))
	for _, d := range dealings {
		at := index(cards, d.Dealer)
		if at < 0 || all[at] != nil || !slices.EqualFunc(d.Cards, cards, sameCard) {
			return Committee{}, nil, fmt.Errorf("dealing of %s: dealt twice, or to others: %w", d.Dealer, ErrForeign)
		}
		share, err := f.unseal(d.Sealed[own])
		if err != nil {
			return Committee{}, nil, fmt.Errorf("dealing of %s: %w", d.Dealer, err)
		}
		all[at], shares[at] = d.Commitments, share
	}
	share, t, err := pseudonym.Join(own+1, all, shares)
	if e, ok := errors.AsType[*pseudonym.HolderError](err); ok {
		err = fmt.Errorf("dealing of %s: %w", cards[e.Holder-1].Name, e.Err)
	}
	if err != nil {
		return Committee{}, nil, err
	}
	c := Committee{Format: formatCommittee, Threshold: t.Threshold}
	for i, card := range cards {
		c.Holders = append(c.Holders, Member{card.Name, card.Address, card.Key, t.Holders[i].Bytes(), card.Recipient})
	}
	return c, share, nil
}

// Committee is what Join wrote: [ErrNotJoined] before.
func (f *Folder) Committee() (Committee, error) {
	b, err := custody.ReadFile(filepath.Join(f.dir, CommitteeFile))
	if f.share == nil || errors.Is(err, fs.ErrNotExist) {
		return Committee{}, ErrNotJoined
	}
	if err != nil {
		return Committee{}, fmt.Errorf("reading committee: %w", err)
	}
	return ParseCommittee(b)
}

func writeNew(path string, b []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return durable.Folders(filepath.Dir(path))
}
