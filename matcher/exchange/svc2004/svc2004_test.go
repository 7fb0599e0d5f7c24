package svc2004_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/signature"
)

const two = "2\n-10 20 3000 1 1550 710 439\n11 21 3010 0 1540 700 0\n"

func TestDecode(t *testing.T) {
	want := signature.Sample{HasPressure: true, HasAngles: true, Points: []signature.Point{
		{X: -10, Y: 20, T: 3000, Azimuth: 1550, Altitude: 710, Pressure: 439},
		{X: 11, Y: 21, T: 3010, Up: true, Azimuth: 1540, Altitude: 700},
	}}
	for name, text := range map[string]string{
		"plain":   two,
		"crlf":    strings.ReplaceAll(two, "\n", "\r\n"),
		"no-end":  strings.TrimSuffix(two, "\n"),
		"blanks":  "2 \n-10\t20  3000 1 1550 710 439 \n11 21 3010 0 1540 700 0\n \n\n",
		"leading": "02\n-010 20 3000 1 1550 710 439\n11 21 3010 0 1540 700 00\n",
	} {
		got, err := svc2004.Decode([]byte(text))
		if err != nil || !reflect.DeepEqual(got.Points, want.Points) || !got.HasPressure || !got.HasAngles {
			t.Errorf("%s: %d points, %v", name, len(got.Points), err)
		}
	}
	got, err := svc2004.Decode([]byte("1\n1 2 3 1\n"))
	if err != nil || got.HasPressure || got.HasAngles || len(got.Points) != 1 || got.Points[0].Y != 2 {
		t.Errorf("task 1: %d points, %v", len(got.Points), err)
	}
	if b, err := svc2004.Encode(want); err != nil || string(b) != two {
		t.Errorf("encoded %d octets, %v", len(b), err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text         string
		line, column int
		rule         string
	}{
		"empty":        {"", 1, 1, "number of points is missing or out of range"},
		"no-count":     {"x\n", 1, 1, "number of points is missing or out of range"},
		"zero":         {"0\n", 1, 1, "number of points is missing or out of range"},
		"negative":     {"-1\n", 1, 1, "number of points is missing or out of range"},
		"too-many":     {"2049\n", 1, 1, "number of points is missing or out of range"},
		"count-only":   {"1\n", 2, 0, "fewer points than the first line says"},
		"cut":          {"3" + two[1:], 4, 0, "fewer points than the first line says"},
		"more":         {"1" + two[1:], 3, 0, "text after the last point"},
		"six":          {"1\n1 2 3 1 5 6\n", 2, 0, "neither four nor seven columns, or not as many as before"},
		"eight":        {"1\n1 2 3 1 5 6 7 8\n", 2, 0, "neither four nor seven columns, or not as many as before"},
		"mixed":        {"2\n1 2 3 1\n1 2 3 1 5 6 7\n", 3, 0, "neither four nor seven columns, or not as many as before"},
		"blank":        {"2\n1 2 3 1\n\n", 3, 0, "neither four nor seven columns, or not as many as before"},
		"leading":      {"1\n 1 2 3 1\n", 2, 1, "not a decimal whole number of at most nine digits"},
		"fraction":     {"1\n1 2.5 3 1\n", 2, 2, "not a decimal whole number of at most nine digits"},
		"ten-digits":   {"1\n1 2 1234567890 1\n", 2, 3, "not a decimal whole number of at most nine digits"},
		"plus":         {"1\n1 +2 3 1\n", 2, 2, "not a decimal whole number of at most nine digits"},
		"minus":        {"1\n1 - 3 1\n", 2, 2, "not a decimal whole number of at most nine digits"},
		"button":       {"1\n1 2 3 2\n", 2, 4, "button is neither 0 nor 1"},
		"button-minus": {"1\n1 2 3 -1\n", 2, 4, "button is neither 0 nor 1"},
		"large":        {strings.Repeat(" ", svc2004.Max+1), 1, 0, "file exceeds the size limit"},
	} {
		s, err := svc2004.Decode([]byte(c.text))
		var e *svc2004.Error
		if !errors.As(err, &e) || e.Line != c.line || e.Column != c.column || e.Rule != c.rule || s.Points != nil || s.HasPressure {
			t.Errorf("%s: %v, want line %d column %d %s", name, err, c.line, c.column, c.rule)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	point := func(f func(*signature.Point)) signature.Sample {
		p := signature.Point{X: 1, Y: 2, T: 3}
		f(&p)
		return signature.Sample{Points: []signature.Point{p}}
	}
	half := point(func(*signature.Point) {})
	half.HasPressure = true
	for name, s := range map[string]signature.Sample{
		"empty":    {},
		"fraction": point(func(p *signature.Point) { p.X = 0.5 }),
		"large":    point(func(p *signature.Point) { p.Y = 1e9 }),
		"half":     half,
	} {
		var e *svc2004.Error
		if b, err := svc2004.Encode(s); b != nil || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCompetitionFiles: every file decodes and encodes to the same octets.
func TestCompetitionFiles(t *testing.T) {
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", "signature", "svc2004")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("signature benchmark is missing: %v", err)
		}
		t.Skipf("signature benchmark is not at hand: %v", err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.TXT"))
	if err != nil || len(paths) != 800 {
		t.Fatalf("%d files, %v, want 800", len(paths), err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := svc2004.Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(path), err)
		}
		again, err := svc2004.Encode(s)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%s encodes to other octets: %v", filepath.Base(path), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(two))
	f.Add([]byte("1\r\n1 2 3 1\r\n"))
	f.Add([]byte("2\n1 2 3 1\n1 2 3 1 5 6 7\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := svc2004.Decode(b)
		if err != nil {
			var e *svc2004.Error
			if s.Points != nil || !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		text, err := svc2004.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := svc2004.Decode(text)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("decodes differently: %v", err)
		}
	})
}

func ExampleDecode() {
	s, err := svc2004.Decode([]byte("2\n2933 5678 31275775 0 1550 710 439\n2933 5678 31275785 1 1480 770 420\n"))
	if err != nil {
		panic(err)
	}
	fmt.Println(len(s.Points), s.HasPressure, s)
	_, err = svc2004.Decode([]byte("1\n2933 5678 now 0\n"))
	fmt.Println(err)
	// Output:
	// 2 true signature sample(redacted)
	// checking svc2004 signature: line 2: column 3: not a decimal whole number of at most nine digits
}
