package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

const maxPassphrase = 1024

// SecretFlags say where a passphrase comes from. It is never a flag's value and
// never in the environment.
type SecretFlags struct {
	File   string
	FD     int    // -1: none
	Prefix string // of the flags, and of the credential behind tamga-
}

// Add defines the flags. whose says in their help what the passphrase opens.
func (s *SecretFlags) Add(f *pflag.FlagSet, whose string) {
	f.StringVar(&s.File, s.Prefix+"passphrase-file", "", "file with the passphrase"+whose+", - for standard input")
	f.IntVar(&s.FD, s.Prefix+"passphrase-fd", -1, "number of an open file descriptor to read it from instead")
}

// credential is the file of the systemd credential that holds the passphrase.
func (a *App) credential(s SecretFlags) string {
	return filepath.Join(a.Credentials, "tamga-"+s.Prefix+"passphrase")
}

// Given reports whether there is a passphrase without asking a person.
func (a *App) Given(s SecretFlags) bool {
	if s.File != "" || s.FD >= 0 {
		return true
	}
	_, err := os.Stat(a.credential(s))
	return a.Credentials != "" && err == nil
}

// Secret reads the passphrase that s names, or systemd's credential, or asks.
func (a *App) Secret(s SecretFlags, prompt string) ([]byte, error) {
	switch {
	case s.File != "" && s.FD >= 0:
		return nil, fault.Usage("--%[1]spassphrase-file and --%[1]spassphrase-fd exclude each other", s.Prefix)
	case s.FD >= 0:
		f := os.NewFile(uintptr(s.FD), "passphrase")
		if f == nil {
			return nil, fault.Usage("--%spassphrase-fd is no open file descriptor", s.Prefix)
		}
		defer f.Close()
		p, err := ReadPassphrase(f)
		if errors.Is(err, syscall.EBADF) {
			return nil, fault.Usage("--%spassphrase-fd is no open file descriptor", s.Prefix)
		}
		return p, err
	case s.File == "" && a.Given(s):
		return a.Passphrase(a.credential(s), prompt)
	}
	return a.Passphrase(s.File, prompt)
}

// shortPassphrase is the least length of a password that is the only factor: NIST SP
// 800-63B-4, section 3.1.1.2.
const shortPassphrase = 15

// WarnShort says that a new passphrase is short. It is the operator's to choose: keys of a
// trial need no long one.
func (a *App) WarnShort(pass []byte) {
	if n := utf8.RuneCount(pass); n > 0 && n < shortPassphrase {
		a.Say("warning: the passphrase has %d characters: who has a copy of the file guesses short ones. Take %d or more, such as five random words",
			n, shortPassphrase)
	}
}

// Passphrase reads a secret from a file, from stdin ("-"), or at a terminal.
func (a *App) Passphrase(file, prompt string) ([]byte, error) {
	switch {
	case file == "-":
		return ReadPassphrase(a.In)
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading passphrase file: %w", err)
		}
		defer f.Close()
		return ReadPassphrase(f)
	case Terminal(a.In):
		fmt.Fprint(a.Err, prompt+": ")
		p, err := term.ReadPassword(int(a.In.(*os.File).Fd()))
		fmt.Fprintln(a.Err)
		if err != nil {
			return nil, fmt.Errorf("reading passphrase: %w", err)
		}
		return p, nil
	}
	return nil, fault.Usage("a passphrase is needed and there is no terminal to ask on: give --passphrase-file FILE, or - for standard input")
}

// ReadPassphrase reads a line of at most 1,024 bytes. The caller clears it.
func ReadPassphrase(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPassphrase+1)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading passphrase: %w", err)
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	if len(line) == 0 || len(line) > maxPassphrase {
		return nil, fault.Usage("the passphrase is empty or longer than %d bytes", maxPassphrase)
	}
	return line, nil
}
