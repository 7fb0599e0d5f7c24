//go:build unix

package flood_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
)

// rateEnv is the victim's budget of frames for one member in a second. The honest one asks 38.
const rateEnv = "TAMGA_FLOOD_RATE"

func seed(name string) []byte {
	sum := sha256.Sum256([]byte("flood test identity " + name))
	return sum[:]
}

func id(name string) transport.PeerID {
	p, err := transport.PeerIDFromSeed(seed(name))
	if err != nil {
		panic("flood: " + err.Error())
	}
	return p
}

func members() map[transport.PeerID]bool {
	m := map[transport.PeerID]bool{id("victim"): true, id("honest"): true}
	for i := range hostile {
		m[id(fmt.Sprint("hostile", i))] = true
	}
	return m
}

func play(role string, args []string) error {
	in := bufio.NewScanner(os.Stdin)
	if role == "victim" || role == "honest" {
		// Others on this machine stand in for none of the flood. Without leave to, the figures hold them, too.
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, -10)
	}
	switch role {
	case "victim":
		return victim(in)
	case "honest":
		return honest(in, args)
	case "hostile":
		return attack(in, "hostile"+args[0], args[1:])
	case "strangers":
		return knock(in, args)
	}
	return errors.New("no such role")
}

// work is what a Query costs a node besides its transport: about 300 us of processor time for signatures and the
// match, and a wait for the disk.
func work(_ context.Context, _ transport.PeerID, frame []byte) ([]byte, error) {
	key := ed25519.NewKeyFromSeed(seed("work"))
	for range 6 {
		if !ed25519.Verify(key.Public().(ed25519.PublicKey), frame[:min(len(frame), 1024)], ed25519.Sign(key, frame[:min(len(frame), 1024)])) {
			return nil, errors.New("broken")
		}
	}
	time.Sleep(2 * time.Millisecond)
	return make([]byte, 1024), nil
}

func host(name string, listen []string, handlers map[string]transport.Handler) (*transport.Host, error) {
	m := members()
	rate, err := strconv.Atoi(os.Getenv(rateEnv))
	if err != nil {
		return nil, err
	}
	return transport.New(transport.Config{Seed: seed(name), Listen: listen, Admit: func(p transport.PeerID) bool { return m[p] },
		Hybrid: func(p transport.PeerID) bool { return m[p] }, Overloaded: protocol.Overloaded, MaxRate: rate, MaxBytes: 1 << 20}, handlers)
}

func victim(in *bufio.Scanner) error {
	var own, others atomic.Int64 // frames worked on: the honest member's, and the hostile ones'
	h, err := host("victim", []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"},
		map[string]transport.Handler{transport.ProtocolQuery: func(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
			if from == id("honest") {
				own.Add(1)
			} else {
				others.Add(1)
			}
			return work(ctx, from, frame)
		}})
	if err != nil {
		return err
	}
	defer h.Close()
	fmt.Println(strings.Join(h.Addresses(), " "))
	var worst figures
	var stop chan struct{}
	var wg sync.WaitGroup
	var spent time.Duration
	for in.Scan() {
		switch in.Text() {
		case "begin":
			worst, stop, spent = figures{}, make(chan struct{}), processorTime()
			own.Store(0)
			others.Store(0)
			wg.Go(func() {
				for {
					worst.RSS, worst.Goroutines = max(worst.RSS, resident()), max(worst.Goroutines, runtime.NumGoroutine())
					select {
					case <-stop:
						return
					case <-time.After(50 * time.Millisecond):
					}
				}
			})
		case "end":
			close(stop)
			wg.Wait()
			line, _ := json.Marshal(map[string]any{"rss": worst.RSS, "goroutines": worst.Goroutines, "cpu": processorTime() - spent,
				"own": own.Load(), "others": float64(others.Load()) / hostile})
			fmt.Println(string(line))
		case "refusals":
			line, _ := json.Marshal(h.Refusals())
			fmt.Println(string(line))
		}
	}
	return nil
}

// leastAsked is how often the honest member asks in each phase, however long that takes: some few answers say nothing of a share.
const leastAsked = 40

// honest asks 4 at a time, each after a moment's thought, as officers do.
func honest(in *bufio.Scanner, addrs []string) error {
	h, err := host("honest", nil, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	frame := make([]byte, 3000)
	ask := func() (refused bool, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		reply, err := h.Exchange(ctx, id("victim"), addrs, transport.ProtocolQuery, frame)
		if err != nil {
			return false, err
		}
		_, refused = protocol.ParseOverloaded(reply)
		return refused, nil
	}
	if _, err := ask(); err != nil {
		return err
	}
	fmt.Println("ready")
	for in.Scan() {
		d, err := time.ParseDuration(in.Text())
		if err != nil {
			return err
		}
		var mu sync.Mutex
		var took []time.Duration
		var f figures
		var wg sync.WaitGroup
		end := time.Now().Add(d)
		for range 4 {
			wg.Go(func() {
				for n := 0; n < leastAsked/4 || time.Now().Before(end); n++ {
					began := time.Now()
					refused, err := ask()
					mu.Lock()
					switch {
					case err != nil:
						if f.Failed++; f.Failed < 5 {
							fmt.Fprintln(os.Stderr, "honest:", err)
						}
					case refused:
						f.Refused++
					default:
						took = append(took, time.Since(began))
					}
					mu.Unlock()
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		slices.Sort(took)
		if f.Served = len(took); f.Served > 0 {
			f.P50, f.P99, f.Max = took[f.Served/2], took[f.Served*99/100], took[f.Served-1]
		}
		line, _ := json.Marshal(map[string]any{"served": f.Served, "failed": f.Failed, "refused": f.Refused, "p50": f.P50, "p99": f.P99, "max": f.Max})
		fmt.Println(string(line))
	}
	return nil
}

// attack asks as fast as it can, heeding nothing, in one of four ways by its number: small frames, the largest frames,
// a new connection for every few requests, over TCP.
func attack(in *bufio.Scanner, name string, addrs []string) error {
	var served, refused, failed atomic.Int64
	stop, kind := make(chan struct{}), int(name[len(name)-1]-'0')%4
	size := 3000
	if kind == 1 {
		size = transport.MaxFrame
	}
	if kind == 3 {
		addrs = slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return strings.Contains(a, "quic") })
	}
	h, err := host(name, nil, nil)
	if err != nil {
		return err
	}
	frame := make([]byte, size)
	one := func(h *transport.Host) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		reply, err := h.Exchange(ctx, id("victim"), addrs, transport.ProtocolQuery, frame)
		if _, over := protocol.ParseOverloaded(reply); over {
			refused.Add(1)
		} else if err != nil {
			failed.Add(1)
		} else {
			served.Add(1)
		}
	}
	var wg sync.WaitGroup
	running := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	if kind == 2 {
		_ = h.Close()
		for range 4 {
			wg.Go(func() {
				for running() {
					if h, err := host(name, nil, nil); err == nil {
						one(h)
						_ = h.Close()
					}
				}
			})
		}
	} else {
		defer h.Close()
		for range 128 {
			wg.Go(func() {
				for running() {
					one(h)
				}
			})
		}
	}
	fmt.Println("ready")
	in.Scan()
	close(stop)
	wg.Wait()
	fmt.Printf("kind %d: %d served, %d refused, %d failed\n", kind, served.Load(), refused.Load(), failed.Load())
	return nil
}

// knock is the unknown peers: half shake hands again and again, a quarter open TCP connections and send rubbish, and a
// quarter send datagrams that look like the beginning of QUIC.
func knock(in *bufio.Scanner, addrs []string) error {
	var hands, lines, datagrams atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for i := range strangers {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch {
				case i%2 == 0:
					if h, err := host(fmt.Sprint("stranger", i), nil, nil); err == nil {
						brief, stop := context.WithTimeout(ctx, 5*time.Second)
						_, _ = h.Exchange(brief, id("victim"), addrs, transport.ProtocolQuery, []byte("x"))
						stop()
						_ = h.Close()
						hands.Add(1)
					}
				case i%4 == 1:
					rubbish(ctx, address(addrs, "tcp"), &lines)
				default:
					initials(ctx, address(addrs, "quic"), &datagrams)
				}
			}
		})
	}
	fmt.Println("ready")
	in.Scan()
	cancel()
	wg.Wait()
	fmt.Printf("%d handshakes, %d connections of rubbish, %d datagrams\n", hands.Load(), lines.Load(), datagrams.Load())
	return nil
}

func address(addrs []string, kind string) net.Addr {
	for _, s := range addrs {
		if strings.Contains(s, kind) {
			a, err := ma.NewMultiaddr(strings.SplitN(strings.Split(s, "/p2p/")[0], "/quic", 2)[0])
			if err != nil {
				continue
			}
			if n, err := manet.ToNetAddr(a); err == nil {
				return n
			}
		}
	}
	return &net.TCPAddr{}
}

func rubbish(ctx context.Context, to net.Addr, count *atomic.Int64) {
	c, err := net.DialTimeout("tcp", to.String(), time.Second)
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return
	}
	defer c.Close()
	count.Add(1)
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = c.Write(b)
	_, _ = c.Read(b) // held half open until the victim closes it
	_ = ctx
}

func initials(ctx context.Context, to net.Addr, count *atomic.Int64) {
	c, err := net.Dial("udp", to.String())
	if err != nil {
		return
	}
	defer c.Close()
	for ctx.Err() == nil {
		b := make([]byte, 1200)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		b[0] = 0xc0 | b[0]&0x0f // a long header: Initial
		binary.BigEndian.PutUint32(b[1:], 1)
		b[5], b[14] = 8, 8
		_, _ = c.Write(b)
		count.Add(1)
		time.Sleep(20 * time.Millisecond) // more is for a firewall: what does not fit into the socket nobody can sort
	}
}
