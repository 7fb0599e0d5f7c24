package policy_test

import (
	"fmt"

	"github.com/tamga-id/tamga/federation/policy"
)

func ExampleLaw_Decide() {
	src, _ := policy.Builtin("KGZ")
	law, err := policy.Load("KGZ.cedar", src)
	if err != nil {
		fmt.Println(err)
		return
	}
	query := policy.Request{
		Direction: policy.Answer, Operation: "verify",
		Requester: "https://node.kaz.example", RequesterCountry: "KAZ",
		Responder: "https://node.kgz.example", ResponderCountry: "KGZ",
		Purpose: "border_control", LegalBasis: "public_task",
	}
	d := law.Decide(query)
	fmt.Println(d.Allowed, d.ConsentRequired, d.FMROneIn, d.Modalities)

	query.Purpose, query.LegalBasis = "travel_check_in", "consent"
	fmt.Println(law.Decide(query).Reason)
	// Output:
	// true false 10000 [face finger signature]
	// refused by kgz-no-travel-check-in under Law No. 136 of 14 July 2014 on Biometric Registration of Citizens, Article 2
}
