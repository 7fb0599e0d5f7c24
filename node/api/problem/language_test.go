package problem_test

import (
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/api/problem"
)

func TestLanguage(t *testing.T) {
	for fields, want := range map[string]string{
		"":                                "en",
		"ru":                              "ru",
		"RU-kz":                           "ru",
		"ru, en":                          "ru",
		"en, ru":                          "en",
		"en;q=0.8, ru":                    "ru",
		"ru;q=0.8, en;q=0.9":              "en",
		"ky, ru;q=0.7, en;q=0.3":          "ru",
		"*, ru;q=0.5":                     "en",
		"ru;q=0":                          "en",
		"ru;q=2":                          "en",
		"ru;q=NaN":                        "en",
		"rus":                             "en",
		"kk, uz":                          "en",
		strings.Repeat("kk,", 100) + "ru": "en",
	} {
		if got := problem.Language([]string{fields}); got != want {
			t.Errorf("%.40q: %s, want %s", fields, got, want)
		}
	}
	if got := problem.Language([]string{"ky", "ru"}); got != "ru" {
		t.Errorf("of two fields: %s", got)
	}
	if problem.Language(nil) != "en" {
		t.Error("without a field it is not English")
	}
}
