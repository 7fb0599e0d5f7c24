//go:build linux

package partition_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The line between two hosts: some 1,000 km of fibre and a last mile that loses a packet in a hundred.
const (
	oneWay  = 20 * time.Millisecond
	jitter  = 5 * time.Millisecond
	lossPer = 100 // one packet in this many is lost
	mtu     = 1500
	queued  = 4096 // packets under way to one host; what comes beyond is lost
)

// network carries IP packets between hosts. It stands for `tc netem`, which not every kernel has, and unlike a link
// that is taken down a cut says nothing to anybody: packets are lost, as on a line beyond the first router.
type network struct {
	hosts map[netip.Addr]*host // immutable once packets flow
	wg    sync.WaitGroup
}

// host is one machine: a network namespace with a loopback interface and a line to the network.
type host struct {
	name string
	addr netip.Addr
	cut  atomic.Bool

	netns *os.File // the namespace, for threads that enter it
	tun   *os.File
	queue chan packet
	start chan func() // runs on the thread that lives in the namespace for as long as the host does
	lost  atomic.Uint64
	moved atomic.Uint64
}

type packet struct {
	due time.Time
	b   []byte
}

// rights skips the test where namespaces cannot be made.
func rights(t *testing.T) {
	t.Helper()
	err := func() error {
		if os.Geteuid() != 0 {
			return errors.New("not root")
		}
		_, err := os.Stat("/dev/net/tun")
		return err
	}()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("network namespaces cannot be made (%v), and under CI they must be", err)
	}
	t.Skipf("network namespaces cannot be made: %v", err)
}

// newNetwork makes hosts with the addresses 10.78.0.1 and on.
func newNetwork(t *testing.T, names ...string) (*network, []*host) {
	t.Helper()
	n := &network{hosts: map[netip.Addr]*host{}}
	var all []*host
	addr := netip.MustParseAddr("10.78.0.0")
	for _, name := range names {
		addr = addr.Next()
		h := &host{name: name, addr: addr, queue: make(chan packet, queued), start: make(chan func())}
		made := make(chan error)
		go h.live(made)
		if err := <-made; err != nil {
			t.Fatalf("making host %s: %v", name, err)
		}
		n.hosts[addr] = h
		all = append(all, h)
	}
	done := make(chan struct{})
	for i, h := range all {
		n.wg.Go(func() { n.read(h, rand.New(rand.NewPCG(1, uint64(i)))) })
		n.wg.Go(func() { h.deliver(done) })
	}
	t.Cleanup(func() {
		close(done)
		for _, h := range all {
			close(h.start)
			_, _ = h.tun.Close(), h.netns.Close()
		}
		n.wg.Wait()
	})
	return n, all
}

// live moves its thread into a namespace of its own, and ends with it. Programs begun on it live there, too, and are
// killed with it.
func (h *host) live(made chan<- error) {
	runtime.LockOSThread() // never unlocked: no other goroutine may come to run in the namespace
	made <- h.make()
	for f := range h.start {
		f()
	}
}

func (h *host) make() (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if h.netns, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())); err != nil {
		return err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	line, err := unix.NewIfreq("wan0")
	if err != nil {
		return err
	}
	line.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, line); err != nil {
		return err
	}
	h.tun = os.NewFile(uintptr(fd), "tun")
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	mask := netip.MustParseAddr("255.255.255.0")
	return errors.Join(
		setAddress(socket, "wan0", unix.SIOCSIFADDR, h.addr), setAddress(socket, "wan0", unix.SIOCSIFNETMASK, mask),
		setUp(socket, "wan0"), setUp(socket, "lo"))
}

func setAddress(socket int, device string, request uint, addr netip.Addr) error {
	r, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	if err := r.SetInet4Addr(addr.AsSlice()); err != nil {
		return err
	}
	return unix.IoctlIfreq(socket, request, r)
}

func setUp(socket int, device string) error {
	r, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, r)
}

// in runs f on a thread in the host's namespace: the sockets that it opens belong there.
func (h *host) in(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Setns(int(h.netns.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

func (h *host) dial(ctx context.Context, addr string) (c net.Conn, err error) {
	err = h.in(func() error {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", addr)
		return err
	})
	return c, err
}

func (h *host) listen(addr string) (l net.Listener, err error) {
	err = h.in(func() error {
		l, err = net.Listen("tcp", addr)
		return err
	})
	return l, err
}

// run starts a program on the host. It is killed when the test ends, however it ends.
func (h *host) run(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun := make(chan error)
	h.start <- func() { begun <- c.Start() }
	return <-begun
}

// read takes what the host sends, and loses it or queues it for whom it is to.
func (n *network) read(from *host, chance *rand.Rand) {
	for {
		b := make([]byte, mtu)
		size, err := from.tun.Read(b)
		if err != nil {
			return // closed
		}
		b = b[:size]
		if size < 20 || b[0]>>4 != 4 {
			continue
		}
		to := n.hosts[netip.AddrFrom4([4]byte(b[16:20]))]
		if to == nil {
			continue
		}
		if from.cut.Load() || to.cut.Load() || chance.IntN(lossPer) == 0 {
			to.lost.Add(1)
			continue
		}
		select {
		case to.queue <- packet{time.Now().Add(oneWay + rand.N(jitter)), b}:
			to.moved.Add(1)
		default:
			to.lost.Add(1)
		}
	}
}

// deliver hands packets over when they are due, in order; those of a host that was cut off meanwhile are lost.
func (h *host) deliver(done <-chan struct{}) {
	for {
		select {
		case p := <-h.queue:
			time.Sleep(time.Until(p.due))
			if h.cut.Load() {
				h.lost.Add(1)
				continue
			}
			_, _ = h.tun.Write(p.b) // what the host does not take is lost
		case <-done:
			return
		}
	}
}

// forward takes connections at one address of a host and makes each one on to another: the TLS proxies that
// a node needs on the way to a Trust Anchor, which listens on its own machine only.
func (h *host) forward(t *testing.T, at, to string) {
	t.Helper()
	l, err := h.listen(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go h.pipe(t.Context(), in, to)
		}
	}()
}

func (h *host) pipe(ctx context.Context, in net.Conn, to string) {
	defer in.Close()
	out, err := h.dial(ctx, to)
	if err != nil {
		return
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
	defer stop()
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
}
