package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose/internal/strictjson"
)

func TestObjectVisits(t *testing.T) {
	var got []string
	err := strictjson.Object([]byte(` { "a" : 1 , "\u0062" : [ 1, {"c":2} ], "d":"\"" } `), nil, false, func(name, value []byte) error {
		got = append(got, fmt.Sprintf("%s=%s", name, value))
		return nil
	})
	if want := `a=1|b=[ 1, {"c":2} ]|d="\""`; err != nil || strings.Join(got, "|") != want {
		t.Errorf("visited %q, error %v, want %q", strings.Join(got, "|"), err, want)
	}
	stop := errors.New("stop")
	if err := strictjson.Object([]byte(`{"a":1,"b":2}`), nil, false, func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("visitor's error became %v", err)
	}
}

func TestArrayVisits(t *testing.T) {
	var got []string
	err := strictjson.Array([]byte(` [ "a" , {} , [ ] , null ] `), func(value []byte) error {
		got = append(got, string(value))
		return nil
	})
	if want := `"a"|{}|[ ]|null`; err != nil || strings.Join(got, "|") != want {
		t.Errorf("visited %q, error %v", strings.Join(got, "|"), err)
	}
	for _, text := range []string{``, `{}`, `[1,]`, `[,1]`, `[1 2]`, `[1]]`, `[`, "[\"\xff\"]"} {
		if err := strictjson.Array([]byte(text), nil); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
}

func TestErrorSaysWhere(t *testing.T) {
	type known struct {
		A struct {
			B int `json:"b"`
		} `json:"a"`
		C []struct {
			B any `json:"b"`
		} `json:"c"`
	}
	for text, want := range map[string]strictjson.Error{
		`{"a":{"b":1,"b":2}}`:    {Offset: 15, Path: "a", Rule: `duplicate member "b"`},
		`{"a":{"B":1}}`:          {Offset: 9, Path: "a", Rule: `a member differs from "b" in case only`},
		`{"a":{"b":tru}}`:        {Offset: 10, Path: "a.b", Rule: "not a JSON value"},
		`{"c":[{"b":1},{"b":}]}`: {Offset: 19, Path: "c[1].b", Rule: "not a JSON value"},
		`{"c":[{"b":[1,[+]]}]}`:  {Offset: 15, Path: "c[0].b[1][0]", Rule: "not a JSON value"},
		// Names that the type does not have are the sender's.
		`{"SYN123":1}`:              {Offset: 9, Rule: "unknown member"},
		`{"a":{},"a":{"SYN123":1}}`: {Offset: 11, Rule: `duplicate member "a"`},
	} {
		err := strictjson.Object([]byte(text), reflect.TypeFor[known](), true, nil)
		if fault, ok := errors.AsType[*strictjson.Error](err); !ok || *fault != want {
			t.Errorf("%s: error %v, want %v", text, err, &want)
		}
	}
	err := strictjson.Object([]byte(`{"SYN123":1,"SYN123":2}`), nil, false, nil)
	if err == nil || strings.Contains(err.Error(), "SYN") {
		t.Errorf("error %v names the sender's member", err)
	}
	long := strings.Repeat("n", 1000)
	err = strictjson.Object([]byte(`{"`+long+`":1,"`+long+`":1}`), nil, false, nil)
	if err == nil || len(err.Error()) > 100 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

func TestString(t *testing.T) {
	for raw, want := range map[string]string{`""`: "", `"a"`: "a", `"\u0061\n"`: "a\n", `"é"`: "é"} {
		if got, ok := strictjson.String([]byte(raw)); !ok || got != want {
			t.Errorf("%s: %q, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{`1`, `null`, `{}`, `[]`, ``, `"`} {
		if got, ok := strictjson.String([]byte(raw)); ok || got != "" {
			t.Errorf("%s: %q, %v", raw, got, ok)
		}
	}
}

// Beyond a few members duplicates are found by another way.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"x":0`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `,"%d":0`, i)
	}
	text := b.String()
	if err := strictjson.Object([]byte(text+`}`), nil, false, nil); err != nil {
		t.Error(err)
	}
	if err := strictjson.Object([]byte(text+`,"19999":0}`), nil, false, nil); err == nil {
		t.Error("duplicate accepted")
	}
}

// FuzzObject: whatever is accepted, encoding/json accepts; whatever encoding/json
// refuses is refused.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":[true,false,null,-0.5e-7]}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":1,"a":2}`, `{"a":tru}`, `{"a":.5}`, ` {"":""} `,
		strings.Repeat(`{"a":`, 20), strings.Repeat(`{"a":[`, 8) + strings.Repeat(`]}`, 8),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members := 0
		err := strictjson.Object(data, nil, true, func(_, value []byte) error {
			members++
			if !json.Valid(value) {
				t.Fatalf("visited %q, which is not JSON", value)
			}
			return nil
		})
		if err != nil {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(data, &m); err != nil || len(m) != members {
			t.Fatalf("encoding/json: %d members, error %v; here %d", len(m), err, members)
		}
	})
}
