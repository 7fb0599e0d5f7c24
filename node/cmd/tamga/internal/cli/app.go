// Package cli is what every command of tamga needs of its surroundings: an App with the streams and
// the form of output, results and talk in it, secrets that a person, a file or systemd gives, and the
// exit code of an error.
package cli

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/protocol/sentences"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// App is what every command needs of its surroundings. It is not safe for concurrent use.
type App struct {
	Args     []string // of the command line, without the program's name
	In       io.Reader
	Out, Err io.Writer // results, and everything else
	Format   string    // -o: table, json or ndjson

	// Language is that of what codes mean: --language, or what the environment says.
	Language string

	// Credentials is the folder in which systemd puts a service's credentials
	// (systemd.exec(5)), or empty. It comes from the environment, which only main
	// reads.
	Credentials string
}

// LanguageOf is the language of the first that is set of LC_ALL, LC_MESSAGES and LANG (POSIX.1-2017, 8.2): Russian, or
// English for every other.
func LanguageOf(locales ...string) string {
	for _, l := range locales {
		if l == "" {
			continue
		}
		if l == sentences.Russian || strings.HasPrefix(l, sentences.Russian+"_") || strings.HasPrefix(l, sentences.Russian+".") {
			return sentences.Russian
		}
		break
	}
	return sentences.English
}

// Sentences are those of the code in the command's language.
func (a *App) Sentences(c protocol.Code) protocol.CodeEntry {
	e, _ := protocol.Lookup(c)
	return sentences.In(a.Language, e)
}

// Terminal reports whether w is a terminal that may be drawn on.
func Terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// NeedDir demands the folder of a node.
func NeedDir(dir string) error {
	if dir == "" {
		return fault.Usage("--dir is needed: the folder that `tamga init` made")
	}
	return nil
}
