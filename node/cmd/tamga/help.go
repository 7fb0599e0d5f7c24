package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
)

// helpCommand explains commands, codes and topics.
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	var lang string
	c := &cobra.Command{
		Use:   "help [command | exit-codes | codes | TMG-...]",
		Short: "Explain a command, an exit code or a TMG code",
		Example: `  tamga help enrol import
  tamga help exit-codes
  tamga help codes
  tamga help TMG-VER-0003
  tamga help codes --lang ru`,
		RunE: func(_ *cobra.Command, args []string) error {
			if lang != "en" && lang != "ru" {
				return usage("--lang takes en or ru")
			}
			switch {
			case len(args) == 0:
				return root.Help()
			case args[0] == "exit-codes":
				fmt.Fprint(a.out, exitTable)
				return nil
			case args[0] == "codes":
				for _, e := range protocol.Registry() {
					e = inLanguage(e, lang)
					fmt.Fprintf(a.out, "%s  %-12s  %s\n", e.Code, e.Outcome, e.Title)
				}
				return nil
			case strings.HasPrefix(strings.ToUpper(args[0]), "TMG-"):
				return a.explain(protocol.Code(strings.ToUpper(args[0])), lang)
			}
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usage("there is no help on that")
			}
			return c.Help()
		},
	}
	c.Flags().StringVar(&lang, "lang", "en", "language of what codes mean: en, or ru for those of verifications, law and consent")
	return c
}

// inLanguage puts the entry's sentences into the language, where there are any.
func inLanguage(e protocol.CodeEntry, lang string) protocol.CodeEntry {
	if title, next, ok := protocol.Russian(e.Code); ok && lang == "ru" {
		e.Title, e.Next = title, next
	}
	return e
}

func (a *app) explain(c protocol.Code, lang string) error {
	e, ok := protocol.Lookup(c)
	e = inLanguage(e, lang)
	if !ok {
		return &failure{exit: exitUsage, code: protocol.CodeUsage, err: fmt.Errorf("there is no code %q", string(c)), hint: "`tamga help codes` lists them"}
	}
	outcome := string(e.Outcome)
	if outcome == "" {
		outcome = "(not about a verification)"
	}
	return a.emit(map[string]string{"code": string(e.Code), "outcome": string(e.Outcome), "title": e.Title, "next": e.Next},
		[][2]string{{"code", string(e.Code)}, {"outcome", outcome}, {"means", e.Title}, {"now", e.Next}})
}
