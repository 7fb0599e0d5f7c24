package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"golang.org/x/term"
)

// emit prints a result: as one JSON value, or as a table of name and value.
func (a *app) emit(v any, rows [][2]string) error {
	if a.format != "table" {
		enc := json.NewEncoder(a.out)
		if a.format == "json" {
			enc.SetIndent("", "  ")
		}
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\n", r[0], r[1])
	}
	return w.Flush()
}

// say prints talk, never results, to stderr.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }

const maxPassphrase = 1024

// passphrase reads a secret from a file, from stdin ("-"), or at a terminal. It is
// never a flag's value and never in the environment.
func (a *app) passphrase(file, prompt string) ([]byte, error) {
	switch {
	case file == "-":
		return readPassphrase(a.in)
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading passphrase file: %w", err)
		}
		defer f.Close()
		return readPassphrase(f)
	case terminal(a.in):
		fmt.Fprint(a.err, prompt+": ")
		p, err := term.ReadPassword(int(a.in.(*os.File).Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return nil, fmt.Errorf("reading passphrase: %w", err)
		}
		return p, nil
	}
	return nil, usage("a passphrase is needed and there is no terminal to ask on: give --passphrase-file FILE, or - for standard input")
}

func readPassphrase(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPassphrase+1)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading passphrase: %w", err)
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	if len(line) == 0 || len(line) > maxPassphrase {
		return nil, usage("the passphrase is empty or longer than %d bytes", maxPassphrase)
	}
	return line, nil
}
