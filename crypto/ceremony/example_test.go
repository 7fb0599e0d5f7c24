package ceremony_test

import (
	"fmt"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/ceremony"
)

func Example() {
	// Each custodian makes an identity and hands out its recipient.
	alice, _ := age.GenerateHybridIdentity()
	bob, _ := age.GenerateHybridIdentity()
	plan, err := ceremony.NewPlan("https://kaz.example", 2, []ceremony.Custodian{
		{Name: "alice", Recipient: alice.Recipient().String()}, {Name: "bob", Recipient: bob.Recipient().String()},
	}, time.Unix(0, 0))
	if err != nil {
		panic(err)
	}
	// The node deals, keeps d.Terms and what custody.Shared seals under d.Key.
	d, err := ceremony.Deal(plan)
	if err != nil {
		panic(err)
	}
	defer clear(d.Key)

	// Later the custodians bring their shares.
	g := ceremony.Gather(d.Terms)
	for i, identity := range []age.Identity{alice, bob} {
		share, err := ceremony.OpenShare(d.Sealed[i], identity)
		if err != nil {
			panic(err)
		}
		_, err = g.Key()
		fmt.Println(err)
		if err := g.Add(share); err != nil {
			panic(err)
		}
	}
	key, err := g.Key()
	fmt.Println(len(key), err)
	// Output:
	// putting key together: 2 more needed: not enough shares
	// putting key together: 1 more needed: not enough shares
	// 32 <nil>
}
