package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// texts takes a text or a list of texts; what else stands there is shown with a hint.
func texts(raw any, hint string) ([]string, *fault) {
	list, ok := textList(raw)
	if !ok {
		return nil, faultf(hint, "%s is not a list of texts", show(raw))
	}
	return list, nil
}

// quotedList writes a list of texts as TOML.
func quotedList[T any](list []T, text func(T) string) string {
	quoted := make([]string, len(list))
	for i, one := range list {
		quoted[i] = strconv.Quote(text(one))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// words is a list of words, each one of a few.
type words struct {
	p    *[]string
	from []string
}

func (w words) set(raw any) *fault {
	list, f := texts(raw, "write a list of "+wordOf(nil, w.from...).list())
	if f != nil {
		return f
	}
	*w.p = list
	return nil
}

func (w words) check() *fault {
	for i, one := range *w.p {
		if f := wordOf(&one, w.from...).check(); f != nil {
			return f
		}
		if slices.Contains((*w.p)[:i], one) {
			return faultf("write it once", "%q is there twice", one)
		}
	}
	return nil
}

func (w words) toml() string {
	return quotedList(*w.p, func(one string) string { return one })
}
func (w words) kind() string    { return "list of words" }
func (w words) allowed() string { return wordOf(nil, w.from...).allowed() }

// loss is a number of transactions, or "any".
type loss struct {
	p   *uint64
	any *bool
}

const (
	anyLoss = "any"
	maxLoss = 1_000_000_000
)

func (l loss) set(raw any) *fault {
	hint := fmt.Sprintf("write a number from 0 to %d, without quotes, or %q", maxLoss, anyLoss)
	switch v := raw.(type) {
	case string:
		if v != anyLoss {
			return faultf(hint, "%q is not known here", v)
		}
		*l.p, *l.any = 0, true
	case int64:
		if v < 0 || v > maxLoss {
			return faultf(hint, "%d is out of range", v)
		}
		*l.p, *l.any = uint64(v), false
	default:
		return faultf(hint, "%s is not a whole number", show(raw))
	}
	return nil
}

func (l loss) check() *fault {
	if *l.p > maxLoss {
		return faultf(fmt.Sprintf("write at most %d", maxLoss), "%d is out of range", *l.p)
	}
	return nil
}

func (l loss) toml() string {
	if *l.any {
		return strconv.Quote(anyLoss)
	}
	return strconv.FormatUint(*l.p, 10)
}
func (l loss) kind() string    { return "whole number or word" }
func (l loss) allowed() string { return fmt.Sprintf("0 to %d, `%q`", maxLoss, anyLoss) }

// lockAccounts is a list of accounts as user@host.
type lockAccounts struct{ p *[]LockAccount }

const lockHint = `write user@host as the server has it, without quotes inside, such as ["app@%", "web@10.0.0.%"]`

func (a lockAccounts) set(raw any) *fault {
	list, f := texts(raw, lockHint)
	if f != nil {
		return f
	}
	accounts := make([]LockAccount, len(list))
	for i, one := range list {
		at := strings.LastIndexByte(one, '@')
		if at < 0 {
			return faultf(lockHint, "%q is not user@host", one)
		}
		accounts[i] = LockAccount{User: one[:at], Host: one[at+1:]}
	}
	*a.p = accounts
	return nil
}

// The longest names that any server takes: MariaDB's user and host.
const (
	maxUser = 128
	maxHost = 255
)

func (a lockAccounts) check() *fault {
	for i, one := range *a.p {
		foreign := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune("'\"`\\", r) }
		switch {
		case one.User == "" || one.Host == "" || strings.ContainsFunc(one.String(), foreign):
			return faultf(lockHint, "%q is not user@host", one)
		case len(one.User) > maxUser || len(one.Host) > maxHost:
			return faultf(lockHint, "%q is too long", one)
		case slices.Contains((*a.p)[:i], one):
			return faultf("write it once", "%q is there twice", one)
		}
	}
	return nil
}

func (a lockAccounts) toml() string    { return quotedList(*a.p, LockAccount.String) }
func (a lockAccounts) kind() string    { return "list of accounts" }
func (a lockAccounts) allowed() string { return "`user@host`" }

// prefixes is a list of virtual addresses.
type prefixes struct{ p *[]netip.Prefix }

const prefixHint = `write a list such as ["10.0.0.100/32", "fd00::100/128"]`

func (x prefixes) set(raw any) *fault {
	list, f := texts(raw, prefixHint)
	if f != nil {
		return f
	}
	read := make([]netip.Prefix, len(list))
	for i, one := range list {
		if ip, err := netip.ParseAddr(one); err == nil && ip.Zone() == "" {
			ip = ip.Unmap()
			return faultf(fmt.Sprintf("write %q", netip.PrefixFrom(ip, ip.BitLen())), "%q has no prefix", one)
		}
		p, err := netip.ParsePrefix(one)
		if err != nil {
			return faultf(prefixHint, "%q is not an address with a prefix", one)
		}
		read[i] = p
	}
	*x.p = read
	return nil
}

func (x prefixes) check() *fault {
	for i, one := range *x.p {
		ip := one.Addr()
		switch full := netip.PrefixFrom(ip, ip.BitLen()); {
		case !one.IsValid():
			return faultf(prefixHint, "it holds no address")
		case ip.Is4In6():
			return faultf(fmt.Sprintf("write %q", netip.PrefixFrom(ip.Unmap(), 32)), "%q is an IPv4 address in the form of IPv6", one)
		case ip.IsUnspecified() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return faultf(prefixHint, "%q cannot be the address of a host", one)
		case one != full:
			why := "the address would vanish when the first address of its subnet is taken off the interface"
			if ip.Is6() {
				why = "the address would bring a route to its subnet, and take it along when it leaves"
			}
			return faultf(fmt.Sprintf("write %q", full), "the prefix of %q is not /%d: %s", one, ip.BitLen(), why)
		case slices.Contains((*x.p)[:i], one):
			return faultf("write it once", "%q is there twice", one)
		}
	}
	return nil
}

func (x prefixes) toml() string    { return quotedList(*x.p, netip.Prefix.String) }
func (x prefixes) kind() string    { return "list of addresses" }
func (x prefixes) allowed() string { return "IPv4 with `/32`, IPv6 with `/128`" }

// device is the name of a network interface, empty for none.
type device struct{ text }

// maxDevice is IFNAMSIZ of Linux without the final NUL.
const maxDevice = 15

func (d device) check() *fault {
	v := *d.p
	foreign := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == ':' }
	if v == "." || v == ".." || len(v) > maxDevice || strings.ContainsFunc(v, foreign) {
		return faultf("write its name as `ip link` shows it, such as \"eth0\"", "%q is not the name of an interface", v)
	}
	return nil
}

func (d device) kind() string { return "interface" }
func (d device) allowed() string {
	return fmt.Sprintf("at most %d characters", maxDevice)
}

// host is a host name or an IP address without a port, empty where none is set.
type host struct{ text }

func (h host) set(raw any) *fault {
	if f := h.text.set(raw); f != nil {
		return f
	}
	if normal, f := normalHost(h.bare()); f == nil {
		*h.p = normal
	}
	return nil
}

func (h host) bare() string { return strings.TrimSuffix(strings.TrimPrefix(*h.p, "["), "]") }

func (h host) check() *fault {
	if *h.p == "" {
		return nil
	}
	if strings.Contains(*h.p, "@") {
		return faultf("write the host alone, and the user as user = ...", "it holds a login")
	}
	_, f := normalHost(h.bare())
	return f
}

func (h host) kind() string    { return "host" }
func (h host) allowed() string { return "a name or an IP address, without a port" }
