package jose_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/jose"
)

// A query is signed by one node and verified by another that knows the first
// one's published keys.
func ExampleVerify() {
	key, err := jose.NewPrivateKey(bytes.Repeat([]byte{7}, 32)) // jose.GenerateKey() outside of examples
	if err != nil {
		panic(err)
	}
	token, err := jose.Sign(key, "tamga-query+jwt", []byte(`{"iss":"https://kz.example","purpose":"border_control"}`))
	if err != nil {
		panic(err)
	}

	published, err := json.Marshal(jose.NewKeySet(key.Public()))
	if err != nil {
		panic(err)
	}
	keys, err := jose.ParseKeySet(published)
	if err != nil {
		panic(err)
	}

	payload, err := jose.Verify(token, "tamga-query+jwt", keys)
	if err != nil {
		panic(err)
	}
	var claims struct {
		Issuer  string `json:"iss"`
		Purpose string `json:"purpose"`
	}
	if err := jose.DecodeClaims(payload, &claims); err != nil {
		panic(err)
	}
	fmt.Println(claims.Issuer, claims.Purpose)

	_, err = jose.Verify(token, "tamga-answer+jwt", keys)
	fmt.Println(errors.Is(err, jose.ErrType), err)
	// Output:
	// https://kz.example border_control
	// true verifying token: unexpected token type
}

// A misspelt name is refused, not matched as encoding/json would.
func ExampleDecodeClaims() {
	var claims struct {
		Issuer string `json:"iss"`
	}
	err := jose.DecodeClaims([]byte(`{"ISS":"https://kz.example"}`), &claims)
	fmt.Println(err)
	fmt.Printf("%q\n", claims.Issuer)
	// Output:
	// decoding claims: malformed: JSON offset 6: a member differs from "iss" in case only
	// ""
}

// A credential of a foreign issuer: the caller names the algorithms, the token
// does not get to choose. The token is that of RFC 8037 appendix A.4.
func ExampleNewVerifier() {
	issuer := []byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	v, err := jose.NewVerifier(issuer, "ES256", "EdDSA")
	if err != nil {
		panic(err)
	}
	payload, err := v.Verify("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."+
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", "")
	fmt.Printf("%s %v\n", payload, err)
	// Output: Example of Ed25519 signing <nil>
}
