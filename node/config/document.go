package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds nesting; the deepest key of a configuration is at 4.
const maxDepth = 12

// walker reads one file and collects its problems.
type walker struct {
	file     string
	base     string // folder relative paths start from, absolute
	nowhere  bool   // the text is in no file yet: what lies in its folder cannot be told
	lines    []string
	problems []Problem
}

func newWalker(file string, src []byte) *walker {
	base, err := filepath.Abs(filepath.Dir(file))
	if err != nil { // no working directory: leave the folder relative, as the system does
		base = filepath.Dir(file)
	}
	return &walker{file: file, base: base, lines: strings.Split(string(src[:min(len(src), maxSize)]), "\n")}
}

// at adds a problem at a place, moved into the text if the parser pointed past it.
func (w *walker) at(line, col int, key, hint, format string, args ...any) {
	line, col = min(max(line, 1), len(w.lines)), max(col, 1)
	w.problems = append(w.problems, Problem{
		File: w.file, Line: line, Col: col, Key: key,
		Message: fmt.Sprintf(format, args...), Hint: hint, Source: showSource(w.lines[line-1]),
	})
}

// add adds a problem at a node.
func (w *walker) add(n *yaml.Node, key, hint, format string, args ...any) {
	w.at(n.Line, n.Column, key, hint, format, args...)
}

// err gives the problems in the order of the text; nil if there is none.
func (w *walker) err() error {
	if len(w.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(w.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return &Errors{Problems: w.problems}
}

// document checks the bytes and gives the root of the only document, or nil with at least one problem.
func (w *walker) document(src []byte) *yaml.Node {
	if len(src) > maxSize {
		w.at(1, 1, "", "", "file is longer than %d bytes", maxSize)
		return nil
	}
	if !w.characters() {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil {
		w.syntax(err)
		return nil
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		w.add(&second, "", "keep the first and delete the rest", "file holds more than one YAML document")
	case !errors.Is(err, io.EOF):
		w.syntax(err)
		return nil
	}
	if first.Kind != yaml.DocumentNode || len(first.Content) != 1 {
		w.at(1, 1, "", "", "file holds no configuration")
		return nil
	}
	return first.Content[0]
}

// characters refuses what makes text read differently from what it says, and line breaks that only YAML knows, which
// would make every line number wrong.
func (w *walker) characters() bool {
	for i, line := range w.lines {
		line = strings.TrimSuffix(line, "\r")
		for col := 1; line != ""; col++ {
			r, size := utf8.DecodeRuneInString(line)
			line = line[size:]
			if r == utf8.RuneError && size == 1 {
				w.at(i+1, col, "", "save the file as UTF-8", "byte is not UTF-8")
				break // one problem a line is enough
			}
			if r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
				w.at(i+1, col, "", "", "character %U is not allowed", r)
				break
			}
		}
	}
	return len(w.problems) == 0
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+): `)
	yamlAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// syntax adds what the YAML parser says, with the best place it gives.
func (w *walker) syntax(err error) {
	if errors.Is(err, io.EOF) {
		w.at(1, 1, "", "", "file holds no configuration")
		return
	}
	message, line, col := strings.TrimPrefix(err.Error(), "yaml: "), 1, 1
	if m := yamlAnchor.FindStringSubmatch(message); m != nil {
		message = "aliases are not accepted"
		for i, text := range w.lines {
			if at := strings.Index(text, "*"+m[1]); at >= 0 {
				line, col = i+1, utf8.RuneCountInString(text[:at])+1
				break
			}
		}
	} else if m := yamlLine.FindStringSubmatchIndex(message); m != nil {
		line, _ = strconv.Atoi(message[m[2]:m[3]])
		line = min(max(line, 1), len(w.lines))
		message = message[:m[0]] + message[m[1]:]
		text := w.lines[line-1]
		col = len(text) - len(strings.TrimLeft(text, " \t")) + 1
	}
	w.at(line, col, "", "", "not YAML: %s", message)
}

// inspect refuses, anywhere in the tree, the parts of YAML a configuration has no use for.
func (w *walker) inspect(n *yaml.Node, depth int) {
	const plain = "write the value out"
	if depth > maxDepth {
		w.add(n, "", "", "nesting is deeper than %d", maxDepth)
		return
	}
	if n.Kind == yaml.AliasNode {
		w.add(n, "", plain, "aliases are not accepted")
		return
	}
	if n.Anchor != "" {
		w.add(n, "", plain, "anchors are not accepted")
	}
	if isMerge(n) {
		w.add(n, "", plain, "merge keys are not accepted")
	} else if n.Style&yaml.TaggedStyle != 0 {
		w.add(n, "", plain, "tags are not accepted")
	}
	for _, child := range n.Content {
		w.inspect(child, depth+1)
	}
}

func isMerge(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!merge"
}

// inspected reports whether n was already refused and need not be read.
func inspected(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || isMerge(n) || n.Style&yaml.TaggedStyle != 0
}
