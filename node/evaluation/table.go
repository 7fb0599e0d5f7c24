package evaluation

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tamga-id/tamga/matcher/evaluate"
)

const (
	groupsFile = "groups.tsv"
	maxColumns = 17 // of a table of groups: the subject and 16 attributes
	maxGroups  = 64 // of one attribute
	maxCell    = 100
)

// readTable reads tab-separated values. The first line names the columns; with
// nil columns any will do. Lines end in LF or CRLF, and the last may be empty.
// Every cell has 1 to 100 bytes of printable UTF-8. Errors are Problems.
func readTable(dir, name string, columns []string) ([][]string, error) {
	raw, err := read(filepath.Join(dir, name), maxTable)
	if err != nil {
		return nil, Problems{{name, rule(err)}}
	}
	text := strings.TrimPrefix(string(raw), "\ufeff")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	wrong := func(line int, format string, args ...any) ([][]string, error) {
		return nil, Problems{{name, fmt.Sprintf("line %d: ", line+1) + fmt.Sprintf(format, args...)}}
	}
	var rows [][]string
	width := 0
	for i, line := range lines {
		row := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		if i == 0 {
			width = len(row)
			if columns != nil && !slices.Equal(row, columns) {
				return wrong(i, "the columns are not %s", strings.Join(columns, ", "))
			}
		}
		if len(row) != width {
			return wrong(i, "%d columns, the first line has %d", len(row), width)
		}
		for k, cell := range row {
			if cell == "" || len(cell) > maxCell || !printable(cell) {
				return wrong(i, "column %d is not 1 to %d bytes of printable text", k+1, maxCell)
			}
		}
		if i == 0 && columns != nil {
			continue
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F })
}

// ReadGroups reads a table whose first column is subject and whose other
// columns are attributes, such as sex, with the subject's group in each. "-"
// is no group. Without a file there are no groups, unless it was named.
func ReadGroups(path string, named bool) ([]evaluate.Grouping, error) {
	if there, err := exists(path); err == nil && !there && !named {
		return nil, nil
	}
	dir, name := filepath.Split(path)
	rows, err := readTable(dir, name, nil)
	if err != nil {
		return nil, err
	}
	header := rows[0]
	if len(header) < 2 || len(header) > maxColumns || header[0] != "subject" {
		return nil, Problems{{name, fmt.Sprintf("line 1: the columns are not subject and 1 to %d attributes", maxColumns-1)}}
	}
	groupings := make([]evaluate.Grouping, len(header)-1)
	seen := make([]map[string]bool, len(groupings))
	for k := range groupings {
		if slices.Contains(header[:k+1], header[k+1]) {
			return nil, Problems{{name, fmt.Sprintf("line 1: column %d has the name of another", k+2)}}
		}
		groupings[k] = evaluate.Grouping{Attribute: header[k+1], Of: map[string]string{}}
		seen[k] = map[string]bool{}
	}
	subjects := map[string]bool{}
	for i, row := range rows[1:] {
		if subjects[row[0]] {
			return nil, Problems{{name, fmt.Sprintf("line %d: the subject stands on an earlier line", i+2)}}
		}
		subjects[row[0]] = true
		for k, group := range row[1:] {
			if group == "-" {
				continue
			}
			groupings[k].Of[row[0]] = group
			if seen[k][group] = true; len(seen[k]) > maxGroups {
				return nil, Problems{{name, fmt.Sprintf("line %d: column %d has more than %d groups", i+2, k+2, maxGroups)}}
			}
		}
	}
	return groupings, nil
}
