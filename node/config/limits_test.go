package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/config"
)

func TestLimitsAndProxy(t *testing.T) {
	c := sample()
	c.Limits = config.Limits{Handlers: 4, Rate: 100, Memory: 64 << 20, Quantum: 20}
	c.Trust.Proxy = "socks5h://[::1]:1080"
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Parse("/srv/tamga.yaml", text)
	if err != nil || got.Limits != c.Limits || got.Trust.Proxy != c.Trust.Proxy {
		t.Errorf("read back %+v and %q, %v", got.Limits, got.Trust.Proxy, err)
	}
	plain, err := sample().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"limits: {rate: 0}", "limits: {rate: many}", "limits: {rate: 1.5}", "limits: {handlers: 5000}", "limits: {memory: 1048576}",
		"limits: {bytes: -1}", "limits: {quantum_ms: 0}", "limits: {rate: [1]}", "limits: {speed: 1}", "limits: 5",
	} {
		_, err := config.Parse("/srv/tamga.yaml", append(plain[:len(plain):len(plain)], bad+"\n"...))
		if _, ok := errors.AsType[*config.Errors](err); !ok || !strings.Contains(err.Error(), "limits") && !strings.Contains(err.Error(), "speed") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, bad := range []string{"ftp://proxy:1", "proxy:1080", "socks5://user:word@proxy:1080"} {
		c := sample()
		c.Trust.Proxy = bad
		if _, err := c.Marshal(); err == nil {
			t.Errorf("proxy %q is accepted", bad)
		}
	}
}
