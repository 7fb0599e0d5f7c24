//go:build linux

package ha_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed patroni.yml
var patroniTemplate string

const (
	network  = "10.77.0.0/24"
	bridge   = "tamga-ha"
	password = "not-a-secret-in-a-test"
)

var (
	memberNames = []string{"ha-a", "ha-b", "ha-c"}
	writerNames = []string{"ha-w", "ha-x"}
)

// machine is one network namespace on the bridge.
type machine struct {
	name, address string
	dir           string
}

// cluster is three machines with etcd, Patroni and PostgreSQL each, and two that write.
type cluster struct {
	t       *testing.T
	dir     string
	members []machine
	writers []machine
	writing sync.WaitGroup
	cred    *syscall.Credential
	bin     string
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// newCluster starts the machines and waits until one member leads and another is its synchronous standby.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "tamga-ha")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the server runs as another user
		t.Fatal(err)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	u, err := user.Lookup("postgres")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is not installed as Debian has it")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	c := &cluster{t: t, dir: dir, bin: filepath.Dir(found[len(found)-1]), cred: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	c.sweep()
	t.Cleanup(c.remove)
	run(t, "ip", "link", "add", bridge, "type", "bridge")
	run(t, "ip", "addr", "add", "10.77.0.254/24", "dev", bridge)
	run(t, "ip", "link", "set", bridge, "up")
	for i, name := range memberNames {
		c.members = append(c.members, c.attach(name, fmt.Sprintf("10.77.0.%d", i+1)))
	}
	for i, name := range writerNames {
		c.writers = append(c.writers, c.attach(name, fmt.Sprintf("10.77.0.%d", i+11)))
	}
	c.certify()
	for _, m := range c.members {
		c.startEtcd(m)
	}
	for _, m := range c.members {
		c.startPatroni(m)
	}
	if _, ok := c.await(4*time.Minute, whole); !ok {
		t.Fatal("the cluster did not come about")
	}
	return c
}

func (c *cluster) attach(name, address string) machine {
	m := machine{name, address, filepath.Join(c.dir, name)}
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chown(m.dir, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
		c.t.Fatal(err)
	}
	run(c.t, "ip", "netns", "add", name)
	run(c.t, "ip", "link", "add", "v-"+name, "type", "veth", "peer", "name", "eth0", "netns", name)
	run(c.t, "ip", "link", "set", "v-"+name, "master", bridge, "up")
	run(c.t, "ip", "-n", name, "addr", "add", address+"/24", "dev", "eth0")
	run(c.t, "ip", "-n", name, "link", "set", "eth0", "up")
	run(c.t, "ip", "-n", name, "link", "set", "lo", "up")
	return m
}

// sweep ends everything that runs in the namespaces, and them, also of a test that was killed.
func (c *cluster) sweep() {
	names := append(slices.Clone(writerNames), memberNames...)
	for _, name := range names {
		_ = c.signal(machine{name: name}, syscall.SIGKILL)
	}
	time.Sleep(time.Second)
	for _, name := range names {
		_ = exec.Command("ip", "netns", "del", name).Run()
	}
	_ = exec.Command("ip", "link", "del", bridge).Run()
}

func (c *cluster) remove() {
	c.sweep()
	if c.t.Failed() {
		c.t.Logf("logs are in %s", c.dir)
		return
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.t.Error(err)
	}
}

// in starts a program on a machine as the database's user, with its output in a log.
func (c *cluster) in(m machine, log, name string, args ...string) {
	c.t.Helper()
	out, err := os.OpenFile(filepath.Join(c.dir, m.name+"."+log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer out.Close()
	args = append([]string{"netns", "exec", m.name, "setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", name}, args...)
	cmd := exec.Command("ip", args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, m.dir
	cmd.Env = append(os.Environ(), "HOME="+m.dir) // where libpq looks for a certificate
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
}

// startEtcd starts etcd with a poll before each vote: without it a member that comes back from where it was cut off
// unseats the others' leader, and with that the new primary. Why Patroni speaks its protocol 2 is in patroni.yml.
func (c *cluster) startEtcd(m machine) {
	var all []string
	for _, o := range c.members {
		all = append(all, o.name+"=http://"+o.address+":2380")
	}
	here := "http://" + m.address
	c.in(m, "etcd.log", "etcd", "--name", m.name, "--data-dir", m.dir+"/etcd", "--initial-cluster", strings.Join(all, ","),
		"--listen-peer-urls", here+":2380", "--initial-advertise-peer-urls", here+":2380",
		"--listen-client-urls", here+":2379,http://127.0.0.1:2379", "--advertise-client-urls", here+":2379", "--pre-vote", "--enable-v2", "--logger", "zap", "--log-outputs", "stderr")
}

func (c *cluster) startPatroni(m machine) {
	path := filepath.Join(m.dir, "patroni.yml")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	var members []string
	for _, o := range c.members {
		members = append(members, o.address)
	}
	err = template.Must(template.New("").Parse(patroniTemplate)).Execute(f, map[string]any{
		"Name": m.name, "Address": m.address, "Members": members, "Dir": m.dir, "Programs": c.bin, "Password": password, "Authority": filepath.Join(c.dir, "ca.crt"), "Network": network})
	if err == nil {
		err = os.Chown(path, int(c.cred.Uid), int(c.cred.Gid))
	}
	if err := f.Close(); err != nil {
		c.t.Fatal(err)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.in(m, "patroni.log", "patroni", path)
}

// certify makes a certificate for every member, by an authority whose own lies beside them.
func (c *cluster) certify() {
	c.t.Helper()
	must := func(err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	must(err)
	must(os.WriteFile(filepath.Join(c.dir, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)) //nolint:gosec // public
	for i, m := range c.members {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 2)), Subject: pkix.Name{CommonName: m.name}, NotAfter: authority.NotAfter,
			IPAddresses: []net.IP{net.ParseIP(m.address)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, authority, own.Public(), key)
		must(err)
		secret, err := x509.MarshalPKCS8PrivateKey(own)
		must(err)
		for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: der}, "server.key": {Type: "PRIVATE KEY", Bytes: secret}} {
			path := filepath.Join(m.dir, name)
			must(os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
			must(os.Chown(path, int(c.cred.Uid), int(c.cred.Gid)))
		}
	}
}

// dsn is the connection string that a node would be given.
func (c *cluster) dsn() string {
	var hosts []string
	for _, m := range c.members {
		hosts = append(hosts, m.address)
	}
	return c.dsnOf("tamga", "gallery", hosts...) + " target_session_attrs=read-write"
}

func (c *cluster) dsnOf(role, database string, hosts ...string) string {
	return fmt.Sprintf("host=%s port=5432 user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s connect_timeout=5",
		strings.Join(hosts, ","), role, password, database, filepath.Join(c.dir, "ca.crt"))
}

// makeDatabase makes the role and the database that the nodes use.
func (c *cluster) makeDatabase() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.dsnOf("postgres", "postgres", c.member(c.state().leader).address))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, sql := range []string{"CREATE ROLE tamga LOGIN PASSWORD '" + password + "'", "CREATE DATABASE gallery OWNER tamga"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, m := range c.members { // a client that finds no such database on a standby asks no other
		for {
			conn, err := pgx.Connect(ctx, c.dsnOf("tamga", "gallery", m.address))
			if err == nil {
				_ = conn.Close(ctx)
				break
			}
			if ctx.Err() != nil {
				c.t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// state is what the members say of themselves.
type state struct {
	leader, standby string
	streaming       int // replicas that follow the leader's timeline
	timeline        int
}

func (c *cluster) state() state {
	client := http.Client{Timeout: 2 * time.Second}
	var s state
	for _, m := range c.members {
		r, err := client.Get("http://" + m.address + ":8008/cluster")
		if err != nil {
			continue
		}
		var body struct {
			Members []struct {
				Name, Role, State string
				Timeline          int
			}
		}
		err = json.NewDecoder(r.Body).Decode(&body)
		_ = r.Body.Close()
		if err != nil {
			continue
		}
		var seen state
		for _, one := range body.Members {
			if one.Role == "leader" && one.State == "running" {
				seen.leader, seen.timeline = one.Name, one.Timeline
			}
		}
		for _, one := range body.Members {
			if one.Role == "sync_standby" {
				seen.standby = one.Name
			}
			if one.Role != "leader" && (one.State == "running" || one.State == "streaming") && one.Timeline == seen.timeline {
				seen.streaming++
			}
		}
		if seen.leader != "" && seen.timeline >= s.timeline {
			s = seen
		}
	}
	return s
}

// await polls until the cluster is as wanted, and says how long that took.
func (c *cluster) await(limit time.Duration, is func(state) bool) (time.Duration, bool) {
	begin := time.Now()
	for time.Since(begin) < limit {
		if is(c.state()) {
			return time.Since(begin), true
		}
		time.Sleep(500 * time.Millisecond)
	}
	return limit, false
}

// whole is a cluster with a primary, a synchronous standby and another that follows.
func whole(s state) bool { return s.leader != "" && s.standby != "" && s.streaming == 2 }

func (c *cluster) member(name string) machine {
	for _, m := range c.members {
		if m.name == name {
			return m
		}
	}
	c.t.Fatalf("no member %q", name)
	return machine{}
}

// signal sends a signal to all that runs on a machine.
func (c *cluster) signal(m machine, sig syscall.Signal) error {
	out, err := exec.Command("ip", "netns", "pids", m.name).Output()
	if err != nil {
		return err
	}
	for _, field := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(field); err == nil {
			_ = syscall.Kill(pid, sig)
		}
	}
	return nil
}

// killServer kills the database alone; Patroni goes on.
func (c *cluster) killServer(m machine) {
	file, err := os.ReadFile(filepath.Join(m.dir, "data", "postmaster.pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(file), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
}
