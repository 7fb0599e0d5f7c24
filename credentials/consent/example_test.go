package consent_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
)

func Example() {
	wallet, err := jose.NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		panic(err)
	}
	recorded := wallet.Public().KeyID() // At enrolment.

	at := time.Date(2026, 3, 21, 9, 0, 0, 0, time.UTC)
	token, err := consent.Issue(wallet, consent.Consent{
		ID:        "2f6c",
		Requester: "https://uzb.example", Controller: "https://kaz.example",
		Purpose: "travel_check_in", Modalities: []string{"face"},
		IssuedAt: at, ExpiresAt: at.Add(24 * time.Hour),
		Notice: consent.NoticeOf([]byte("Your face is compared with the one in the register."), "en"),
	})
	if err != nil {
		panic(err)
	}

	want := consent.Expectation{
		HolderThumbprint: recorded,
		Requester:        "https://uzb.example", Controller: "https://kaz.example",
		Purpose: "travel_check_in", Modality: "face", Now: at.Add(time.Minute),
	}
	c, err := consent.Verify(token, want)
	fmt.Println(c.Purpose, c.Modalities, err)

	want.Purpose = "law_enforcement"
	_, err = consent.Verify(token, want)
	fmt.Println(err)
	// Output:
	// travel_check_in [face] <nil>
	// verifying consent: consent for another purpose
}
