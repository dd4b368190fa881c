package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mpp/publish/address"
)

// personality is a caller's convention.
type personality string

// The personalities.
const (
	plain      personality = "plain"      // ROLE [POOL] NODE; exit 0 or 1
	ldirectord personality = "ldirectord" // VIP VPORT RIP RPORT; exit 0 or 1
	haproxy    personality = "haproxy"    // PROXY_ADDR PROXY_PORT SERVER_ADDR SERVER_PORT; exit 0 or 1
	bigIP      personality = "bigip"      // IP PORT [ROLE] [POOL]; prints only when up
	nanny      personality = "nanny"      // NODE; prints OK or FAIL
	piranha    personality = "piranha"    // NODE; prints up or down
	nagios     personality = "nagios"     // options; exit 0 to 3
)

// names are the names under which a personality is known, in argv[0] or after --as.
func names() map[string]personality {
	return map[string]personality{
		"mpp-check": plain, "plain": plain, "keepalived": plain, "ldirectord": ldirectord, "haproxy": haproxy,
		"bigip": bigIP, "eav": bigIP, "nanny": nanny, "piranha": piranha, "nagios": nagios, "check_mpp": nagios,
	}
}

// The defaults.
const (
	defaultRunDir  = "/run/mpp"
	defaultPidDir  = "/var/run"
	defaultTimeout = 1500 * time.Millisecond
	nagiosTimeout  = 10 * time.Second
	maxTimeout     = 5 * time.Minute
)

// options are the arguments, taken apart.
type options struct {
	name string // the base name that the program was started by
	as   personality
	role string // writer, reader or ok; empty only for nagios
	pool string // empty: found by the node
	node address.Address
	// nodeText is the node as it was given, empty for none (nagios, of a whole pool).
	nodeText string
	runDir   string
	pidDir   string
	http     string // host:port of mppd, empty: the state files are read
	timeout  time.Duration
	warn     span // nagios
	critical span
	help     bool
	version  bool
	words    []string // what is no option
}

// parse takes the arguments apart. On an error the personality is still right, so that the
// caller is told no in its own way.
func parse(args []string) (options, error) {
	o := options{as: plain, runDir: defaultRunDir, pidDir: defaultPidDir}
	if dir := os.Getenv("MPP_RUN_DIR"); dir != "" {
		o.runDir = dir
	}
	if len(args) > 0 {
		o.name = filepath.Base(args[0])
		_ = o.become(o.name) // any other name is the plain personality
		args = args[1:]
	}
	err := o.flags(args)
	if o.timeout == 0 {
		o.timeout = defaultTimeout
		if o.as == nagios {
			o.timeout = nagiosTimeout
		}
	}
	if err != nil || o.help || o.version {
		return o, err
	}
	if o.role == "" {
		o.takeRole()
	}
	return o, o.subject()
}

// become takes a personality, with its role, from a name such as "ldirectord-writer".
func (o *options) become(name string) bool {
	if as, known := names()[name]; known {
		o.as = as
		return true
	}
	i := strings.LastIndexByte(name, '-')
	if i < 0 || !isRole(name[i+1:]) {
		return false
	}
	as, known := names()[name[:i]]
	if !known {
		return false
	}
	o.as, o.role = as, name[i+1:]
	return true
}

func isRole(word string) bool { return word == "writer" || word == "reader" || word == "ok" }

// flags takes the options out of the arguments; they may stand anywhere.
func (o *options) flags(args []string) error {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			o.words = append(o.words, args...)
			return nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			o.words = append(o.words, arg)
			continue
		}
		key, value, attached := strings.Cut(arg, "=")
		switch key {
		case "-h", "--help":
			o.help = true
			continue
		case "-V", "--version":
			o.version = true
			continue
		}
		if !attached {
			if len(args) == 0 {
				return errors.New(key + " needs a value, or is unknown")
			}
			value, args = args[0], args[1:]
		}
		if err := o.set(key, value); err != nil {
			return err
		}
	}
	return nil
}

// set takes one option.
func (o *options) set(key, value string) (err error) {
	switch key {
	case "--as":
		if !o.become(value) {
			return errors.New("unknown personality " + short(value) + ": plain, keepalived, ldirectord, haproxy, bigip, nanny, piranha or nagios, each also with -writer, -reader or -ok")
		}
	case "--role":
		if !isRole(value) {
			return unknownRole(value)
		}
		o.role = value
	case "--pool":
		o.pool = value
	case "--node":
		o.words = append(o.words, value)
	case "--run-dir":
		o.runDir = value
	case "--pid-dir":
		o.pidDir = value
	case "--http":
		o.http = value
	case "-t", "--timeout":
		o.timeout, err = duration(value)
	case "-w", "--warning":
		o.warn, err = parseSpan(value)
	case "-c", "--critical":
		o.critical, err = parseSpan(value)
	default:
		err = errors.New("unknown option " + short(key))
	}
	return err
}

// duration reads "1.5s", "800ms" or, as plugins of Nagios want it, seconds.
func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if seconds, bare := strconv.ParseFloat(text, 64); bare == nil {
		d, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || d <= 0 || d > maxTimeout {
		return 0, errors.New("the time-out must be like 1.5s or 800ms, and at most 5m: " + short(text))
	}
	return d, nil
}

// takeRole takes the role from where the personality has it: the first word, or for BIG-IP
// the third.
func (o *options) takeRole() {
	at := 0
	if o.as == bigIP {
		at = 2
	}
	if len(o.words) > at && isRole(o.words[at]) {
		o.role = o.words[at]
		o.words = append(o.words[:at:at], o.words[at+1:]...)
	}
}

// noRole tells a role that is no role from one that is missing: with one word more than the
// caller gives by itself, somebody has written one.
func (o *options) noRole() error {
	at, given := 0, 1
	switch o.as {
	case ldirectord, haproxy:
		given = 4
	case bigIP:
		at, given = 2, 2
	default:
	}
	if len(o.words) > given {
		return unknownRole(o.words[at])
	}
	return errors.New("the role is missing: writer, reader or ok")
}

func unknownRole(word string) error {
	return errors.New("unknown role " + short(word) + ": writer, reader or ok")
}

// subject takes pool and node from the words that are left.
func (o *options) subject() error {
	if o.role == "" && o.as != nagios {
		return o.noRole()
	}
	if o.http != "" && o.as == nagios {
		return errors.New("the nagios personality reads mppd's state files: run it on mppd's host, by NRPE for example")
	}
	w, host, port := o.words, "", ""
	switch {
	case (o.as == ldirectord || o.as == haproxy) && len(w) == 4:
		host, port = w[2], w[3]
	case o.as == bigIP && (len(w) == 2 || len(w) == 3):
		host, port = w[0], w[1]
		if len(w) == 3 {
			o.pool = w[2]
		}
	case (o.as == plain || o.as == nanny || o.as == piranha) && len(w) == 1:
		host = w[0]
	case o.as == plain && len(w) == 2:
		o.pool, host = w[0], w[1]
	case o.as == nagios && len(w) == 1:
		host = w[0]
	case o.as == nagios && len(w) == 0 && o.pool != "":
		return nil // the whole pool
	default:
		return errors.New(usage(o.as))
	}
	return o.aim(host, port)
}

// aim reads the node's address.
func (o *options) aim(host, port string) error {
	if port == "NOT_USED" || port == "0" { // HAProxy, ldirectord: the server has none
		port = ""
	}
	var valid bool
	if port == "" {
		o.node, valid = address.Parse(host)
	} else {
		o.node, valid = address.Join(host, port)
	}
	if !valid {
		return errors.New("no address of a node: " + short(host+" "+port))
	}
	o.nodeText = o.node.String()
	return nil
}

// short keeps an argument from filling an answer, and makes it one line.
func short(text string) string {
	if len(text) > 80 {
		text = text[:80] + "..."
	}
	return strconv.Quote(text)
}
