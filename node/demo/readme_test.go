package demo_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/tamga-id/tamga/node/demo"
)

// TestReadmeScenes: the scenes that README.md shows have the numbers, titles and codes that the demo prints.
func TestReadmeScenes(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	scenes, shown := demo.Scenes(), regexp.MustCompile(`(?m)^ {1,2}(\d+)  (.+)\n +(.+), purpose (\w+)\n +(\w+) +(TMG-[A-Z]{3}-\d{4}) `).FindAllSubmatch(text, -1)
	if len(shown) < 3 {
		t.Fatalf("README.md shows %d scenes", len(shown))
	}
	for _, m := range shown {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil || n < 1 || n > len(scenes) {
			t.Errorf("there is no scene %s", m[1])
			continue
		}
		s := scenes[n-1]
		if string(m[2]) != s.Title || string(m[4]) != s.Purpose || string(m[5]) != s.Expected || string(m[6]) != string(s.Code) {
			t.Errorf("scene %d is %q, %s, %s %s", n, s.Title, s.Purpose, s.Expected, s.Code)
		}
	}
}
