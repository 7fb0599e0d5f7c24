// Package redacttest searches what printing a value shows for a secret: the shared
// part of the redaction tests of the packages under crypto and credentials.
//
// Call [Check] from a test. It is for tests only and does not prove that a type
// cannot leak, only that none of fmt's verbs, slog's handlers and encoding/json does.
package redacttest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// Check prints v, alone and inside everything a log statement might wrap it in, with
// every verb and slog handler, and fails when a trace of secret shows. Shapes whose
// name begins with one of except are left out.
func Check[T any](t *testing.T, v T, secret []byte, except ...string) {
	t.Helper()
	if len(secret) < 6 {
		t.Fatalf("secret of %d bytes is too short to search for", len(secret))
	}
	marks := renderings(secret[:6]) // A prefix: partial leaks count.
	for name, shape := range shapes(v) {
		if slices.ContainsFunc(except, func(e string) bool { return strings.HasPrefix(name, e) }) {
			continue
		}
		for how, out := range printings(shape) {
			for _, mark := range marks {
				if strings.Contains(out, mark) {
					t.Errorf("%T as %s shows its secret with %s", v, name, how)
				}
			}
		}
	}
}

func shapes[T any](v T) map[string]any {
	type exported struct{ V T }
	type hidden struct{ v T }
	type deep struct{ H []*hidden }
	p := &v
	return map[string]any{
		"value": v, "pointer": p, "double-pointer": &p,
		"slice": []T{v}, "pointer-slice": []*T{p}, "array": [1]T{v},
		"map": map[string]T{"k": v}, "any-slice": []any{v, p},
		"exported": exported{v}, "exported-pointer": &exported{v},
		"hidden": hidden{v}, "hidden-pointer": &hidden{v},
		"hidden-slice": []hidden{{v}}, "hidden-deep": deep{[]*hidden{{v}}},
	}
}

func printings(v any) map[string]string {
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%c", "%U", "%t", "%e", "%o", "%b"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", slog.Any("v", v), slog.Group("g", slog.Any("v", v)))
	out["slog text"] = b.String()
	b.Reset()
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", slog.Any("v", v), slog.Group("g", slog.Any("v", v)))
	out["slog json"] = b.String()
	if j, err := json.Marshal(v); err == nil {
		out["json"] = string(j)
	}
	out["error"] = fmt.Errorf("wrapped: %v", v).Error()
	return out
}

// renderings lists how a printer could spell b.
func renderings(b []byte) []string {
	list := func(format, sep string) string {
		parts := make([]string, len(b))
		for i, c := range b {
			parts[i] = fmt.Sprintf(format, c)
		}
		return strings.Join(parts, sep)
	}
	return []string{
		string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		list("%d", " "), list("%d", ","), list("%d", ", "), list("%02x", " "), list("%#x", ", "), list("%#02x", ", "), list("%o", " "), list("%b", " "), list("%U", " "),
	}
}
