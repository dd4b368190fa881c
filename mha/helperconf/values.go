package helperconf

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mpp/fault"
)

// said is what is wrong with a value; what is harmless is a warning.
type said struct {
	text, hint string
	harmless   bool
}

// setter reads a value into a host.
type setter func(h *Host, value string) *said

func setters() map[string]setter {
	return map[string]setter{
		KeyVIP:           setVIP,
		KeyVIPType:       setVIPType,
		KeyReportEmail:   setReportEmail,
		KeySMTPHost:      setSMTPHost,
		KeySudo:          yesNo(func(h *Host) *bool { return &h.Sudo }),
		KeySuperReadOnly: yesNo(func(h *Host) *bool { return &h.SuperReadOnly }),
		KeyArping:        yesNo(func(h *Host) *bool { return &h.Arping }),
		KeyInterface:     setInterface,
		KeyKillAfter:     setKillAfter,
	}
}

func setVIP(h *Host, value string) *said {
	const hint = "write ADDRESS/LENGTH, such as 192.168.10.155/24; it may be an IPv6 address"
	h.VIP = netip.Prefix{}
	if value == "" {
		return nil
	}
	if address, err := netip.ParseAddr(value); err == nil && address.Zone() == "" {
		h.VIP = netip.PrefixFrom(address, address.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		return &said{text: fmt.Sprintf("%q is not an address", value), hint: hint}
	}
	h.VIP = prefix
	return nil
}

func setVIPType(h *Host, value string) *said {
	types := []string{string(VIPNone), string(VIPMetal), string(VIPAWS), string(VIPOpenStack)}
	for _, t := range types {
		if value == t {
			h.VIPType = VIPType(t)
			return nil
		}
	}
	h.VIPType = VIPNone
	hint := "write " + strings.Join(types, ", ")
	if near := fault.Nearest(value, types); near != "" {
		hint = "is it " + near + "?"
	}
	return &said{text: fmt.Sprintf("%q is not a type", value), hint: hint}
}

// mailAddress is wide on purpose: the mail server judges, and no failover depends on it.
var mailAddress = regexp.MustCompile(`^[^\s@<>,;:"\x00-\x1f\x7f]+@[^\s@<>,;"\x00-\x1f\x7f]+$`)

func setReportEmail(h *Host, value string) *said {
	h.ReportEmail = ""
	if value != "" && !mailAddress.MatchString(value) {
		return &said{harmless: true, text: fmt.Sprintf("%q is not a mail address: nobody gets the report", value), hint: "write one, such as dba@example.com"}
	}
	h.ReportEmail = value
	return nil
}

// hostLabels is a name or an IPv4 address. Whether it resolves is not asked: MHA Helper did, and
// moved no address while the mail server's name did not resolve.
var hostLabels = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

const maxHostName = 255

func setSMTPHost(h *Host, value string) *said {
	_, err := netip.ParseAddr(value)
	if err != nil && (len(value) > maxHostName || !hostLabels.MatchString(value)) {
		h.SMTPHost = defaultSMTP
		return &said{harmless: true, text: fmt.Sprintf("%q is not the name of a host: %s is asked instead", value, defaultSMTP), hint: "write the mail server's name"}
	}
	h.SMTPHost = value
	return nil
}

func yesNo(field func(*Host) *bool) setter {
	return func(h *Host, value string) *said {
		switch strings.ToLower(value) {
		case "yes":
			*field(h) = true
		case "no":
			*field(h) = false
		default:
			return &said{text: fmt.Sprintf("%q is neither yes nor no", value), hint: "write yes or no"}
		}
		return nil
	}
}

// maxInterface is IFNAMSIZ of Linux without the final NUL.
const maxInterface = 15

func setInterface(h *Host, value string) *said {
	h.Interface = ""
	foreign := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == ':' }
	if value == "" || value == "." || value == ".." || len(value) > maxInterface || strings.ContainsFunc(value, foreign) {
		return &said{text: fmt.Sprintf("%q is not the name of an interface", value), hint: "write its name as `ip link` shows it, such as eth0"}
	}
	h.Interface = value
	return nil
}

// maxKillAfter bounds the wait: applications cannot write meanwhile.
const maxKillAfter = 24 * time.Hour

func setKillAfter(h *Host, value string) *said {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 0 || seconds > int(maxKillAfter/time.Second) {
		return &said{text: fmt.Sprintf("%q is not a number of seconds", value), hint: "write a whole number from 0 to " + strconv.Itoa(int(maxKillAfter/time.Second)) + ", such as 5"}
	}
	h.KillAfter = time.Duration(seconds) * time.Second
	return nil
}
