package takeover

import (
	"cmp"
	"path"
	"slices"

	"mpp/mha/conf"
	"mpp/secret"
)

// login is an account of MHA's.
type login struct {
	user     string
	password string
}

func loginOf(s *conf.Server) login { return login{s.User, s.Password.Reveal()} }

// pair is a key and its value.
type pair struct{ key, value string }

// accounts writes what MPP logs in with.
func (b *builder) accounts() {
	servers := b.conf.Servers
	base := common(servers, loginOf)
	one := !slices.ContainsFunc(servers, func(s conf.Server) bool { return loginOf(&s) != base })
	source := pair{}
	if b.conf.Defaults.InitConfLoadScript != "" && !b.options.ScriptRan && !b.set("password") {
		source = b.missing(b.name + ".password") // the script prints it, most likely
	} else {
		source = b.source(b.name+".password", base.password)
	}
	b.table("[pool.account]", "For the polls. They need less than MHA's account may do: better give them one of their own (docs/operations/accounts.md).")
	b.key("user", quote(base.user), b.from("user"))
	b.key(source.key, source.value, "")
	if one {
		b.table("[pool.failover.account]", "For failovers and switchovers.")
		b.key("user", quote(base.user), "")
		b.key(source.key, source.value, "")
	} else {
		b.text.WriteString(comment("Servers have accounts of their own, so failovers use those of the nodes, too. One account that is on all nodes, in [pool.failover.account], is better."))
	}
	b.carry("user", "password")
	b.replication()
}

// source says where a password is, and keeps it for its file.
func (b *builder) source(file, password string) pair {
	if password == "" {
		return pair{"no_password", "true"}
	}
	file = path.Join(b.options.Passwords, file)
	b.files = append(b.files, File{Path: file, Password: secret.New(password)})
	return pair{"password_file", quote(file)}
}

// missing says where a password is that MHA's files do not hold.
func (b *builder) missing(file string) pair {
	file = path.Join(b.options.Passwords, file)
	b.unknown = append(b.unknown, file)
	return pair{"password_file", quote(file)}
}

// replication writes what replicas log in with: MHA takes what the new master has.
func (b *builder) replication() {
	servers := b.conf.Servers
	user := common(servers, func(s *conf.Server) string { return s.ReplUser })
	password := common(servers, func(s *conf.Server) string { return s.ReplPassword.Reveal() })
	const differs = "It differs between servers, and a pool has one account for replication: that of most servers was taken. Create it on all."
	if len(each(b, func(s *conf.Server) string { return s.ReplUser })) > 1 {
		b.leave("repl_user", differs, "")
	}
	if len(each(b, func(s *conf.Server) string { return s.ReplPassword.Reveal() })) > 1 {
		b.leave("repl_password", differs, "")
	}
	b.carry("repl_user", "repl_password")
	b.table("[pool.failover.replication]", "What replicas log in to the writer with.")
	note := b.from("repl_user")
	if user == "" {
		b.todo = append(b.todo, "MHA's files name no repl_user: write the one that SHOW REPLICA STATUS shows (Source_User, Master_User) into [pool.failover.replication].")
		note = "a guess: see above"
	}
	b.key("user", quote(cmp.Or(user, "repl")), note)
	source := pair{}
	if b.set("repl_password") {
		source = b.source(b.name+".repl-password", password)
	} else {
		source = b.missing(b.name + ".repl-password")
	}
	b.key(source.key, source.value, "")
}

// nodeAccount is what a node has of its own, as pairs of an inline table.
func (b *builder) nodeAccount(s *conf.Server, name string) []string {
	own, base := loginOf(s), common(b.conf.Servers, loginOf)
	if own == base {
		return nil
	}
	source := b.source(b.name+"."+name+".password", own.password)
	return []string{"user = " + quote(own.user), source.key + " = " + source.value}
}
