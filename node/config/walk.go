package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one key a mapping may have.
type entry struct {
	key      string
	required bool
	take     func(*yaml.Node, string) // reads the value; the string is the dotted path
}

// mapping reads a mapping with exactly these keys.
func (w *walker) mapping(n *yaml.Node, path string, entries ...entry) {
	seen := map[string]bool{}
	if !w.pairs(n, path, func(key, value *yaml.Node) {
		seen[key.Value] = true
		for _, e := range entries {
			if e.key == key.Value {
				e.take(value, join(path, e.key))
				return
			}
		}
		seen[w.unknown(key, path, entries)] = true
	}) {
		return
	}
	for _, e := range entries {
		if e.required && !seen[e.key] {
			w.add(n, join(path, e.key), "", "key %q is missing", join(path, e.key))
		}
	}
}

// pairs gives every key and value of a mapping once; it is false when n is no mapping.
func (w *walker) pairs(n *yaml.Node, path string, each func(key, value *yaml.Node)) bool {
	if !w.kind(n, yaml.MappingNode, path, "a mapping of keys to values") {
		return false
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if inspected(key) {
			continue
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			w.add(key, path, "", "key is not a word")
			continue
		}
		if line, ok := first[key.Value]; ok {
			w.add(key, join(path, key.Value), "", "duplicate key %s, first at line %d", quoteKey(key.Value), line)
			continue
		}
		first[key.Value] = key.Line
		each(key, value)
	}
	return true
}

// list gives every element of a sequence, of which there may be at most most. An empty one is refused: leaving the key
// out says "default" better.
func (w *walker) list(n *yaml.Node, path string, most int, each func(*yaml.Node)) {
	if !w.kind(n, yaml.SequenceNode, path, "a list") {
		return
	}
	switch {
	case len(n.Content) == 0:
		w.add(n, path, "leave the key out for the default", "%s is an empty list", path)
	case len(n.Content) > most:
		w.add(n, path, "", "%s has %d elements, at most %d are accepted", path, len(n.Content), most)
		return
	}
	for _, element := range n.Content {
		each(element)
	}
}

// text reads a scalar that YAML takes for a string, not empty, and checks it with rule, which returns message and hint
// of what is wrong, or "". It gives "" when the value was refused.
func (w *walker) text(n *yaml.Node, path string, rule func(string) (message, hint string)) string {
	if !w.kind(n, yaml.ScalarNode, path, "a string") {
		return ""
	}
	if tag := n.ShortTag(); tag != "!!str" {
		message, hint := rule(n.Value)
		switch {
		case tag == "!!null":
			message, hint = "has no value", "leave the key out for the default"
		case message == "": // it would do as a string
			message, hint = "must be a string, YAML reads "+strings.TrimPrefix(tag, "!!"), "put it in quotes"
		}
		w.add(n, path, hint, "%s %s", path, message)
		return ""
	}
	if n.Value == "" {
		w.add(n, path, "leave the key out for the default", "%s is empty", path)
		return ""
	}
	if message, hint := rule(n.Value); message != "" {
		w.add(n, path, hint, "%s %s", path, message)
		return ""
	}
	return n.Value
}

// kind checks what a node is; a node that inspect refused is skipped silently.
func (w *walker) kind(n *yaml.Node, want yaml.Kind, path, description string) bool {
	if inspected(n) {
		return false
	}
	if n.Kind == want {
		return true
	}
	if path == "" {
		path = "the configuration"
	}
	found := "a single value"
	switch {
	case n.Kind == yaml.MappingNode:
		found = "a mapping"
	case n.Kind == yaml.SequenceNode:
		found = "a list"
	case n.ShortTag() == "!!null":
		found = "nothing"
	}
	w.add(n, path, "", "%s must be %s, found %s", path, description, found)
	return false
}

// unknown refuses a key and says what may have been meant. It returns the known key somebody misspelt, which is then
// not reported as missing too, or "".
func (w *walker) unknown(key *yaml.Node, path string, entries []entry) string {
	known := make([]string, 0, len(entries))
	for _, e := range entries {
		known = append(known, e.key)
	}
	meant := near(key.Value, known)
	hint, elsewhere := misplaced(key.Value, path, known)
	if elsewhere {
		meant = "" // a key of another section is that key, however much it resembles one of this
	}
	if meant != "" {
		hint = fmt.Sprintf("did you mean %q?", meant)
	}
	if secretWord.MatchString(key.Value + ":") {
		hint = "secrets are never read from this file"
	}
	w.add(key, join(path, key.Value), hint, "unknown key %s", quoteKey(key.Value))
	return meant
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
