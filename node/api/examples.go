package api

import (
	"time"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/requester"
)

// The examples of the document. They go through the same code as responses do, and
// a test sends the requests. Nobody in them exists.

// exampleRecord is an ISO/IEC 19794-2:2005 record of four minutiae.
const exampleRecord = "Rk1SACAyMAAAAAA2AAABAAEsAMUAxQEAAgBQBEAoADIAAEBNAE89AEByAGx6AEA2AIm3AAAA"

const enrolmentRequestExample = `{"subject":{"type":"national_number","value":"900101300123"},` +
	`"biometrics":[{"modality":"finger","format":"iso-19794-2-2005","data":"` + exampleRecord + `"}]}` + "\n"

func verificationRequestExample() verificationRequest {
	return verificationRequest{
		Subject:    subject{Jurisdiction: "KGZ", Type: "passport", Value: "AC 1234567"},
		Probes:     []probe{{Modality: "finger", Format: "iso-19794-2-2005", Position: 2, Quality: 80, Data: exampleRecord}},
		Purpose:    "border_control",
		LegalBasis: "public_task",
		Officer:    "a.serikova",
	}
}

func verificationExample() verification {
	return answer(requester.Result{
		Verdict: protocol.Verdict{
			Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 100_000,
			Policy: protocol.PolicyRef{Law: "Example law", Version: "1", ID: "answer-border-control", Article: "Article 1"},
		},
		Peer:  "https://node.kgz.example",
		Query: protocol.HashQuery([]byte("example")),
		Receipt: lognote.Receipt{
			Checkpoint: []byte("node.kgz.example/ledger\n2\n...\n"), Index: 1,
			Proof: [][]byte{make([]byte, 32)}, Leaf: []byte("example"),
		},
		Reply: "eyJhbGciOiJFZDI1NTE5In0.e30.AA",
		Entry: 41,
		Took:  38 * time.Millisecond,
	})
}

func enrolmentExample() enrolmentReport {
	r := enrolmentReport{Results: []enrolment{
		{Line: 1, Result: "created"},
		{Line: 2, Result: "failed", Code: string(protocol.CodeTemplate), Member: "biometrics[0]", Rule: "has too few minutiae to be compared"},
	}}
	r.count()
	return r
}

func statusExample() status {
	at := time.Date(2026, time.March, 21, 6, 0, 0, 0, time.UTC)
	return newStatus(node.Status{
		EntityID: "https://node.kaz.example", Jurisdiction: "KAZ", Name: "Example office", Environment: "sandbox",
		PeerID:    "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
		Addresses: []string{"/ip4/192.0.2.1/udp/4001/quic-v1"}, Started: at, Subjects: 1200,
		Law:     node.LawStatus{Version: "2025-08-01", Serves: []string{"border_control", "travel_check_in"}},
		Ledger:  node.LedgerStatus{Origin: "node.kaz.example/ledger", Size: 42},
		Refused: map[string]uint64{"stranger": 3, "rate": 0},
		Alarms:  map[string]uint64{"canary": 1, "locked": 0},
		Members: []node.MemberStatus{{EntityID: "https://node.kgz.example", Jurisdiction: "KGZ", Expires: at.AddDate(0, 0, 1),
			Connected: true, Addresses: []string{"/ip4/192.0.2.2/udp/4001/quic-v1"}}},
	})
}
