package transport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

func TestCloseWaitsForExchanges(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		m := membership(t, "a", "b")
		arrived, release := make(chan struct{}), make(chan struct{})
		hold := func(_ context.Context, _ transport.PeerID, f []byte) ([]byte, error) {
			close(arrived)
			<-release
			return f, nil
		}
		b := start(t, "b", m, map[string]transport.Handler{transport.ProtocolQuery: hold}, nil)
		a := start(t, "a", m, nil, nil)
		var wg sync.WaitGroup
		wg.Go(func() { ask(t, a, b, only(b, kind), "in flight while b closes") })
		<-arrived
		closed := make(chan error, 1) // one result
		wg.Go(func() { closed <- b.Close() })
		eventually(t, "b takes nothing new", func() bool {
			_, err := b.Exchange(t.Context(), a.PeerID(), nil, transport.ProtocolQuery, []byte("x"))
			return errors.Is(err, transport.ErrClosed)
		})
		select {
		case err := <-closed:
			t.Fatalf("Close returned %v with an exchange in flight", err)
		default:
		}
		close(release)
		wg.Wait()
		if err := <-closed; err != nil {
			t.Fatalf("Close: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Fatalf("second Close: %v", err)
		}
	})
}

func TestCloseCutsOffAfterDrainTimeout(t *testing.T) {
	m := membership(t, "a", "b")
	arrived := make(chan struct{})
	hold := func(ctx context.Context, _ transport.PeerID, _ []byte) ([]byte, error) {
		close(arrived)
		<-ctx.Done() // ends with the host, long before its own deadline
		return nil, ctx.Err()
	}
	b := start(t, "b", m, map[string]transport.Handler{transport.ProtocolQuery: hold},
		func(c *transport.Config) { c.DrainTimeout = 50 * time.Millisecond })
	a := start(t, "a", m, nil, nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := a.Exchange(t.Context(), b.PeerID(), b.Addresses(), transport.ProtocolQuery, []byte("x"))
		if !errors.Is(err, transport.ErrInterrupted) {
			t.Errorf("Exchange = %v, want ErrInterrupted", err)
		}
	})
	<-arrived
	if err := b.Close(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v, want the drain's deadline", err)
	}
	wg.Wait()
}

func TestCloseEndsDials(t *testing.T) {
	m := membership(t, "a", "b")
	a := start(t, "a", m, nil, func(c *transport.Config) { c.DialTimeout, c.DrainTimeout = time.Minute, time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	begun := make(chan struct{})
	wg.Go(func() {
		close(begun)
		if _, err := a.Exchange(ctx, peerID(t, "b"), []string{"/ip4/127.0.0.1/udp/9/quic-v1"}, transport.ProtocolQuery, []byte("x")); err == nil {
			t.Error("Exchange with nobody succeeded")
		}
	})
	<-begun
	_ = a.Close()
	wg.Wait()
}

func TestConfigFaults(t *testing.T) {
	_, err := transport.New(transport.Config{Seed: seed("a"), Listen: []string{"/ip4/127.0.0.1/tcp/0/ws", "x"},
		MaxFrame: transport.MaxFrame + 1, MaxStreamsPeer: 1000, IdleTimeout: -1}, nil)
	if err == nil {
		t.Fatal("New accepted a faulty configuration")
	}
	for _, want := range []string{"/tcp/0/ws", `"x"`, "MaxFrame", "MaxStreamsPeer", "IdleTimeout", "Admit"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not report %s: %v", want, err)
		}
	}
	m := membership(t)
	if _, err := transport.New(transport.Config{Seed: seed("a")[:31], Admit: m.admit}, nil); err == nil {
		t.Error("New accepted a short seed")
	}
	if _, err := transport.New(transport.Config{Seed: seed("a"), Admit: m.admit}, map[string]transport.Handler{"/x": nil}); err == nil {
		t.Error("New accepted a protocol without handler")
	}
	a := start(t, "a", m, nil, nil)
	bare, _, _ := strings.Cut(only(a, "tcp")[0], "/p2p/")
	if _, err := transport.New(transport.Config{Seed: seed("b"), Admit: m.admit, Listen: []string{listenQUIC, bare}}, nil); err == nil {
		t.Error("New succeeded though one address was taken")
	}
}

// An address in use is the operator's to mend, so the error says so in a form that can be told from others.
func TestAddressInUse(t *testing.T) {
	m := membership(t)
	transports(t, func(t *testing.T, kind string) {
		taken := only(start(t, "a", m, nil, nil), kind)[0]
		taken, _, _ = strings.Cut(taken, "/p2p/")
		_, err := transport.New(transport.Config{Seed: seed("b"), Admit: m.admit, Listen: []string{taken}}, nil)
		if !errors.Is(err, transport.ErrListen) || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken) {
			t.Errorf("New on %s: %v", taken, err)
		}
	})
}

func TestConfigHidesSeed(t *testing.T) {
	cfg := transport.Config{Seed: []byte("0123456789abcdef0123456789abcdef")}
	log := &logBook{}
	log.logger().Info("x", "config", cfg)
	for _, s := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprintf("%x", cfg), log.String()} {
		if strings.Contains(s, "0123456789abcdef") || strings.Contains(s, "48 49 50") || strings.Contains(s, "30313233") {
			t.Errorf("seed shown in %s", s)
		}
	}
}

func TestAddresses(t *testing.T) {
	a := start(t, "a", membership(t), nil, func(c *transport.Config) { c.Listen = []string{listenTCP, listenQUIC} })
	got := a.Addresses()
	if len(got) != 2 || !strings.Contains(got[0], "/quic-v1/p2p/") || !strings.Contains(got[1], "/tcp/") {
		t.Fatalf("Addresses = %v, want QUIC then TCP", got)
	}
	for _, s := range got {
		if strings.Contains(s, "/0/") || !strings.HasSuffix(s, "/p2p/"+string(a.PeerID())) {
			t.Errorf("address %s has no port or no peer id", s)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := a.Addresses(); len(got) != 0 {
		t.Errorf("Addresses of a closed host = %v", got)
	}
}

func TestPeerID(t *testing.T) {
	// RFC 8032 section 7.1, test 1: the public key is d75a9801…511a; its peer ID is recomputed here from the libp2p
	// peer ID specification: base58 of 00 24 (identity, 36 bytes) 08 01 12 20 (Ed25519, 32 bytes) and the key.
	secret := []byte{0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
		0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60}
	id, err := transport.PeerIDFromSeed(secret)
	if err != nil || id != base58PeerID("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a") {
		t.Fatalf("PeerIDFromSeed = %v, %v", id, err)
	}
	for _, row := range []struct {
		name, in string
		want     transport.PeerID
	}{
		{"canonical", string(id), id},
		{"empty", "", ""},
		{"garbage", "not a peer id", ""},
		{"rsa", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", ""},
		{"cut", string(id[:len(id)-1]), ""},
		{"long", strings.Repeat("1", 10000), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := transport.ParsePeerID(row.in)
			if got != row.want || (err == nil) != (row.want != "") {
				t.Fatalf("ParsePeerID = %q, %v, want %q", got, err, row.want)
			}
		})
	}
}

// crashEnv makes the test binary a node of its own: see TestMain.
const crashEnv = "TAMGA_TRANSPORT_TEST_NODE"

// runNode is the other process of TestCrashedPeerRecovers: host b on the given address until it is killed.
func runNode(listen string) error {
	sum, err := transport.PeerIDFromSeed(seed("a"))
	if err != nil {
		return err
	}
	h, err := transport.New(transport.Config{Seed: seed("b"), Listen: []string{listen},
		Admit: func(p transport.PeerID) bool { return p == sum }}, echoing())
	if err != nil {
		return err
	}
	fmt.Println(h.Addresses()[0])
	select {} // until killed
}

func spawnNode(t *testing.T, listen string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+listen)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("node did not start: %v", err)
	}
	return strings.TrimSpace(line), kill
}

// A killed process closes nothing in order. Its successor answers old QUIC packets with a stateless reset, which only
// it can make, so the loss is known within a round trip instead of an idle timeout.
func TestCrashedPeerRecovers(t *testing.T) {
	for _, listen := range []string{listenQUIC, listenTCP} {
		t.Run(strings.Split(listen, "/")[3], func(t *testing.T) {
			a := start(t, "a", membership(t, "a", "b"), nil, nil)
			addr, kill := spawnNode(t, listen)
			b := peerID(t, "b")
			echoed := func(what string) {
				t.Helper()
				// As long as a query: RFC 9000 section 10.3 forbids a reset in answer to a very small packet.
				what = strings.Repeat(what, 500)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				got, err := a.ExchangeIdempotent(ctx, b, []string{addr}, transport.ProtocolQuery, []byte(what))
				if err != nil || string(got) != what {
					t.Fatalf("Exchange = %d bytes, %v", len(got), err)
				}
			}
			echoed("before")
			kill()
			bare, _, _ := strings.Cut(addr, "/p2p/")
			again, _ := spawnNode(t, bare)
			if again != addr {
				t.Fatalf("node came back at %s, want %s", again, addr)
			}
			began := time.Now()
			echoed("after")
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("recovery took %v", took)
			}
		})
	}
}

// A request in a packet too small for a stateless reset is lost in silence. The exchange after the one that timed out
// must not trust the connection.
func TestSilentConnectionIsReplaced(t *testing.T) {
	a := start(t, "a", membership(t, "a", "b"), nil, nil)
	addr, kill := spawnNode(t, listenQUIC)
	b := peerID(t, "b")
	small := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := a.Exchange(ctx, b, []string{addr}, transport.ProtocolQuery, []byte("x"))
		return err
	}
	if err := small(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	kill()
	if err := small(50 * time.Millisecond); err == nil {
		t.Fatal("Exchange with a dead peer succeeded")
	}
	bare, _, _ := strings.Cut(addr, "/p2p/")
	spawnNode(t, bare)
	if err := small(4 * time.Second); err != nil {
		t.Fatalf("Exchange after the peer is back: %v", err)
	}
}

// TestIPv6: a host may be reached over IPv6 alone.
func TestIPv6(t *testing.T) {
	m := membership(t, "a", "b")
	a := start(t, "a", m, nil, nil)
	for kind, listen := range map[string]string{"quic-v1": "/ip6/::1/udp/0/quic-v1", "tcp": "/ip6/::1/tcp/0"} {
		t.Run(kind, func(t *testing.T) {
			cfg := transport.Config{Seed: seed("b"), Listen: []string{listen}, Admit: m.admit}
			b, err := transport.New(cfg, echoing())
			if err != nil {
				t.Skipf("no IPv6 on this machine: %v", err)
			}
			defer b.Close()
			if n := b.Addresses(); len(n) != 1 || !strings.HasPrefix(n[0], "/ip6/::1/") {
				t.Errorf("addresses %v", n)
			}
			ask(t, a, b, b.Addresses(), "over IPv6")
		})
	}
}

// base58PeerID computes a peer ID from the specification, without libp2p.
func base58PeerID(publicKeyHex string) transport.PeerID {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	n, _ := new(big.Int).SetString("002408011220"+publicKeyHex, 16)
	var out []byte
	for rest := new(big.Int); n.Sign() > 0; {
		n.DivMod(n, big.NewInt(58), rest)
		out = append([]byte{alphabet[rest.Int64()]}, out...)
	}
	return transport.PeerID("1" + string(out)) // one leading zero byte
}
