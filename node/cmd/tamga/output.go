package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
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
		fmt.Fprintf(w, "%s\t%s\n", onOneLine(r[0]), onOneLine(r[1]))
	}
	return w.Flush()
}

// say prints talk, never results, to stderr: one line, whatever the names in it.
func (a *app) say(format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = onOneLine(text)
		}
	}
	fmt.Fprintf(a.err, format+"\n", args...)
}

// onOneLine quotes a text that would break a table or speak to the terminal: files
// and what is named after them may have come from anybody.
func onOneLine(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable) {
		return text
	}
	return strconv.Quote(text)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// onLines is onOneLine for a text that may have several lines of its own: what else
// cannot be printed is escaped where it stands.
func onLines(text string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if r != '\n' && unprintable(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

const maxPassphrase = 1024

// secretFlags say where a passphrase comes from. It is never a flag's value and
// never in the environment.
type secretFlags struct {
	file   string
	fd     int    // -1: none
	prefix string // of the flags, and of the credential behind tamga-
}

func (s *secretFlags) add(f *pflag.FlagSet, whose string) {
	f.StringVar(&s.file, s.prefix+"passphrase-file", "", "file with the passphrase"+whose+", - for standard input")
	f.IntVar(&s.fd, s.prefix+"passphrase-fd", -1, "number of an open file descriptor to read it from instead")
}

// credential is the file of the systemd credential that holds the passphrase.
func (a *app) credential(s secretFlags) string {
	return filepath.Join(a.credentials, "tamga-"+s.prefix+"passphrase")
}

// rootFlags say how the root key is opened: with a passphrase, with shares, or with a key in a
// PKCS#11 token, whose PIN then comes from where the passphrase does.
type rootFlags struct {
	secretFlags
	module, token, key string
	shares, identities []string   // of custodians who are at this machine, in the same order
	pseudonym          *rootFlags // of the pseudonym keystore; nil where the command needs none
}

// pseudonymPrefix begins the flags that say how the pseudonym keystore is opened.
const pseudonymPrefix = "pseudonym-"

// addBoth is add for commands that compute pseudonyms.
func (r *rootFlags) addBoth(f *pflag.FlagSet, whose string) {
	r.add(f, whose)
	r.pseudonym = &rootFlags{secretFlags: secretFlags{prefix: pseudonymPrefix}}
	r.pseudonym.add(f, " of the pseudonym keystore, where there is one")
}

func (r *rootFlags) add(f *pflag.FlagSet, whose string) {
	r.secretFlags.add(f, whose+"; the token's PIN with --"+r.prefix+"pkcs11-module")
	f.StringArrayVar(&r.shares, r.prefix+"share", nil, "sealed share of a custodian, instead of a passphrase; once for each that is needed")
	f.StringArrayVar(&r.identities, r.prefix+"identity", nil, "age identity that opens the share, in the same order")
	r.addToken(f)
}

func (r *rootFlags) addToken(f *pflag.FlagSet) {
	f.StringVar(&r.module, r.prefix+"pkcs11-module", "", "PKCS#11 library of the token that opens it (builds with -tags pkcs11)")
	f.StringVar(&r.token, r.prefix+"pkcs11-token", "tamga", "label of the token")
	f.StringVar(&r.key, r.prefix+"pkcs11-key", "tamga-"+r.prefix+"root", "label of the key in it")
}

// given reports whether there is a passphrase without asking a person.
func (a *app) given(s secretFlags) bool {
	if s.file != "" || s.fd >= 0 {
		return true
	}
	_, err := os.Stat(a.credential(s))
	return a.credentials != "" && err == nil
}

// secret reads the passphrase that s names, or systemd's credential, or asks.
func (a *app) secret(s secretFlags, prompt string) ([]byte, error) {
	switch {
	case s.file != "" && s.fd >= 0:
		return nil, usage("--%[1]spassphrase-file and --%[1]spassphrase-fd exclude each other", s.prefix)
	case s.fd >= 0:
		f := os.NewFile(uintptr(s.fd), "passphrase")
		if f == nil {
			return nil, usage("--%spassphrase-fd is no open file descriptor", s.prefix)
		}
		defer f.Close()
		p, err := readPassphrase(f)
		if errors.Is(err, syscall.EBADF) {
			return nil, usage("--%spassphrase-fd is no open file descriptor", s.prefix)
		}
		return p, err
	case s.file == "" && a.given(s):
		return a.passphrase(a.credential(s), prompt)
	}
	return a.passphrase(s.file, prompt)
}

// shortPassphrase is the least length of a password that is the only factor: NIST SP
// 800-63B-4, section 3.1.1.2.
const shortPassphrase = 15

// warnShort says that a new passphrase is short. It is the operator's to choose: keys of a
// trial need no long one.
func (a *app) warnShort(pass []byte) {
	if n := utf8.RuneCount(pass); n > 0 && n < shortPassphrase {
		a.say("warning: the passphrase has %d characters: who has a copy of the file guesses short ones. Take %d or more, such as five random words",
			n, shortPassphrase)
	}
}

// passphrase reads a secret from a file, from stdin ("-"), or at a terminal.
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
