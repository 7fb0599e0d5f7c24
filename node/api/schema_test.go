package api_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// validator is as much of JSON Schema 2020-12 as the document uses, written from the
// specification so that huma does not mark its own work. A keyword that it does not
// know fails the test.
type validator struct {
	t       testing.TB
	schemas map[string]any
}

func newValidator(t testing.TB) validator {
	return validator{t, document(t)["components"].(map[string]any)["schemas"].(map[string]any)}
}

func (v validator) faults(schema, value any, at string) []string {
	v.t.Helper()
	var out []string
	fault := func(ok bool, keyword string) {
		if !ok {
			out = append(out, fmt.Sprintf("%s: %s", at, keyword))
		}
	}
	s := schema.(map[string]any)
	for keyword, arg := range s {
		switch keyword {
		case "description", "format":
		case "$ref":
			out = append(out, v.faults(v.schemas[strings.TrimPrefix(arg.(string), "#/components/schemas/")], value, at)...)
		case "type":
			fault(typed(arg.(string), value), keyword)
		case "enum":
			fault(slices.Contains(arg.([]any), value), keyword)
		case "minimum", "maximum":
			n, ok := value.(float64)
			fault(!ok || keyword == "minimum" && n >= arg.(float64) || keyword == "maximum" && n <= arg.(float64), keyword)
		case "minLength", "maxLength", "pattern", "contentEncoding":
			text, ok := value.(string)
			fault(!ok || worded(keyword, arg, text), keyword)
		case "minItems", "maxItems":
			n := float64(len(list(value)))
			fault(keyword == "minItems" && n >= arg.(float64) || keyword == "maxItems" && n <= arg.(float64), keyword)
		case "items":
			for i, item := range list(value) {
				out = append(out, v.faults(arg, item, fmt.Sprintf("%s/%d", at, i))...)
			}
		case "properties", "required", "additionalProperties":
			out = append(out, v.members(keyword, s, value, at)...)
		default:
			v.t.Fatalf("%s: the document uses %s, which this validator does not know", at, keyword)
		}
	}
	return out
}

func (v validator) members(keyword string, s map[string]any, value any, at string) []string {
	var out []string
	object, _ := value.(map[string]any)
	properties, _ := s["properties"].(map[string]any)
	switch keyword {
	case "required":
		for _, name := range list(s["required"]) {
			if _, ok := object[name.(string)]; !ok {
				out = append(out, at+"/"+name.(string)+": required")
			}
		}
	default:
		for name, member := range object {
			p, ok := properties[name]
			if ok && keyword == "properties" {
				out = append(out, v.faults(p, member, at+"/"+name)...)
			}
			if !ok && s["additionalProperties"] == false {
				out = append(out, at+"/"+name+": additionalProperties")
			}
		}
	}
	return out
}

func typed(want string, value any) bool {
	switch x := value.(type) {
	case string:
		return want == "string"
	case bool:
		return want == "boolean"
	case float64:
		return want == "number" || want == "integer" && x == math.Trunc(x)
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}

func worded(keyword string, arg any, text string) bool {
	switch keyword {
	case "minLength":
		return float64(utf8.RuneCountInString(text)) >= arg.(float64)
	case "maxLength":
		return float64(utf8.RuneCountInString(text)) <= arg.(float64)
	case "pattern":
		return regexp.MustCompile(arg.(string)).MatchString(text)
	}
	_, err := base64.StdEncoding.DecodeString(text)
	return arg == "base64" && err == nil
}
