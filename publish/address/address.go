// Package address reads the many ways in which load balancers name a node and brings them
// into the one form that MPP uses, host:port.
//
// It is pure and light on purpose: mpp-check, which a load balancer starts every second,
// imports it. It resolves no names: an answer must not depend on DNS.
package address

import (
	"net/netip"
	"strings"
)

// maxLen bounds what is looked at: 253 characters of host name, brackets and a port.
const maxLen = 300

// Address is a node's address taken apart.
type Address struct {
	// Host is an IP address in its shortest form, or a name in small letters.
	Host string
	// Port is empty when none was given.
	Port string
}

// Parse reads host, host:port, an IPv6 address with or without brackets, and the form
// ::ffff:a.b.c.d in which BIG-IP names IPv4 members. It reports false for anything else.
func Parse(text string) (Address, bool) {
	if text == "" || len(text) > maxLen {
		return Address{}, false
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		return Address{Host: plain(ip)}, zoneOK(ip)
	}
	if inner, bracket := strings.CutPrefix(text, "["); bracket {
		inside, rest, closed := strings.Cut(inner, "]")
		port, colon := strings.CutPrefix(rest, ":")
		if !closed || (rest != "" && (!colon || port == "")) {
			return Address{}, false
		}
		return Join(inside, port)
	}
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return Join(text, "")
	}
	if i == len(text)-1 {
		return Address{}, false
	}
	return Join(text[:i], text[i+1:])
}

// Join is Parse for callers that give host and port apart. An empty port means none.
func Join(host, port string) (Address, bool) {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	port, portOK := normalPort(port)
	if !portOK || len(host) > maxLen {
		return Address{}, false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return Address{Host: plain(ip), Port: port}, zoneOK(ip)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !isName(host) {
		return Address{}, false
	}
	return Address{Host: host, Port: port}, true
}

func plain(ip netip.Addr) string { return ip.Unmap().String() }

// zoneOK refuses zones that are no name of an interface: addresses become parts of paths.
func zoneOK(ip netip.Addr) bool { return ip.Zone() == "" || isName(strings.ToLower(ip.Zone())) }

func normalPort(digits string) (string, bool) {
	if digits == "" {
		return "", true
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return "", false
		}
		n = n*10 + int(digits[i]-'0')
		if n > 65535 {
			return "", false
		}
	}
	return strings.TrimLeft(digits, "0"), n > 0
}

func isName(host string) bool {
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return host != "" && host[0] != '.' && host[len(host)-1] != '.' && !strings.Contains(host, "..")
}

// String returns host:port, with brackets around IPv6; without a port only the host.
func (a Address) String() string {
	if a.Port == "" {
		return a.Host
	}
	if strings.IndexByte(a.Host, ':') >= 0 {
		return "[" + a.Host + "]:" + a.Port
	}
	return a.Host + ":" + a.Port
}

// Names reports whether a, as a balancer gave it, names the node: the hosts are the same, and
// so are the ports unless a has none. The node's address must be in the one form, host:port,
// as the configuration makes it.
func (a Address) Names(node string) bool {
	host := len(node) - 1
	for host >= 0 && node[host] != ':' {
		host--
	}
	if host < 0 || (a.Port != "" && a.Port != node[host+1:]) {
		return false
	}
	name := node[:host]
	if len(name) > 1 && name[0] == '[' && name[len(name)-1] == ']' {
		name = name[1 : len(name)-1]
	}
	return name == a.Host
}
