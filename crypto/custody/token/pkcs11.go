//go:build pkcs11

package token

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/tamga-id/tamga/crypto/custody"
)

const (
	nonceSize = 12
	tagBits   = 128
	keySize   = 32
)

// Token is a key in a token, logged in to. It is not safe for concurrent use;
// Close it. One process opens one module once at a time.
type Token struct {
	ctx     *pkcs11.Ctx
	session pkcs11.SessionHandle
	key     pkcs11.ObjectHandle
}

var _ custody.Wrapper = (*Token)(nil)

// Open logs in to the token and finds the key, or makes it. What does not work is
// [ErrToken]; the library's own codes are in the text.
func Open(cfg Config) (*Token, error) {
	ctx := pkcs11.New(cfg.Module)
	if ctx == nil {
		return nil, fmt.Errorf("opening token: loading module: %w", ErrToken)
	}
	if err := ctx.Initialize(); err != nil {
		ctx.Destroy()
		return nil, fmt.Errorf("opening token: %w: %v", ErrToken, err)
	}
	t := &Token{ctx: ctx}
	if err := t.login(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("opening token: %w", err), t.Close())
	}
	return t, nil
}

func (t *Token) login(cfg Config) error {
	slot, err := t.slot(cfg.Token)
	if err != nil {
		return err
	}
	if t.session, err = t.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION); err != nil {
		return fmt.Errorf("%w: %v", ErrToken, err)
	}
	if err := t.ctx.Login(t.session, pkcs11.CKU_USER, string(cfg.PIN)); err != nil {
		return fmt.Errorf("logging in: %w: %v", ErrToken, err)
	}
	err = t.find(cfg.Key)
	if errors.Is(err, errNoKey) && cfg.Make {
		if err := t.make(cfg.Key); err != nil {
			return err
		}
		err = t.find(cfg.Key)
	}
	return err
}

func (t *Token) slot(label string) (uint, error) {
	slots, err := t.ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("%w: %v", ErrToken, err)
	}
	var found []uint
	for _, s := range slots {
		if info, err := t.ctx.GetTokenInfo(s); err == nil && info.Label == label {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d tokens have that label: %w", len(found), ErrToken)
	}
	return found[0], nil
}

var errNoKey = fmt.Errorf("no such key: %w", ErrToken)

// find looks the key up and makes sure that it cannot leave the token.
func (t *Token) find(label string) error {
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
	}
	if err := t.ctx.FindObjectsInit(t.session, template); err != nil {
		return fmt.Errorf("%w: %v", ErrToken, err)
	}
	keys, _, err := t.ctx.FindObjects(t.session, 2)
	if err = errors.Join(err, t.ctx.FindObjectsFinal(t.session)); err != nil {
		return fmt.Errorf("%w: %v", ErrToken, err)
	}
	switch len(keys) {
	case 0:
		return errNoKey
	case 1:
	default:
		return fmt.Errorf("several keys have that label: %w", ErrToken)
	}
	attributes, err := t.ctx.GetAttributeValue(t.session, keys[0], []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil),
	})
	if err != nil || len(attributes) != 2 {
		return fmt.Errorf("reading key's attributes: %w: %v", ErrToken, err)
	}
	if !truth(attributes[0].Value) || truth(attributes[1].Value) {
		return fmt.Errorf("the key can leave the token: %w", ErrToken)
	}
	t.key = keys[0]
	return nil
}

func truth(b []byte) bool { return len(b) == 1 && b[0] != 0 }

func (t *Token) make(label string) error {
	_, err := t.ctx.GenerateKey(t.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, keySize),
	})
	if err != nil {
		return fmt.Errorf("making key: %w: %v", ErrToken, err)
	}
	return nil
}

// Seal implements custody.Wrapper: nonce (12) || ciphertext || tag (16).
func (t *Token) Seal(aad, plaintext []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	params := pkcs11.NewGCMParams(nonce, aad, tagBits)
	defer params.Free()
	if err := t.ctx.EncryptInit(t.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, t.key); err != nil {
		return nil, fmt.Errorf("sealing in the token: %w: %v", ErrToken, err)
	}
	sealed, err := t.ctx.Encrypt(t.session, plaintext)
	if err != nil {
		return nil, fmt.Errorf("sealing in the token: %w: %v", ErrToken, err)
	}
	// Some tokens choose the nonce themselves (FIPS 140-2 IG A.5).
	used := params.IV()
	if len(used) != nonceSize {
		return nil, fmt.Errorf("sealing in the token: nonce of %d bytes: %w", len(used), ErrToken)
	}
	return append(append([]byte(nil), used...), sealed...), nil
}

// Open implements custody.Wrapper.
func (t *Token) Open(aad, sealed []byte) ([]byte, error) {
	if len(sealed) < nonceSize {
		return nil, fmt.Errorf("opening in the token: too short: %w", ErrToken)
	}
	params := pkcs11.NewGCMParams(sealed[:nonceSize], aad, tagBits)
	defer params.Free()
	if err := t.ctx.DecryptInit(t.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, t.key); err != nil {
		return nil, fmt.Errorf("opening in the token: %w: %v", ErrToken, err)
	}
	plain, err := t.ctx.Decrypt(t.session, sealed[nonceSize:])
	if err != nil {
		return nil, fmt.Errorf("opening in the token: %w: %v", ErrToken, err)
	}
	return plain, nil
}

// Close logs out and unloads the module.
func (t *Token) Close() error {
	if t.session != 0 {
		_ = t.ctx.Logout(t.session)
		_ = t.ctx.CloseSession(t.session)
	}
	err := t.ctx.Finalize()
	t.ctx.Destroy()
	if err != nil {
		return fmt.Errorf("closing token: %v", err)
	}
	return nil
}
