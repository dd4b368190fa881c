package takeover

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"mpp/fault"
	"mpp/mha/conf"
	"mpp/mha/helperconf"
	"mpp/secret"
)

// Options say what MHA's files do not.
type Options struct {
	// Name is the pool's; that of the application unless it is set.
	Name string
	// Passwords is the folder of the password files; empty is that of the configuration.
	Passwords string
	// SSHKey and KnownHosts are the files that ssh needs; what ssh_options name unless they are set.
	SSHKey, KnownHosts string
	// ScriptRan says that init_conf_load_script was run, and its values are among MHA's.
	ScriptRan bool
}

// Result is a configuration.
type Result struct {
	// Pool is the pool's name, TOML the text.
	Pool, TOML string
	// Files are the password files that it names and that MHA's configuration has the passwords
	// for. They are to be written with mode 0600.
	Files []File
}

// File is a password file.
type File struct {
	Path     string
	Password secret.Secret
}

// ErrName says that Options.Name cannot be a pool's.
var ErrName = errors.New("cannot be the name of a pool")

// Make makes the configuration. helper may be nil.
func Make(c *conf.Config, helper *helperconf.Cluster, o Options) (Result, error) {
	b := &builder{conf: c, helper: helper, options: o, name: cmp.Or(o.Name, poolName(c.App)), carried: map[string]bool{}}
	if !goodName(b.name) {
		return Result{}, fmt.Errorf("%q %w: write letters, digits, dots, dashes and underscores, with a letter or digit first, at most %d", b.name, ErrName, maxName)
	}
	if err := b.judge(); err != nil {
		return Result{}, err
	}
	b.fateOf = map[string]Fate{}
	for _, f := range append(Fates(), HelperFates()...) {
		b.fateOf[f.Name] = f
	}
	b.primary = b.choosePrimary()
	if o.ScriptRan {
		b.carry("init_conf_load_script")
	}
	b.pool()
	b.accounts()
	b.failover()
	b.address()
	b.ssh()
	b.checks()
	b.nodes()
	b.checkpoints()
	text := b.head() + b.text.String() + b.tail()
	return Result{Pool: b.name, TOML: text, Files: b.files}, nil
}

// builder makes one configuration.
type builder struct {
	conf    *conf.Config
	helper  *helperconf.Cluster
	options Options
	name    string
	// primary is the index of the server that becomes PRIMARY.
	primary int

	text strings.Builder
	// todo is what has to be done before the configuration serves.
	todo []string
	// carried are the parameters that have found a key.
	carried map[string]bool
	// left are the others that deserve words of their own, and what has none to begin with.
	left []leftover
	// files are the password files whose passwords are known, unknown the others.
	files   []File
	unknown []string
	fateOf  map[string]Fate
	// way is what ssh_options say.
	way sshOptions
}

// leftover is something that was not carried over.
type leftover struct {
	what string
	at   []fault.Origin
	text string
	// code is a text for MPP's configuration or for a script, shown as it is.
	code string
}

const maxName = 64

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func goodName(name string) bool { return len(name) <= maxName && namePattern.MatchString(name) }

// poolName makes a name of an application's.
func poolName(app string) string {
	name := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && namePattern.MatchString("a"+string(r)) {
			return r
		}
		return '-'
	}, app)
	name = strings.TrimLeft(name, "._-")
	return cmp.Or(name[:min(len(name), maxName)], "mha")
}

// judge refuses what cannot become a pool.
func (b *builder) judge() error {
	var problems []fault.Problem
	for _, s := range b.conf.Settings {
		if !utf8.ValidString(s.Text) {
			problems = append(problems, fault.Problem{Origin: s.At, Key: "[" + s.Block + "] " + s.Name, Text: "it is not in UTF-8", Hint: "convert the file"})
		}
	}
	for _, s := range b.conf.Servers { // what a script printed is in no file
		if text := s.User + s.ReplUser + s.Hostname + s.IP + s.SSHUser + s.SSHHost + s.NodeLabel; !utf8.ValidString(text) {
			problems = append(problems, fault.Problem{Origin: s.At, Key: "[" + s.Block + "]", Text: "a name or user is not in UTF-8", Hint: "convert the file, or what init_conf_load_script prints"})
		}
	}
	if !slices.ContainsFunc(b.conf.Servers, func(s conf.Server) bool { return !s.NoMaster }) {
		problems = append(problems, fault.Problem{Origin: fault.Origin{File: b.conf.File}, Text: "every server has no_master = 1: nobody could be the writer", Hint: "take it out where the writer is"})
	}
	return fault.Join(problems)
}

// choosePrimary is the first candidate in MHA's order, else the first that may be a master.
func (b *builder) choosePrimary() int {
	servers := b.conf.Servers
	if i := slices.IndexFunc(servers, func(s conf.Server) bool { return s.CandidateMaster && !s.NoMaster }); i >= 0 {
		return i
	}
	return slices.IndexFunc(servers, func(s conf.Server) bool { return !s.NoMaster })
}

// each is a value of every server that may become the writer, without repetitions.
func each[T comparable](b *builder, of func(*conf.Server) T) []T {
	var all []T
	for i := range b.conf.Servers {
		s := &b.conf.Servers[i]
		if v := of(s); !s.NoMaster && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// set reports whether a parameter stands in the files, for any server.
func (b *builder) set(name string) bool {
	return slices.ContainsFunc(b.conf.Servers, func(s conf.Server) bool { _, set := s.From(name); return set })
}

// from is where a parameter stands, for a comment: of the servers' places the first.
func (b *builder) from(name string) string {
	for i := range b.conf.Servers {
		if at, set := b.conf.Servers[i].From(name); set {
			return name + ", " + short(at)
		}
	}
	return name + " is not set: MHA's default"
}

// short is a place without its folder.
func short(at fault.Origin) string {
	at.File = filepath.Base(at.File)
	return at.String()
}

// carry notes that parameters have found their key.
func (b *builder) carry(names ...string) {
	for _, name := range names {
		b.carried[name] = true
	}
}

// leave says more of a parameter than its fate does.
func (b *builder) leave(name, text, code string) {
	b.left = append(b.left, leftover{what: name, at: b.places(name), text: text, code: code})
	b.carry(name)
}

// places are where a parameter stands.
func (b *builder) places(name string) []fault.Origin {
	var at []fault.Origin
	for _, s := range b.conf.Settings {
		if s.Name == name && !isBinlog(s.Block) {
			at = append(at, s.At)
		}
	}
	return at
}

func isBinlog(block string) bool { return strings.HasPrefix(block, "binlog") }

// ErrNoCluster says that MHA Helper's files know none of the application's servers.
var ErrNoCluster = errors.New("no file of MHA Helper's has a section for a server of this application")

// Helper finds the file of MHA Helper's that is for an application: the one with a section for
// each server, or the only one with a section for any. The error is ErrNoCluster,
// helperconf.ErrAmbiguous, or one that says what is wrong in the file.
func Helper(c *conf.Config, clusters []helperconf.Cluster) (*helperconf.Cluster, error) {
	hosts := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		hosts[i] = s.Hostname
	}
	found, err := helperconf.Find(clusters, hosts...)
	if errors.Is(err, helperconf.ErrNoHost) {
		var some []helperconf.Cluster
		for _, cluster := range clusters {
			if slices.ContainsFunc(hosts, func(h string) bool { _, has := cluster.Host(h); return has }) {
				some = append(some, cluster)
			}
		}
		switch len(some) {
		case 0:
			return nil, fmt.Errorf("find %s in MHA Helper's configuration: %w", strings.Join(hosts, ", "), ErrNoCluster)
		case 1:
			found, err = &some[0], nil
		default:
			return nil, fmt.Errorf("find %s in MHA Helper's configuration: %w: %s, %s", strings.Join(hosts, ", "), helperconf.ErrAmbiguous, some[0].File, some[1].File)
		}
	}
	if err != nil {
		return nil, err
	}
	return found, fault.Join(found.Problems)
}
