package person

import (
	"strings"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// Subject reads what --subject says.
func Subject(a *cli.App, s string) (pseudonym.Identifier, error) {
	if s == "-" {
		line, err := cli.ReadPassphrase(a.In)
		if err != nil {
			return pseudonym.Identifier{}, fault.Usage("no subject on standard input")
		}
		s = string(line)
	}
	parts := strings.SplitN(s, ":", 3)
	if len(parts) != 3 {
		return pseudonym.Identifier{}, fault.Usage("--subject takes COUNTRY:TYPE:VALUE")
	}
	id, err := pseudonym.Identifier{Jurisdiction: parts[0], Type: parts[1], Value: parts[2]}.Normalize()
	if err != nil {
		return pseudonym.Identifier{}, fault.Usage("--subject takes COUNTRY:TYPE:VALUE, the country in three letters, the type passport or national_number")
	}
	return id, nil
}
