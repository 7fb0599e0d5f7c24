//go:build pkcs11

package token_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/custody/token"
)

const pin = "123456"

// soft makes a SoftHSM2 token of its own.
func soft(t *testing.T) token.Config {
	t.Helper()
	var module string
	for _, p := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(p); err == nil {
			module = p
		}
	}
	if module == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("softhsm2 is absent, and under CI it must not be")
		}
		t.Skip("softhsm2 is absent")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "tamga", "--so-pin", "87654321", "--pin", pin).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return token.Config{Module: module, Token: "tamga", Key: "root", PIN: []byte(pin), Make: true}
}

func open(t *testing.T, cfg token.Config) *token.Token {
	t.Helper()
	k, err := token.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func closeToken(t *testing.T, k *token.Token) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRoot keeps a root under the token, over a restart, beside a passphrase.
func TestRoot(t *testing.T) {
	cfg := soft(t)
	path := filepath.Join(t.TempDir(), "root.json")
	root, err := custody.Create(path, custody.Passphrase([]byte("p"), custody.TestParams()))
	if err != nil {
		t.Fatal(err)
	}
	k := open(t, cfg)
	if err := custody.Protect(path, root, custody.Token(k)); err != nil {
		t.Fatal(err)
	}
	closeToken(t, k)
	if err := custody.Unprotect(path, root, custody.KindPassphrase); err != nil {
		t.Fatal(err)
	}

	cfg.Make = false // as a starting node
	k = open(t, cfg)
	again, err := custody.OpenToken(path, k)
	if err != nil || again.Derive("tamga/v1/test") != root.Derive("tamga/v1/test") {
		t.Fatalf("opened: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte(`"sealed": "`)) + 30
	data[at] = map[bool]byte{true: 'B', false: 'A'}[data[at] == 'A']
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.OpenToken(path, k); !errors.Is(err, custody.ErrPassphrase) {
		t.Errorf("an altered lock: %v, want ErrPassphrase", err)
	}
	closeToken(t, k)
}

func TestRefuses(t *testing.T) {
	good := soft(t)
	closeToken(t, open(t, good))
	for name, edit := range map[string]func(*token.Config){
		"module": func(c *token.Config) { c.Module = "/nowhere.so" },
		"token":  func(c *token.Config) { c.Token = "other" },
		"pin":    func(c *token.Config) { c.PIN = []byte("654321") },
		"key":    func(c *token.Config) { c.Key, c.Make = "other", false },
	} {
		cfg := good
		edit(&cfg)
		if k, err := token.Open(cfg); !errors.Is(err, token.ErrToken) || k != nil {
			t.Errorf("%s: %v, want ErrToken", name, err)
		}
	}
}
