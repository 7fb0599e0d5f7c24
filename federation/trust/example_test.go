package trust_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

func exampleKey(name string) jose.PrivateKey {
	seed := sha256.Sum256([]byte(name)) // real keys come from jose.GenerateKey
	key, err := jose.NewPrivateKey(seed[:])
	if err != nil {
		panic(err)
	}
	return key
}

func exampleNode() *trust.NodeMetadata {
	libp2p := exampleKey("libp2p")
	proofs, err := peerid.Prove("https://tamga.kaz.example", exampleKey("federation").Public(), libp2p.Seed())
	if err != nil {
		panic(err)
	}
	sealer, err := sealing.NewPrivateKey(exampleKey("sealing").Seed())
	if err != nil {
		panic(err)
	}
	return &trust.NodeMetadata{
		Jurisdiction: "KAZ",
		PeerID:       peerid.Of(libp2p.Public()),
		PeerProofs:   proofs,
		Addresses:    []string{"/ip4/192.0.2.1/udp/4001/quic-v1"},
		Keys:         jose.NewKeySet(exampleKey("protocol").Public()),
		SealingKeys:  []sealing.PublicKey{sealer.Public()},
		Modalities:   []string{"finger"},
		Ledger:       &trust.LedgerMetadata{Origin: "tamga.kaz.example/log", Keys: []string{"vkey"}},
		Revisions:    []string{"1"},
	}
}

// An authority enrols a node; another node learns of it and admits its peer ID.
func Example() {
	dir, err := os.MkdirTemp("", "tamga")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }

	// The federation operator.
	operator, err := authority.New(authority.Config{
		EntityID: "https://anchor.example", Key: exampleKey("anchor"), Dir: filepath.Join(dir, "anchor"), Clock: clock,
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(operator.Handler())
	defer server.Close()

	// Kazakhstan's node publishes itself, and the operator enrols it.
	publisher, err := endpoint.NewPublisher(endpoint.PublisherConfig{
		Key: exampleKey("federation"), Clock: clock,
		Configuration: trust.EntityConfiguration{
			Entity: "https://tamga.kaz.example", AuthorityHints: []trust.EntityID{"https://anchor.example"},
			Metadata: trust.Metadata{TamgaNode: exampleNode()},
		},
	})
	if err != nil {
		panic(err)
	}
	token, err := publisher.Token()
	if err != nil {
		panic(err)
	}
	if _, err := operator.Enroll(token, authority.EnrollOptions{Jurisdiction: "KAZ"}); err != nil {
		panic(err)
	}

	// Kyrgyzstan's node was given the anchor out of band.
	anchor := operator.Anchor()
	anchor.Location = server.URL
	source, err := endpoint.NewHTTP(server.Client(), []trust.Anchor{anchor}, nil)
	if err != nil {
		panic(err)
	}
	members, err := directory.New([]trust.Anchor{anchor}, source, filepath.Join(dir, "members.json"))
	if err != nil {
		panic(err)
	}
	if _, err := members.Refresh(context.Background(), now); err != nil {
		panic(err)
	}
	node, admitted := members.Member(peerid.Of(exampleKey("libp2p").Public()), now)
	fmt.Println(admitted, node.Jurisdiction, node.EntityID)
	_, err = members.Country("UZB", now)
	fmt.Println(err)
	// Output:
	// true KAZ https://tamga.kaz.example
	// not a member of the federation
}

func ExampleVerifyChain() {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	anchors := []trust.Anchor{{EntityID: "https://anchor.example", Keys: jose.NewKeySet(exampleKey("anchor").Public())}}
	_, err := trust.VerifyChain([]string{"one statement is no chain"}, anchors, now)
	fmt.Println(err)
	// Output: checking trust chain: chain-length
}
