package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api"
)

var update = flag.Bool("update", false, "rewrite testdata/openapi.json")

type operation struct {
	method, path string
	doc          map[string]any
}

func document(t testing.TB) map[string]any {
	t.Helper()
	b, _ := api.Export(&fake{})
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// operations are those of the document, and the document itself.
func operations(t testing.TB) []operation {
	t.Helper()
	list := []operation{{method: "GET", path: "/openapi.json"}}
	paths := document(t)["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for method, op := range paths[path].(map[string]any) {
			list = append(list, operation{strings.ToUpper(method), path, op.(map[string]any)})
		}
	}
	if len(list) != 34 {
		t.Fatalf("%d operations, want 34", len(list))
	}
	return list
}

// TestDocument: what is served is what was reviewed.
func TestDocument(t *testing.T) {
	r := newRequest("GET", "/openapi.json", "")
	r.Header.Del("Authorization")
	res, _ := send(t, api.Handler(&fake{}), r)
	if got := res.Header.Get("Content-Type"); got != "application/openapi+json" {
		t.Errorf("Content-Type is %q", got)
	}
	got, _ := api.Export(&fake{})
	const golden = "testdata/openapi.json"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the document is not %s: look at the difference, then run with -update", golden)
	}
}

func TestDocumentIsComplete(t *testing.T) {
	doc := document(t)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi is %v", doc["openapi"])
	}
	ids := make(map[any]bool)
	for _, op := range operations(t)[1:] {
		at := op.method + " " + op.path
		for _, member := range []string{"operationId", "summary", "description", "tags", "responses"} {
			if op.doc[member] == nil {
				t.Errorf("%s has no %s", at, member)
			}
		}
		if ids[op.doc["operationId"]] {
			t.Errorf("%s: operationId is taken", at)
		}
		ids[op.doc["operationId"]] = true
		if (op.doc["security"] != nil) != strings.HasPrefix(op.path, "/v1/") {
			t.Errorf("%s: security is %v", at, op.doc["security"])
		}
		checkResponses(t, at, op)
		for _, p := range list(op.doc["parameters"]) {
			if p.(map[string]any)["description"] == nil {
				t.Errorf("%s: a parameter has no description", at)
			}
		}
	}
	for name, s := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		for member, p := range s.(map[string]any)["properties"].(map[string]any) {
			if p.(map[string]any)["description"] == nil {
				t.Errorf("schema %s: %s has no description", name, member)
			}
		}
	}
	if bytes.Contains([]byte(strings.ToLower(toJSON(t, doc))), []byte("errormodel")) {
		t.Error("huma's error type is in the document")
	}
}

func checkResponses(t *testing.T, at string, op operation) {
	t.Helper()
	want := []string{"200", "403", "421", "422"}
	if strings.HasPrefix(op.path, "/v1/") {
		want = append(want, "401")
	}
	if op.doc["requestBody"] != nil {
		want = append(want, "400", "408", "409", "413", "415", "500", "503")
	}
	responses := op.doc["responses"].(map[string]any)
	for _, status := range want {
		if responses[status] == nil {
			t.Errorf("%s has no response %s", at, status)
		}
	}
	for status, r := range responses {
		for media, m := range r.(map[string]any)["content"].(map[string]any) {
			if (media == "application/problem+json") != (status != "200") {
				t.Errorf("%s: response %s is %s", at, status, media)
			}
			if m.(map[string]any)["example"] == nil || m.(map[string]any)["schema"] == nil {
				t.Errorf("%s: response %s has no example or schema", at, status)
			}
		}
	}
}

// TestExamplesAreValid against the schemas beside them.
func TestExamplesAreValid(t *testing.T) {
	v := newValidator(t)
	checked := 0
	check := func(at string, m any) {
		checked++
		media := m.(map[string]any)
		for _, fault := range v.faults(media["schema"], media["example"], "") {
			t.Errorf("%s: example: %s", at, fault)
		}
	}
	for _, op := range operations(t)[1:] {
		for status, r := range op.doc["responses"].(map[string]any) {
			for _, m := range r.(map[string]any)["content"].(map[string]any) {
				check(op.path+" "+status, m)
				if code, err := strconv.Atoi(status); err != nil || code != 200 && m.(map[string]any)["example"].(map[string]any)["status"] != float64(code) {
					t.Errorf("%s: example of %s has another status", op.path, status)
				}
			}
		}
		if body, ok := op.doc["requestBody"].(map[string]any); ok {
			for _, m := range body["content"].(map[string]any) {
				check(op.path+" request", m)
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d examples: the document is not being looked at", checked)
	}
}

// TestExamplesWork: every request of the document, sent as it stands, is a 200 whose
// body satisfies the schema.
func TestExamplesWork(t *testing.T) {
	h := api.Handler(&fake{status: node.Status{Members: []node.MemberStatus{{}}}})
	v := newValidator(t)
	for _, op := range operations(t)[1:] {
		body := ""
		if b, ok := op.doc["requestBody"].(map[string]any); ok {
			for _, m := range b["content"].(map[string]any) {
				example := m.(map[string]any)["example"]
				if body, ok = example.(string); !ok {
					body = toJSON(t, example)
				}
			}
		}
		res, got := send(t, h, newRequest(op.method, op.path, body))
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s %s: status %d: %v", op.method, op.path, res.StatusCode, got)
			continue
		}
		media, ok := op.doc["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)
		if !ok { // a backup is binary
			continue
		}
		schema := media["schema"]
		for _, fault := range v.faults(schema, got, "") {
			t.Errorf("%s %s: %s", op.method, op.path, fault)
		}
	}
}

// TestDocumentAgrees: bodies that the node refuses break the schema that
// clients read, where a schema can say so.
func TestDocumentAgrees(t *testing.T) {
	v := newValidator(t)
	schema := map[string]any{"$ref": "#/components/schemas/VerificationRequest"}
	for name, edit := range map[string][2]string{
		"unknown":      {`"officer"`, `"x":1,"officer"`},
		"case":         {`"purpose"`, `"Purpose"`},
		"null":         {`"position":2`, `"position":null`},
		"missing":      {`"purpose":"border_control",`, ``},
		"type":         {`"a.serikova"`, `7`},
		"jurisdiction": {`"KGZ"`, `"kgz"`},
		"enum":         {`"passport"`, `"visa"`},
		"maximum":      {`"position":2`, `"position":11`},
		"long":         {record, strings.Repeat("A", 87388)},
	} {
		var body any
		if err := json.Unmarshal([]byte(strings.Replace(asking, edit[0], edit[1], 1)), &body); err != nil {
			t.Fatal(err)
		}
		if len(v.faults(schema, body, "")) == 0 {
			t.Errorf("%s: the document allows it", name)
		}
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVocabulary: the words of the schema are those of PROTOCOL.md.
func TestVocabulary(t *testing.T) {
	text, err := os.ReadFile("../../federation/protocol/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	schemas := newValidator(t).schemas
	for _, at := range [][2]string{{"VerificationRequest", "purpose"}, {"VerificationRequest", "legal_basis"}, {"Subject", "type"},
		{"Probe", "modality"}, {"Verification", "outcome"}} {
		words := list(schemas[at[0]].(map[string]any)["properties"].(map[string]any)[at[1]].(map[string]any)["enum"])
		if len(words) == 0 {
			t.Errorf("%v has no words", at)
		}
		for _, w := range words {
			if !bytes.Contains(text, []byte("`"+w.(string)+"`")) {
				t.Errorf("%v: PROTOCOL.md does not have %q", at, w)
			}
		}
	}
}
