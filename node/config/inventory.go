package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// inventory reads the list of biometric data: every member is required, so that a list which names a law for one kind of
// data cannot leave it open for the next.
func (w *walker) inventory(n *yaml.Node, path string, to *[]inventory.Entry) {
	seen := map[[3]string]bool{}
	w.list(n, path, inventory.MaxEntries, func(element *yaml.Node) {
		var e inventory.Entry
		before := len(w.problems)
		w.mapping(element, path,
			entry{"type", true, w.into(&e.Type, ruleOneOf(vocabulary.BiometricTypes()))},
			entry{"form", true, w.into(&e.Form, ruleOneOf(vocabulary.BiometricForms()))},
			entry{"source", true, w.into(&e.Source, ruleCitation)},
			entry{"law", true, w.into(&e.Law, ruleCitation)},
			entry{"article", true, w.into(&e.Article, ruleCitation)},
			entry{"retention", true, w.into(&e.Retention, ruleHeld)},
		)
		if len(w.problems) == before && seen[e.Key()] {
			w.add(element, path, "", "%s has the same type, form and source twice", path)
		}
		seen[e.Key()] = true
		*to = append(*to, e)
	})
}

func ruleOneOf(words []string) func(string) (message, hint string) {
	return func(s string) (message, hint string) {
		if slices.Contains(words, s) {
			return "", ""
		}
		return "must be one of " + strings.Join(words, ", "), ""
	}
}

func ruleCitation(s string) (message, hint string) {
	if !inventory.IsText(s) {
		return fmt.Sprintf("must be one printable line of at most %d bytes", inventory.MaxText), ""
	}
	return "", ""
}

func ruleHeld(s string) (message, hint string) {
	if !inventory.IsRetention(s) {
		return "must be an ISO 8601 duration in years, months and days, or " + inventory.Unlimited, "for example P10Y or P1Y6M"
	}
	return "", ""
}

func (c Config) renderInventory(p *page) {
	p.line("# The list of biometric data: what the country holds of people, from where, by which law and article, and for how long")
	p.line("# (ISO 8601). Peers and officers see it; `tamga policy vocabulary` lists types and forms.")
	if len(c.BiometricData) == 0 {
		p.line("# biometric_data:")
		p.line("#   - {type: face, form: template, source: applications for passports, law: the act, article: Article 1, retention: P10Y}")
	} else {
		p.line("biometric_data:")
	}
	for _, e := range c.BiometricData {
		p.line("  - type: %s", scalar(e.Type))
		p.line("    form: %s", scalar(e.Form))
		p.line("    source: %s", scalar(e.Source))
		p.line("    law: %s", scalar(e.Law))
		p.line("    article: %s", scalar(e.Article))
		p.line("    retention: %s", scalar(e.Retention))
	}
	p.line("")
}
