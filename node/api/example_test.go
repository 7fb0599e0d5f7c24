package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/tamga-id/tamga/node/api"
)

// A border system asks about a traveller. n stands for an opened *node.Node.
func ExampleHandler() {
	n := &fake{}
	server := httptest.NewServer(api.Handler(n)) // a loopback listener
	defer server.Close()

	req, err := http.NewRequest("POST", server.URL+"/v1/verifications", strings.NewReader(`{
		"subject": {"jurisdiction": "KGZ", "type": "passport", "value": "AC 1234567"},
		"probes": [{"modality": "finger", "format": "iso-19794-2-2005", "data": "`+record+`"}],
		"purpose": "border_control", "legal_basis": "public_task", "officer": "a.serikova"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "counter-4-000017")
	res, err := server.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	var verdict struct{ Outcome, Code, Next string }
	if err := json.NewDecoder(res.Body).Decode(&verdict); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.StatusCode, verdict.Outcome, verdict.Code, verdict.Next)
	// Output: 200 matched TMG-VER-0001 Proceed.
}
