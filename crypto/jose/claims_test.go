package jose_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

type address struct {
	City string `json:"city"`
}

type embedded struct {
	ID string `json:"jti"`
}

type testClaims struct {
	embedded
	Issuer   string             `json:"iss"`
	Audience []string           `json:"aud,omitempty"`
	Expires  int64              `json:"exp"`
	Address  *address           `json:"address"`
	Homes    []address          `json:"homes"`
	ByName   map[string]address `json:"by_name"`
	Keys     jose.KeySet        `json:"jwks"`
	Raw      json.RawMessage    `json:"raw"`
	Born     time.Time          `json:"born"`
	Any      any                `json:"any"`
	Plain    string
	Hidden   string `json:"-"`
	private  string
}

func nested(levels int) string {
	return strings.Repeat(`{"any":`, 1) + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}"
}

func TestDecodeClaims(t *testing.T) {
	refusedByAll := map[string]string{
		"empty":            ``,
		"null":             `null`,
		"array":            `[]`,
		"string":           `"iss"`,
		"number":           `1`,
		"trailing":         `{"iss":"a"} {}`,
		"trailing-brace":   `{"iss":"a"}}`,
		"trailing-nul":     "{\"iss\":\"a\"}\x00",
		"byte-order-mark":  "\ufeff{}",
		"truncated":        `{"iss":"a"`,
		"trailing-comma":   `{"iss":"a",}`,
		"no-colon":         `{"iss" "a"}`,
		"single-quotes":    `{'iss':'a'}`,
		"bare-name":        `{iss:"a"}`,
		"case":             `{"ISS":"a"}`,
		"case-beside":      `{"iss":"a","Iss":"b"}`,
		"case-kelvin":      `{"jw\u212As":{"keys":[]}}`, // KELVIN SIGN folds to k
		"case-long-s":      `{"is\u017f":"a"}`,          // LATIN SMALL LETTER LONG S folds to s
		"case-embedded":    `{"JTI":"a"}`,
		"case-pointer":     `{"address":{"City":"a"}}`,
		"case-slice":       `{"homes":[{"city":"a"},{"CITY":"a"}]}`,
		"case-map":         `{"by_name":{"x":{"City":"a"}}}`,
		"case-untagged":    `{"plain":"a"}`,
		"duplicate":        `{"iss":"a","iss":"a"}`,
		"duplicate-escape": `{"iss":"a","\u0069ss":"a"}`,
		"duplicate-deep":   `{"any":{"a":[{"b":1,"b":2}]}}`,
		"duplicate-raw":    `{"raw":{"b":1,"b":2}}`,
		"duplicate-many":   `{"any":{` + manyNames(40) + `,"n7":0}}`,
		"duplicate-few":    `{"any":{` + manyNames(8) + `,"n7":0}}`,
		"utf8":             "{\"iss\":\"\xff\"}",
		"utf8-overlong":    "{\"iss\":\"\xc0\x80\"}",
		"utf8-surrogate":   "{\"iss\":\"\xed\xa0\x80\"}",
		"utf8-name":        "{\"\xff\":1}",
		"surrogate-high":   `{"iss":"\ud800"}`,
		"surrogate-low":    `{"iss":"\udc00"}`,
		"surrogate-swap":   `{"iss":"\udc00\ud800"}`,
		"surrogate-twice":  `{"iss":"\ud800\ud800"}`,
		"surrogate-half":   `{"iss":"\ud800\udc0"}`,
		"surrogate-name":   `{"any":{"\ud800":1}}`,
		"control":          "{\"iss\":\"a\nb\"}",
		"escape":           `{"iss":"\x41"}`,
		"escape-short":     `{"iss":"\u00"}`,
		"deep":             nested(17),
		"number-zero":      `{"exp":01}`,
		"number-plus":      `{"exp":+1}`,
		"number-dot":       `{"any":1.}`,
		"number-exp":       `{"any":1e}`,
		"number-minus":     `{"any":-}`,
		"number-hex":       `{"any":0x1}`,
		"nan":              `{"any":NaN}`,
		"number-fraction":  `{"exp":1.5}`,
		"number-large":     `{"exp":9223372036854775808}`,
		"wrong-type":       `{"iss":1}`,
		"bad-keys":         `{"jwks":{"keys":[{}]}}`,
		"bad-time":         `{"born":"1987-06-05 secret"}`,
	}
	for name, text := range refusedByAll {
		for mode, decode := range decoders() {
			claims := testClaims{Issuer: "old"}
			err := decode([]byte(text), &claims)
			if !errors.Is(err, jose.ErrMalformed) || !reflect.ValueOf(claims).IsZero() {
				t.Errorf("%s/%s: error %v, claims %+v", name, mode, err, claims)
			}
		}
	}
	for name, text := range map[string]string{
		"object":    `{}`,
		"space":     " \t\r\n{ \"iss\" : \"a\" } \n",
		"depth":     nested(16),
		"escapes":   `{"iss":"\"\\\/\b\f\n\r\t\u0000\uD83D\uDE00","any":{"\ud83d\ude00":1}}`,
		"embedded":  `{"jti":"a"}`,
		"numbers":   `{"any":[0,-0,1.5,1e5,1E-5,-1.25e+5,true,false,null]}`,
		"map-names": `{"by_name":{"A":{"city":"a"},"a":{"city":"b"}},"any":{"ISS":1,"iss":2}}`,
		"null":      `{"address":null,"homes":null,"iss":null}`,
		"many":      `{"any":{` + manyNames(40) + `}}`,
	} {
		for mode, decode := range decoders() {
			var got, want testClaims
			if err := decode([]byte(text), &got); err != nil {
				t.Errorf("%s/%s: %v", name, mode, err)
			}
			if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s/%s: got %+v, encoding/json has %+v (%v)", name, mode, got, want, err)
			}
		}
	}
}

func decoders() map[string]func([]byte, any) error {
	return map[string]func([]byte, any) error{"closed": jose.DecodeClaims, "open": jose.DecodeOpenClaims}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"n` + string(rune('0'+i%10)) + strings.Repeat("x", i/10) + `":0`)
	}
	return b.String()
}

// Unknown members tell the two functions apart.
func TestDecodeUnknownMembers(t *testing.T) {
	for _, text := range []string{
		`{"iss":"a","other":1}`, `{"iss":"a","homes":[{"x":1}]}`, `{"iss":"a","Hidden":"x"}`, `{"iss":"a","private":"x"}`, `{"iss":"a","-":"x"}`,
	} {
		var claims testClaims
		if err := jose.DecodeClaims([]byte(text), &claims); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("closed %s: %v", text, err)
		}
		if err := jose.DecodeOpenClaims([]byte(text), &claims); err != nil || claims.Issuer != "a" || claims.Hidden != "" || claims.private != "" {
			t.Errorf("open %s: %v, %+v", text, err, claims)
		}
	}
}

func TestDecodeClaimsReplaces(t *testing.T) {
	claims := testClaims{Issuer: "old", Audience: []string{"old"}}
	if err := jose.DecodeClaims([]byte(`{"exp":1}`), &claims); err != nil || claims.Issuer != "" || claims.Audience != nil || claims.Expires != 1 {
		t.Errorf("%+v, error %v", claims, err)
	}
	into := map[string]any{"old": 1}
	if err := jose.DecodeClaims([]byte(`{"a":"b"}`), &into); err != nil || len(into) != 1 || into["a"] != "b" {
		t.Errorf("%v, error %v", into, err)
	}
}

func TestDecodeClaimsTooLarge(t *testing.T) {
	var claims testClaims
	text := `{"iss":"` + strings.Repeat("a", jose.MaxTokenSize) + `"}`
	if err := jose.DecodeClaims([]byte(text), &claims); !errors.Is(err, jose.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}

// TestErrorsHaveNoValues: what encoding/json and package time would quote.
func TestErrorsHaveNoValues(t *testing.T) {
	for _, text := range []string{
		`{"exp":8412207.5}`, `{"exp":84122078412207841220}`, `{"born":"8412207"}`, `{"iss":8412207}`, `{"exp":"8412207"}`,
		`{"aud":{"8412207":1}}`, `{"iss":"8412207\ud800"}`, `{"iss":"8412207","iss":"8412207"}`, `{"address":8412207}`,
	} {
		var claims testClaims
		err := jose.DecodeClaims([]byte(text), &claims)
		if err == nil || strings.Contains(err.Error(), "8412207") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDecodeClaimsPanics(t *testing.T) {
	for _, v := range []any{nil, testClaims{}, (*testClaims)(nil)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T: no panic", v)
				}
			}()
			_ = jose.DecodeClaims([]byte(`{}`), v)
		}()
	}
}

// ClaimsError says where, and names nothing that the type does not have.
func TestClaimsErrorSaysWhere(t *testing.T) {
	type inner struct {
		Name string `json:"name"`
		Age  uint8  `json:"age"`
	}
	type known struct {
		List []inner          `json:"list"`
		Map  map[string]inner `json:"map"`
		Key  jose.PublicKey   `json:"key"`
		On   bool             `json:"on"`
	}
	for text, want := range map[string]jose.ClaimsError{
		`{"list":[{},{"name":5}]}`:             {Offset: 21, Member: "list[1].name", Rule: "must be a string"},
		`{"list":[{},{"age":300}]}`:            {Offset: 22, Member: "list[1].age", Rule: "must be an integer in range"},
		`{"list":[{},["SECRET"]]}`:             {Offset: 13, Member: "list[1]", Rule: "must be an object"},
		`{"list":{"name":["SECRET"]}}`:         {Offset: 9, Member: "list", Rule: "must be an array"},
		`{"on":"SECRET"}`:                      {Offset: 14, Member: "on", Rule: "must be true or false"},
		`{"map":{"SECRET":{"name":{}}}}`:       {Offset: 26, Member: "map.?.name", Rule: "must be a string"},
		`{"map":{"SECRET":{"SECRET":{}}}}`:     {Offset: 26, Member: "map.?", Rule: "unknown member"},
		`{"key":{"kty":"OKP","crv":"SECRET"}}`: {Rule: "a member was refused: no usable key"},
		`{"list":[]} SECRET`:                   {Offset: 12, Rule: "data after the value"},
	} {
		var v known
		err := jose.DecodeClaims([]byte(text), &v)
		got, ok := errors.AsType[*jose.ClaimsError](err)
		if !ok || got.Offset != want.Offset || got.Member != want.Member || got.Rule != want.Rule {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
		if !errors.Is(err, jose.ErrMalformed) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}
