package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A rule returns what is wrong with a value and what to do about it, or "" and "". The text never quotes the value.

const maxURL = 2048

func ruleEntityID(s string) (message, hint string) {
	u, wrong := parseURL(s)
	switch {
	case wrong != "":
		return wrong, ""
	case u.Scheme != "https":
		return "must be an https URL: it is a name, not an address", "use trust.locations to reach it elsewhere"
	case strings.HasSuffix(s, "/"):
		return "must not end in a slash", "Entity Identifiers are compared letter by letter"
	case u.Host != strings.ToLower(u.Host):
		return "must have a lower case host", "Entity Identifiers are compared letter by letter"
	}
	return "", ""
}

// ruleLocation accepts http on a loopback address only: what travels is signed, but a stranger on the path could
// withhold a revocation.
func ruleLocation(s string) (message, hint string) {
	u, wrong := parseURL(s)
	switch {
	case wrong != "":
		return wrong, ""
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return "", ""
	case u.Scheme != "https":
		return "must be an https URL, or http on a loopback address", ""
	}
	return "", ""
}

// ruleAnchorLocation accepts a folder on a disk, too: what an anchor published proves itself.
func ruleAnchorLocation(s string) (message, hint string) {
	path, ok := strings.CutPrefix(s, "file://")
	switch {
	case !ok:
		return ruleLocation(s)
	case len(s) > maxURL:
		return "is longer than 2048 characters", ""
	case !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#%"):
		return "must be file:// and an absolute path", "for the folder /srv/federation write file:///srv/federation"
	}
	return "", ""
}

// ruleProxy accepts what net/http can go through. What travels is signed, and TLS goes through the proxy unopened.
func ruleProxy(s string) (message, hint string) {
	u, wrong := parseURL(s)
	if wrong == "" && !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		wrong = "must be an http, https, socks5 or socks5h URL"
	}
	return wrong, ""
}

func parseURL(s string) (*url.URL, string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, "is not a URL with a host"
	case len(s) > maxURL:
		return nil, "is longer than 2048 characters"
	case u.User != nil:
		return nil, "must not hold a user name or password"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, "must not have a query or fragment"
	}
	return u, ""
}

func ruleJurisdiction(s string) (message, hint string) {
	upper := strings.ToUpper(s)
	if len(s) == 3 && s == upper && !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return "", ""
	}
	if len(s) == 3 {
		hint = "upper case letters only"
	}
	return "must be an ISO 3166-1 alpha-3 code", hint
}

func ruleName(s string) (message, hint string) {
	switch {
	case strings.TrimSpace(s) != s:
		return "must not start or end with a blank", ""
	case utf8.RuneCountInString(s) > 200:
		return "must be at most 200 characters", ""
	case strings.ContainsAny(s, "\n\r\t"):
		return "must be one line", ""
	}
	return "", ""
}

func rulePath(s string) (message, hint string) {
	switch {
	case len(s) > 4096:
		return "is longer than 4096 characters", ""
	case strings.ContainsAny(s, "\x00\n\r"):
		return "holds a character no path may have", ""
	case strings.HasPrefix(s, "~"):
		return "must not start with ~: no shell reads this file", "write the folder out"
	}
	return "", ""
}

func ruleLevel(s string) (message, hint string) {
	if slices.Contains([]string{"debug", "info", "warn", "error"}, s) {
		return "", ""
	}
	return "must be debug, info, warn or error", ""
}

func ruleEngine(s string) (message, hint string) {
	if s == EngineBadger || s == EnginePostgres {
		return "", ""
	}
	return "must be badger or postgres", ""
}

func ruleRefresh(s string) (message, hint string) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return "must be a duration with a unit", "for example 30s, 1m or 2h"
	case d < time.Second || d > 24*time.Hour:
		return "must be from 1s to 24h", ""
	}
	return "", ""
}

func ruleStaleness(s string) (message, hint string) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return "must be a duration with a unit", "for example 90m, 6h or 48h"
	case d < time.Minute || d > 720*time.Hour:
		return "must be from 1m to 720h", ""
	}
	return "", ""
}

// parseDays reads a duration with a unit, which may also be days.
func parseDays(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

func ruleRetention(s string) (message, hint string) {
	d, err := parseDays(s)
	switch {
	case err != nil:
		return "must be a duration with a unit", "for example 90d or 36h"
	case d < time.Hour || d > 3650*24*time.Hour:
		return "must be from 1h to 3650d", ""
	}
	return "", ""
}

func ruleHostPort(s string) (message, hint string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "must be host:port", "for example 127.0.0.1:7443 or [::1]:7443"
	}
	if !isPort(port) {
		return "must end in a port from 0 to 65535", ""
	}
	if strings.ContainsAny(host, " /\t") {
		return "must be host:port", "without scheme or path"
	}
	return "", ""
}

// ruleLoopback keeps the API off the network: it speaks plain HTTP and its callers are officers' systems.
func ruleLoopback(s string) (message, hint string) {
	if message, hint = ruleHostPort(s); message != "" {
		return message, hint
	}
	if host, _, _ := net.SplitHostPort(s); !isLoopback(host) {
		return "must be a loopback address: it has no TLS of its own", "bind it to 127.0.0.1 and put a TLS proxy in front"
	}
	return "", ""
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// ruleMultiaddr checks the shape of a multiaddr (https://multiformats.io/multiaddr/) and the parts everybody uses; the
// transport has the last word.
func ruleMultiaddr(s string) (message, hint string) {
	const example = "for example /ip4/0.0.0.0/udp/7440/quic-v1 or /ip4/0.0.0.0/tcp/7440"
	parts := strings.Split(s, "/")
	if len(s) > 256 || len(parts) < 5 || parts[0] != "" || slices.Contains(parts[1:], "") || strings.ContainsAny(s, " \t\n") {
		return "must be a multiaddr", example
	}
	switch ip, err := netip.ParseAddr(parts[2]); parts[1] {
	case "ip4":
		if err != nil || !ip.Is4() {
			return "must have an IPv4 address after /ip4", example
		}
	case "ip6":
		if err != nil || !ip.Is6() {
			return "must have an IPv6 address after /ip6", example
		}
	case "dns", "dns4", "dns6":
	default:
		return "must start with /ip4, /ip6, /dns, /dns4 or /dns6", example
	}
	if parts[3] != "tcp" && parts[3] != "udp" {
		return "must name /tcp or /udp after the address", example
	}
	if !isPort(parts[4]) {
		return "must have a port from 0 to 65535", example
	}
	return "", ""
}

// ruleAdvertise also refuses addresses that no peer can connect to.
func ruleAdvertise(s string) (message, hint string) {
	if message, hint = ruleMultiaddr(s); message != "" {
		return message, hint
	}
	parts := strings.Split(s, "/")
	if ip, err := netip.ParseAddr(parts[2]); err == nil && ip.IsUnspecified() {
		return "must be an address peers can connect to, not all interfaces", "name the public address"
	}
	if parts[4] == "0" {
		return "must have a port peers can connect to, not 0", ""
	}
	return "", ""
}
