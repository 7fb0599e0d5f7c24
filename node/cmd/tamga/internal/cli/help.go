package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/protocol/sentences"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// HelpCommand explains commands, codes and topics.
func (a *App) HelpCommand(root *cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   "help [command | exit-codes | codes | TMG-...]",
		Short: "Explain a command, an exit code or a TMG code",
		Example: `  tamga help enrol import
  tamga help exit-codes -o json
  tamga help codes
  tamga help TMG-VER-0003
  tamga help codes --language ru`,
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return root.Help()
			case args[0] == "exit-codes":
				if a.Format != "table" {
					return a.Emit(map[string]any{"exit_codes": fault.Exits()}, nil)
				}
				fmt.Fprint(a.Out, fault.ExitTable())
				return nil
			case args[0] == "codes":
				return a.codes()
			case strings.HasPrefix(strings.ToUpper(args[0]), "TMG-"):
				return a.explain(protocol.Code(strings.ToUpper(args[0])))
			}
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return fault.Usage("there is no help on that")
			}
			return c.Help()
		},
	}
	return c
}

// codes lists the registry; a table has no room for what to do now.
func (a *App) codes() error {
	views := []map[string]string{}
	for _, e := range protocol.Registry() {
		e = sentences.In(a.Language, e)
		views = append(views, map[string]string{"code": string(e.Code), "outcome": string(e.Outcome), "title": e.Title, "next": e.Next})
		if a.Format == "table" {
			fmt.Fprintf(a.Out, "%s  %-12s  %s\n", e.Code, e.Outcome, e.Title)
		}
	}
	if a.Format == "table" {
		return nil
	}
	return a.Emit(map[string]any{"codes": views}, nil)
}

func (a *App) explain(c protocol.Code) error {
	e, ok := protocol.Lookup(c)
	e = sentences.In(a.Language, e)
	if !ok {
		return &fault.Failure{Exit: fault.ExitUsage, Code: protocol.CodeUsage, Err: fmt.Errorf("there is no code %q", string(c)), Hint: "`tamga help codes` lists them"}
	}
	outcome := string(e.Outcome)
	if outcome == "" {
		outcome = "(not about a verification)"
	}
	return a.Emit(map[string]string{"code": string(e.Code), "outcome": string(e.Outcome), "title": e.Title, "next": e.Next},
		[][2]string{{"code", string(e.Code)}, {"outcome", outcome}, {"means", e.Title}, {"now", e.Next}})
}
