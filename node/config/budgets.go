package config

import "go.yaml.in/yaml/v3"

// Budgets are how many Queries about the own register there may be, see node/budget. 0 is
// no limit; without any, Queries are counted only where the law in force asks how many there were.
type Budgets struct {
	Requester  int // budgets.requester, 1 to 10000000: by one country in an hour
	Officer    int // budgets.officer, 1 to 1000000: by one officer's pseudonym in an hour; too low stops a counter at its busiest
	Purpose    int // budgets.purpose, 1 to 10000000: by one country for one purpose in an hour
	Subject    int // budgets.subject, 1 to 1000000: about one person in a day; who is asked about so often is refused to all
	Misses     int // budgets.misses, 2 to 1000: without a match, one after the other, until a person is locked for that country for a day
	ProbeHours int // budgets.probe_hours, 1 to 720: for how long the same sample about the same person is refused; then officers must capture anew to ask again
}

func (w *walker) budgets(n *yaml.Node, path string, b *Budgets) {
	w.mapping(n, path,
		entry{"requester", false, w.number(&b.Requester, 1, 10_000_000)},
		entry{"officer", false, w.number(&b.Officer, 1, 1_000_000)},
		entry{"purpose", false, w.number(&b.Purpose, 1, 10_000_000)},
		entry{"subject", false, w.number(&b.Subject, 1, 1_000_000)},
		entry{"misses", false, w.number(&b.Misses, 2, 1000)},
		entry{"probe_hours", false, w.number(&b.ProbeHours, 1, 720)},
	)
}

func (c Config) renderBudgets(p *page) {
	b, comment := c.Budgets, ""
	if b == (Budgets{}) {
		comment = "# "
	}
	p.line("%sbudgets:", comment)
	p.line("  # Questions about this register, against people who try numbers or samples one after the other: by one country,")
	p.line("  # by one officer and for one purpose in an hour; about one person in a day; misses in a row that lock a person for")
	p.line("  # that country for a day; for how many hours the same sample about a person is refused.")
	p.number("requester", b.Requester, 20_000)
	p.number("officer", b.Officer, 120)
	p.number("purpose", b.Purpose, 20_000)
	p.number("subject", b.Subject, 50)
	p.number("misses", b.Misses, 5)
	p.number("probe_hours", b.ProbeHours, 24)
	p.line("")
}
