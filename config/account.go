package config

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// minToken is the least length of an API token.
const minToken = 16

// found is what a source of passwords holds.
type found struct {
	user     string
	password Secret
	fault    *fault
}

// filler reads the secrets that a configuration names, each once.
type filler struct {
	problems []Problem
	known    map[string]found
}

// fillSecrets reads every password and token into the configuration.
func (c *Config) fillSecrets() []Problem {
	f := &filler{known: map[string]found{}}
	if c.API.TokenFile != "" {
		f.token(c)
	}
	f.pool(&c.Defaults)
	for i := range c.Pools {
		p := &c.Pools[i]
		f.pool(p)
		for j := range p.Nodes {
			f.fill(&p.Nodes[j].Account, accountPlace{p.Nodes[j].at, "account", defaultUser})
		}
	}
	return f.problems
}

// pool reads the secrets of a pool but for its nodes'.
func (f *filler) pool(p *Pool) {
	f.fill(&p.Account, accountPlace{p.at, "account", defaultUser})
	f.fill(&p.Failover.Replication, accountPlace{p.at, "failover.replication", ""})
	if given(&p.Failover.Account, p.at, "failover.account") {
		f.fill(&p.Failover.Account, accountPlace{p.at, "failover.account", defaultUser})
	}
	f.checkpoints(p)
}

// given reports whether an account that may be left out is there.
func given(a *Account, at origins, table string) bool {
	return len(a.sources()) > 0 || at.has(table+".user")
}

// accountPlace is where an account stands.
type accountPlace struct {
	at origins
	// table is its table within the section; user is who logs in when nothing says it.
	table, user string
}

func (f *filler) report(o Origin, x *fault) {
	f.problems = append(f.problems, Problem{File: o.File, Line: o.Line, Key: o.Key, Text: x.text, Hint: x.hint})
}

func (f *filler) checkpoints(p *Pool) {
	for i := range p.Checkpoints {
		if c := &p.Checkpoints[i]; c.Kind == CheckpointMySQL {
			f.fill(&c.Account, accountPlace{c.at, "account", defaultUser})
		}
	}
}

func (f *filler) token(c *Config) {
	token, x := readSecret(c.API.TokenFile)
	switch {
	case x != nil:
		f.report(c.at["api.token_file"], x)
	case len(token.Reveal()) < minToken:
		f.report(c.at["api.token_file"], faultf(fmt.Sprintf("use at least %d, such as from: openssl rand -hex 32", minToken), "the token in %s is too short", c.API.TokenFile))
	default:
		c.API.Token = token
	}
}

// fill reads the password of an account; having no source, or two, is for Validate to say.
func (f *filler) fill(a *Account, place accountPlace) {
	var got found
	key := ""
	if sources := a.sources(); len(sources) == 1 {
		key = sources[0]
	}
	switch key {
	case "password_file":
		got = f.once(key+" "+a.PasswordFile, func() found { return fromFile(a.PasswordFile) })
	case "password_env":
		got = f.once(key+" "+a.PasswordEnv, func() found { return fromEnv(a.PasswordEnv) })
	case "defaults_file":
		got = f.once(key+" "+a.DefaultsFile, func() found { return fromDefaults(a.DefaultsFile) })
	}
	if got.fault != nil {
		f.report(place.at[place.table+"."+key], got.fault)
	}
	a.Password = got.password
	if !place.at.has(place.table + ".user") {
		a.User = cmp.Or(got.user, place.user)
	}
}

func (f *filler) once(key string, read func() found) found {
	got, known := f.known[key]
	if !known {
		got = read()
		f.known[key] = got
	}
	return got
}

// sources are the keys that say where the password is; there should be one.
func (a *Account) sources() []string {
	var set []string
	for i, on := range []bool{a.PasswordFile != "", a.PasswordEnv != "", a.DefaultsFile != "", a.NoPassword} {
		if on {
			set = append(set, sourceKeys()[i])
		}
	}
	return set
}

const emptyHint = "write the password there, or say no_password = true if the account has none"

func fromFile(path string) found {
	password, f := readSecret(path)
	if f != nil && strings.HasSuffix(f.text, "is empty") {
		f.hint = emptyHint
	}
	return found{password: password, fault: f}
}

func fromEnv(variable string) found {
	password, set := os.LookupEnv(variable)
	switch {
	case !set:
		return found{fault: faultf("set it where mppd is started, such as with EnvironmentFile= in its systemd unit", "the environment variable that it names is not set")}
	case password == "":
		return found{fault: faultf(emptyHint, "the environment variable %s is empty", variable)}
	}
	return found{password: NewSecret(password)}
}

func fromDefaults(path string) found {
	content, f := readPrivate(path)
	if f != nil {
		return found{fault: f}
	}
	l := parseMyCnf(content)
	switch {
	case !l.given:
		return found{fault: faultf("write password=... into one of the two, or say user and no_password = true here instead", "%s has no password in [client] or [mpp]", path)}
	case l.password == "":
		return found{fault: faultf("write the password there, or say user and no_password = true here instead", "the password in %s is empty", path)}
	}
	return found{user: l.user, password: NewSecret(l.password)}
}
