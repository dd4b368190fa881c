package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// normalAddress brings a node's address into the one form that MPP compares and shows. A
// port of 0 means that the text must hold one.
func normalAddress(text string, port int) (string, *fault) {
	const hint = `write host:port, such as "10.0.0.1:3306", "db1.example.com:3306" or "[2001:db8::1]:3306"`
	if strings.TrimSpace(text) == "" {
		return "", faultf(hint, "the address is empty")
	}
	if strings.Contains(text, "@") {
		return "", faultf("write the host and port alone; the user and password stand in [pool.account]", "it holds a login")
	}
	if scheme, rest, found := strings.Cut(text, "://"); found {
		return "", faultf(fmt.Sprintf("leave %q out: write %q", scheme+"://", strings.TrimRight(rest, "/")), "%q is a URL", text)
	}
	host, digits, f := splitAddress(text)
	if f != nil {
		return "", f
	}
	if digits == "" {
		if port == 0 {
			return "", faultf(hint, "%q has no port", text)
		}
		digits = strconv.Itoa(port)
	}
	if f := portFault(digits); f != nil {
		return "", f
	}
	host, f = normalHost(host)
	if f != nil {
		return "", f
	}
	number, _ := strconv.Atoi(digits)
	return net.JoinHostPort(host, strconv.Itoa(number)), nil
}

// splitAddress takes host:port apart; the port may be missing, and IPv6 without brackets is
// taken as a host.
func splitAddress(text string) (host, port string, f *fault) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.String(), "", nil
	}
	if inner, found := strings.CutPrefix(text, "["); found && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]"), "", nil
	}
	if !strings.Contains(text, ":") {
		return text, "", nil
	}
	host, port, err := net.SplitHostPort(text)
	switch {
	case err != nil && strings.Count(text, ":") > 1:
		return "", "", faultf("write an IPv6 address in brackets, such as \"[2001:db8::1]:3306\"", "%q is not host:port", text)
	case err != nil:
		return "", "", faultf("write host:port, such as \"10.0.0.1:3306\"", "%q is not host:port", text)
	case port == "":
		return "", "", faultf(fmt.Sprintf("write the port after the colon, such as %q, or leave the colon out", text+"3306"), "%q has no port", text)
	}
	return host, port, nil
}

func portFault(digits string) *fault {
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 || n > 65535 {
		return faultf("write a number from 1 to 65535", "%q is not a port", digits)
	}
	return nil
}

// normalHost brings a host name into small letters without a last dot, and an IP address
// into its shortest form.
func normalHost(host string) (string, *fault) {
	if host == "" {
		return "", faultf("write the host before the colon", "the host is missing")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String(), nil
	}
	normal := strings.ToLower(strings.TrimSuffix(host, "."))
	labels := strings.Split(normal, ".")
	if len(normal) > 253 {
		return "", faultf("use a name of at most 253 characters, or an IP address", "the host name is too long")
	}
	for _, label := range labels {
		if !labelWell(label) {
			return "", faultf("use letters, digits, dashes and dots, or an IP address", "%q is not a host name", host)
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "", faultf("write four numbers from 0 to 255, such as \"10.0.0.1\"", "%q is not an IP address", host)
	}
	return normal, nil
}

func labelWell(label string) bool {
	for _, c := range []byte(label) {
		if !bare(c) {
			return false
		}
	}
	return label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-'
}

// listenFault says what is wrong with an address to listen on.
func listenFault(text string) *fault {
	const hint = `write host:port, such as "127.0.0.1:9102", or ":9102" for every address of this host`
	if strings.Contains(text, "@") {
		return faultf(hint, "it holds a login")
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return faultf(hint, "%q is no address to listen on", text)
	}
	if f := portFault(port); f != nil {
		return faultf(hint, "%q is no address to listen on: %s", text, f.text)
	}
	if host == "" {
		return nil
	}
	if _, f := normalHost(host); f != nil {
		return faultf(hint, "%q is no address to listen on: %s", text, f.text)
	}
	return nil
}

// loopback reports whether an address can be reached from this host only.
func loopback(address string) bool {
	host := hostOf(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// hostOf is the host of an address that is in the one form, or the text itself.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
