package peerid_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

const entity = "https://tamga.kaz.example"

func seed(i byte) []byte { return bytes.Repeat([]byte{i}, ed25519.SeedSize) }

func key(t testing.TB, i byte) jose.PublicKey {
	t.Helper()
	k, err := jose.NewPrivateKey(seed(i))
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

// libp2pID is the ID that libp2p itself gives the key.
func libp2pID(t testing.TB, public []byte) string {
	t.Helper()
	k, err := crypto.UnmarshalEd25519PublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// TestSpecification is the example of libp2p/specs, peer-ids/peer-ids.md: the Ed25519 public key and what its ID begins with.
func TestSpecification(t *testing.T) {
	raw, err := hex.DecodeString("1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
	if err != nil {
		t.Fatal(err)
	}
	k, err := jose.NewPublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := peerid.Of(k), libp2pID(t, raw); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if peerid.Of(jose.PublicKey{}) != "" {
		t.Error("no key has a peer ID")
	}
}

func TestAgreesWithLibp2p(t *testing.T) {
	for i := range byte(200) {
		k := key(t, i)
		id := peerid.Of(k)
		if want := libp2pID(t, k.Bytes()); id != want {
			t.Fatalf("key %d: got %s, want %s", i, id, want)
		}
		if got, err := peerid.Parse(id); err != nil || !got.Equal(k) {
			t.Fatalf("key %d: got error %v", i, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := peerid.Of(key(t, 1))
	decoded, err := peer.Decode(good)
	if err != nil {
		t.Fatal(err)
	}
	_, rsa, err := crypto.GenerateKeyPair(crypto.Secp256k1, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := peer.IDFromPublicKey(rsa)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{
		"empty": "", "short": good[:51], "long": good + "1", "padded": "1" + good, "leading-one": "11" + good[2:], "no-leading-one": "2" + good[1:],
		"space": good[:51] + " ", "zero-digit": good[:51] + "0", "capital-o": good[:51] + "O", "capital-i": good[:51] + "I", "small-l": good[:51] + "l",
		"newline": good[:51] + "\n", "not-ascii": good[:50] + "é", "overflow": "1" + strings.Repeat("z", 51), "zeros": strings.Repeat("1", 52),
		"cid": peer.ToCid(decoded).String(), "secp256k1": other.String(), "hashed": "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
		// y = 0, of order 4, under which one signature fits every second message; and y = p, the same point written otherwise.
		"small-order":   libp2pID(t, make([]byte, 32)),
		"not-canonical": libp2pID(t, append(append([]byte{0xed}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)),
	} {
		t.Run(name, func(t *testing.T) {
			k, err := peerid.Parse(id)
			if err == nil || !k.IsZero() {
				t.Fatal("accepted")
			}
			if id != "" && strings.Contains(err.Error(), id) {
				t.Errorf("the error quotes the input: %v", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for i := range byte(4) {
		f.Add(peerid.Of(key(f, i)))
	}
	f.Add(strings.Repeat("1", peerid.Size))
	f.Add("1" + strings.Repeat("z", peerid.Size-1))
	f.Add("12D3KooWmadeup")
	f.Fuzz(func(t *testing.T, id string) {
		k, err := peerid.Parse(id)
		if err != nil {
			if !k.IsZero() {
				t.Fatal("a key beside an error")
			}
			return
		}
		if peerid.Of(k) != id {
			t.Fatal("another text is read as the same key")
		}
		if p, err := peer.Decode(id); err != nil || p.String() != id || libp2pID(t, k.Bytes()) != id {
			t.Fatalf("libp2p reads another ID: %v", err)
		}
	})
}

// TestMessage makes the signed message from the text of PROTOCOL.md, TMG-E-014.
func TestMessage(t *testing.T) {
	federation := key(t, 9)
	proofs, err := peerid.Prove(entity, federation, seed(1), seed(2))
	if err != nil || len(proofs) != 2 {
		t.Fatalf("%d proofs, error %v", len(proofs), err)
	}
	message := "tamga/v1/peer-id" + "\x00\x19" + "https://tamga.kaz.example" + "\x00\x2b" + federation.KeyID()
	for i := range byte(2) {
		public := key(t, 1+i)
		id, err := peer.Decode(peerid.Of(public))
		if err != nil {
			t.Fatal(err)
		}
		of, err := id.ExtractPublicKey()
		if err != nil {
			t.Fatal(err)
		}
		proof := proofs[peerid.Of(public)]
		if ok, err := of.Verify([]byte(message), proof[:]); !ok || err != nil {
			t.Errorf("libp2p's own key does not verify it: %v", err)
		}
	}
}

func TestVerify(t *testing.T) {
	federation, other := key(t, 9), key(t, 8)
	id, another := peerid.Of(key(t, 1)), peerid.Of(key(t, 2))
	proofs, err := peerid.Prove(entity, federation, seed(1))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 2049)
	for _, tc := range []struct {
		name, id, entity, kid string
		want                  error
	}{
		{"good", id, entity, federation.KeyID(), nil},
		{"another-entity", id, entity + "/", federation.KeyID(), peerid.ErrProof},
		{"another-federation-key", id, entity, other.KeyID(), peerid.ErrProof},
		{"another-peer-id", another, entity, federation.KeyID(), peerid.ErrNone},
		{"boundary-moved", id, entity + federation.KeyID()[:1], federation.KeyID()[1:], peerid.ErrProof},
		{"no-entity", id, "", federation.KeyID(), peerid.ErrProof},
		{"no-federation-key", id, entity, "", peerid.ErrProof},
		{"long-entity", id, long, federation.KeyID(), peerid.ErrProof},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := proofs.Verify(tc.id, tc.entity, tc.kid); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	moved := peerid.Proofs{another: proofs[id]}
	if err := moved.Verify(another, entity, federation.KeyID()); !errors.Is(err, peerid.ErrProof) {
		t.Errorf("one key's proof beside another's ID: %v", err)
	}
	if err := proofs.Verify("12D3KooWKAZ", entity, federation.KeyID()); err == nil {
		t.Error("no peer ID is proved")
	}
	if err := peerid.Proofs(nil).Verify(id, entity, federation.KeyID()); !errors.Is(err, peerid.ErrNone) {
		t.Errorf("nil proofs: %v", err)
	}
	for i := range ed25519.SignatureSize * 8 {
		p := proofs[id]
		p[i/8] ^= 1 << (i % 8)
		if err := (peerid.Proofs{id: p}).Verify(id, entity, federation.KeyID()); !errors.Is(err, peerid.ErrProof) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
}

func TestProveRefuses(t *testing.T) {
	federation := key(t, 9)
	for name, prove := range map[string]func() (peerid.Proofs, error){
		"no-entity":         func() (peerid.Proofs, error) { return peerid.Prove("", federation, seed(1)) },
		"long-entity":       func() (peerid.Proofs, error) { return peerid.Prove(strings.Repeat("a", 2049), federation, seed(1)) },
		"no-federation-key": func() (peerid.Proofs, error) { return peerid.Prove(entity, jose.PublicKey{}, seed(1)) },
		"short-seed":        func() (peerid.Proofs, error) { return peerid.Prove(entity, federation, seed(1)[1:]) },
	} {
		if proofs, err := prove(); err == nil || proofs != nil {
			t.Errorf("%s: %d proofs, error %v", name, len(proofs), err)
		}
	}
}

func TestProofText(t *testing.T) {
	proofs, err := peerid.Prove(entity, key(t, 9), seed(1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(proofs)
	if err != nil {
		t.Fatal(err)
	}
	id := peerid.Of(key(t, 1))
	p := proofs[id]
	if want := fmt.Sprintf(`{"%s":"%s"}`, id, base64.RawURLEncoding.EncodeToString(p[:])); string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	var again peerid.Proofs
	if err := json.Unmarshal(b, &again); err != nil || again[id] != p {
		t.Errorf("read again: %v", err)
	}
	good, _ := p.MarshalText()
	for name, text := range map[string]string{
		"empty": "", "short": string(good[:85]), "padded": string(good) + "==", "standard-alphabet": "+" + string(good[1:]),
		"newline": "\n" + string(good[1:]), "newline-behind": string(good) + "\n", "unused-bits": strings.Repeat("A", 85) + "B",
	} {
		var p peerid.Proof
		if err := p.UnmarshalText([]byte(text)); err == nil || p != (peerid.Proof{}) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzProof(f *testing.F) {
	f.Add([]byte(strings.Repeat("A", 86)))
	f.Add([]byte(strings.Repeat("A", 85) + "B"))
	f.Add([]byte("\n" + strings.Repeat("A", 86)))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p peerid.Proof
		if err := p.UnmarshalText(text); err != nil {
			if p != (peerid.Proof{}) {
				t.Fatal("a proof beside an error")
			}
			return
		}
		if again, err := p.MarshalText(); err != nil || !bytes.Equal(again, text) {
			t.Fatal("another text is read as the same proof")
		}
	})
}
