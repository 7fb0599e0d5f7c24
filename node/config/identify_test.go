package config_test

import (
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/config"
)

func TestIdentify(t *testing.T) {
	c := sample()
	c.Gallery.KeepIdentifiers = true
	c.Identify = config.Identify{Enabled: true, MaxCandidates: 3, Officer: 2}
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Parse("/srv/tamga.yaml", text)
	if err != nil || got.Identify != c.Identify || got.Gallery != c.Gallery {
		t.Errorf("read back %+v and %+v, %v", got.Identify, got.Gallery, err)
	}
	if i := got.Identify.Complete(); i.MaxCandidates != 3 || i.Officer != 2 || i.HandleMinutes == 0 || i.Requester == 0 || i.Register == 0 {
		t.Errorf("completed to %+v", i)
	}
	plain, err := sample().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"identify: {enabled: true}", "identify: {enabled: 1}", "identify: {max_candidates: 21}", "identify: {max_candidates: 0}",
		"identify: {handle_minutes: 1441}", "identify: {who: all}", "gallery: {keep_identifiers: maybe}", "gallery: {identifiers: true}",
	} {
		if _, err := config.Parse("/srv/tamga.yaml", append(plain[:len(plain):len(plain)], bad+"\n"...)); err == nil ||
			!strings.Contains(err.Error(), "identif") && !strings.Contains(err.Error(), "candidates") && !strings.Contains(err.Error(), "minutes") && !strings.Contains(err.Error(), "who") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
