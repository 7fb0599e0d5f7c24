package config

import "go.yaml.in/yaml/v3"

// Gallery says what is kept of people beside what they are compared with.
type Gallery struct {
	// gallery.keep_identifiers, default false: whether who is enrolled from now on is kept with the own identifier,
	// sealed under the own key and erased with it; whoever opens the whole gallery then has the numbers as well. Turned
	// off, what was kept stays until the person is erased
	KeepIdentifiers bool
}

// Identify is whether the own register is searched for whom a sample may be of, see node/identify.
type Identify struct {
	Enabled       bool // identify.enabled, default false: law and two officers' order still decide on each search; needs gallery.keep_identifiers
	MaxCandidates int  // identify.max_candidates, default 5, 1 to 20: how many candidates a search tells of; more strangers are among more
	HandleMinutes int  // identify.handle_minutes, default 30, 1 to 1440: how long a candidate can be resolved
	Requester     int  // identify.per_requester, default 20, 1 to 100000: searches by one country in an hour
	Officer       int  // identify.per_officer, default 5, 1 to 10000: by one officer's pseudonym in an hour
	Register      int  // identify.per_day, default 100, 1 to 1000000: by all in a day; each one reads everybody
}

// Defaults of [Identify].
const (
	defaultCandidates    = 5
	defaultHandleMinutes = 30
	defaultByRequester   = 20
	defaultByOfficer     = 5
	defaultOfRegister    = 100
)

// Complete gives what is left out its default.
func (i Identify) Complete() Identify {
	for _, f := range []struct {
		to    *int
		value int
	}{
		{&i.MaxCandidates, defaultCandidates}, {&i.HandleMinutes, defaultHandleMinutes},
		{&i.Requester, defaultByRequester}, {&i.Officer, defaultByOfficer}, {&i.Register, defaultOfRegister},
	} {
		if *f.to == 0 {
			*f.to = f.value
		}
	}
	return i
}

func (w *walker) identify(n *yaml.Node, path string, i *Identify) {
	w.mapping(n, path,
		entry{"enabled", false, w.truth(&i.Enabled)},
		entry{"max_candidates", false, w.number(&i.MaxCandidates, 1, 20)},
		entry{"handle_minutes", false, w.number(&i.HandleMinutes, 1, 1440)},
		entry{"per_requester", false, w.number(&i.Requester, 1, 100_000)},
		entry{"per_officer", false, w.number(&i.Officer, 1, 10_000)},
		entry{"per_day", false, w.number(&i.Register, 1, 1_000_000)},
	)
}

// named refuses searches of which nobody could say whom they found.
func (w *walker) named(n *yaml.Node, c Config) {
	if c.Identify.Enabled && !c.Gallery.KeepIdentifiers {
		w.add(n, "identify.enabled", "set gallery.keep_identifiers, and import people anew who are enrolled without",
			"identify.enabled needs gallery.keep_identifiers: without it nobody can say who a candidate is")
	}
}

func (c Config) renderIdentify(p *page) {
	p.section("gallery", c.Gallery == (Gallery{}))
	p.line("  # Keep people's identifiers, each sealed under the person's own key and erased with it. Without, who is found")
	p.line("  # by a search cannot be named. Holds for who is enrolled from then on.")
	p.flag("keep_identifiers", c.Gallery.KeepIdentifiers)
	p.line("")
	p.section("identify", c.Identify == (Identify{}))
	p.line("  # Search this register for whom a sample may be of, where law and an order that two officers signed allow it. How")
	p.line("  # many candidates a search tells of, and for how many minutes one can be resolved; searches by one country and one")
	p.line("  # officer in an hour, and by all in a day.")
	p.flag("enabled", c.Identify.Enabled)
	p.number("max_candidates", c.Identify.MaxCandidates, defaultCandidates)
	p.number("handle_minutes", c.Identify.HandleMinutes, defaultHandleMinutes)
	p.number("per_requester", c.Identify.Requester, defaultByRequester)
	p.number("per_officer", c.Identify.Officer, defaultByOfficer)
	p.number("per_day", c.Identify.Register, defaultOfRegister)
	p.line("")
}

// section begins one, commented out when nothing in it is set.
func (p *page) section(key string, unset bool) {
	if unset {
		key = "# " + key
	}
	p.line("%s:", key)
}

// flag writes what is set, or its key commented out.
func (p *page) flag(key string, on bool) {
	if on {
		p.line("  %s: true", key)
		return
	}
	p.line("  # %s: true", key)
}
