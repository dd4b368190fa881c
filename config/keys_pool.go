package config

import "mpp"

// poolRows are the keys of [defaults] and [[pool]].
func poolRows() []row[Pool] {
	rows := append(roleRows(), timeRows()...)
	rows = append(rows, lift("ladder.", func(p *Pool) *Ladder { return &p.Ladder }, ladderRows())...)
	rows = append(rows, lift("", func(p *Pool) *NodeSettings { return &p.NodeSettings }, settingsRows())...)
	rows = append(rows, lift("failover.", func(p *Pool) *Failover { return &p.Failover }, failoverRows())...)
	rows = append(rows, lift("switchover.", func(p *Pool) *Switchover { return &p.Switchover }, switchoverRows())...)
	rows = append(rows, lift("vip.", func(p *Pool) *VIP { return &p.VIP }, vipRows())...)
	return append(rows, lift("checks.", func(p *Pool) *Checks { return &p.Checks }, checksRows())...)
}

// poolTables are the headings of poolRows.
func poolTables() []table {
	tables := append([]table{
		{"", "Every key of this section may stand in `[defaults]`, for all pools, and in `[[pool]]`, for one."},
		{"ladder", "At how many failed polls in a row a node's status rises. The numbers ascend."},
		{"account", "What MPP logs in with. Exactly one of `password_file`, `password_env`, `defaults_file` and `no_password` says where the password is; one that is set nearer to the node replaces another that is set further out. Node overrides: `[pool.node.account]`."},
		{"tls", "Encryption of the connections. Node overrides: `[pool.node.tls]`."},
	}, failoverTables()...)
	return append(append(tables, vipTables()...), checksTables()...)
}

func roleRows() []row[Pool] {
	return []row[Pool]{
		{
			path: "logic",
			doc:  "How writers are picked: `failover` keeps exactly one ACTIVE node; with `cluster` (Galera, Group Replication, NDB) every healthy member is ACTIVE.",
			bind: func(p *Pool) value { return wordOf(&p.Logic, mpp.LogicFailover, mpp.LogicCluster) },
		},
		{
			path: "engine",
			doc:  "How a promotion is carried out. `none`: MPP judges, and a load balancer that asks it moves the traffic. `native`: MPP promotes by itself, see `docs/failover.md`.",
			bind: func(p *Pool) value {
				return word[mpp.Engine]{p: &p.Engine, words: []mpp.Engine{mpp.EngineNone, mpp.EngineNative}, later: []mpp.Engine{"mha", "exec"}}
			},
		},
		{
			path: "readers",
			doc:  "Which nodes answer for the role reader: the STANDBY ones; those, and the ACTIVE one while no STANDBY can serve; or all.",
			bind: func(p *Pool) value {
				return wordOf(&p.Readers, mpp.ReadersStandby, mpp.ReadersStandbyElseActive, mpp.ReadersAll)
			},
		},
		{
			path: "hostile_takeover",
			doc:  "Whether the PRIMARY, once it is well again, takes the role ACTIVE from a node that has it. Only for `logic = \"failover\"` and `engine = \"none\"`; with an engine it is `failover.failback`.",
			bind: func(p *Pool) value { return boolean{&p.HostileTakeover} },
		},
		{
			path: "auto_recover", example: `"10m"`,
			doc:  "A node in state FAIL is taken back by itself after good polls for so long. With `\"0s\"` only `mpp recover` does.",
			bind: func(p *Pool) value { return duration{p: &p.AutoRecover, off: true} },
		},
	}
}

func timeRows() []row[Pool] {
	return []row[Pool]{
		{
			path: "interval", usually: "`\"1s\"`, or `\"250ms\"` with `failover.preset = \"fast\"`",
			doc:  "Time between two polls of a node.",
			bind: func(p *Pool) value { return duration{p: &p.Interval, least: minInterval} },
		},
		{
			path: "timeout", usually: "`\"800ms\"` (`\"250ms\"` with the preset `fast`), or 4/5 of `interval` if that is shorter",
			doc:  "Limit of one whole poll; shorter than `interval`.",
			bind: func(p *Pool) value { return duration{p: &p.Timeout} },
		},
		{
			path: "confirm_interval", usually: "`\"100ms\"` (`\"25ms\"` with the preset `fast`), or `interval` if that is shorter",
			doc:  "Time between two polls of a node that has just failed, until it is clear whether it is well; not longer than `interval`.",
			bind: func(p *Pool) value { return duration{p: &p.ConfirmInterval} },
		},
		{
			path: "confirm_timeout", usually: "`\"300ms\"` with an engine, or `timeout` if that is shorter; without one, `timeout`",
			doc:  "Limit of a poll of the ACTIVE node while nothing at all comes from it, in a pool with an engine; not longer than `timeout`.",
			bind: func(p *Pool) value { return duration{p: &p.ConfirmTimeout} },
		},
		{
			path: "slow_interval", usually: "`\"5s\"`, or `interval` if that is longer",
			doc:  "Time between two polls of a node that is dead; not shorter than `interval`.",
			bind: func(p *Pool) value { return duration{p: &p.SlowInterval} },
		},
		{
			path: "login_interval",
			doc:  "Time between two logins on a fresh connection beside the lasting one: only a login sees a changed password or too many connections.",
			bind: func(p *Pool) value { return duration{p: &p.LoginInterval} },
		},
		{
			path: "stale_after", usually: "`\"5s\"`, or 5 intervals if that is longer",
			doc:  "Age of the last poll from which what is known of a node is stale; not shorter than `interval`, better 3 intervals and more.",
			bind: func(p *Pool) value { return duration{p: &p.StaleAfter} },
		},
		{
			path: "when_stale",
			doc:  "What load balancers are told of a node whose data is stale: `down`, or `last_known`, which says so in its reason.",
			bind: func(p *Pool) value { return wordOf(&p.WhenStale, mpp.StaleDown, mpp.StaleLastKnown) },
		},
	}
}

const maxErrors = 1000

func ladderRows() []row[Ladder] {
	return []row[Ladder]{
		{
			path: "info_after", doc: "Failed polls in a row from which the status is INFO.",
			bind: func(l *Ladder) value { return number{&l.InfoAfter, 1, maxErrors} },
		},
		{
			path: "warn_after", doc: "Failed polls in a row from which the status is WARN.",
			bind: func(l *Ladder) value { return number{&l.WarnAfter, 1, maxErrors} },
		},
		{
			path: "critical_after", doc: "Failed polls in a row from which the status is CRITICAL.",
			bind: func(l *Ladder) value { return number{&l.CriticalAfter, 1, maxErrors} },
		},
		{
			path: "fail_after", doc: "Failed polls in a row from which the status is FAIL and the node is taken out.",
			bind: func(l *Ladder) value { return number{&l.FailAfter, 1, maxErrors} },
		},
	}
}

// settingsRows are the keys that a node may override.
func settingsRows() []row[NodeSettings] {
	rows := []row[NodeSettings]{{
		path: "extra_port", example: "3307",
		doc:  "MariaDB's `extra_port`, which is tried when the main one has too many connections; 0 for none. A node may override it.",
		bind: func(s *NodeSettings) value { return number{&s.ExtraPort, 0, 65535} },
	}}
	rows = append(rows, lift("account.", func(s *NodeSettings) *Account { return &s.Account }, accountRows())...)
	rows = append(rows, lift("tls.", func(s *NodeSettings) *TLS { return &s.TLS }, tlsRows())...)
	return append(rows, lift("ssh.", func(s *NodeSettings) *SSH { return &s.SSH }, sshRows())...)
}

func accountRows() []row[Account] {
	return []row[Account]{
		{
			path: "user", usually: "the user in `defaults_file`, else `\"mpp\"`", example: `"mpp"`,
			doc:  "User to log in as.",
			bind: func(a *Account) value { return text{p: &a.User} },
		},
		{
			path: "password_file", example: `"/etc/mpp/password"`,
			doc:  "File that holds the password and nothing else (one line end is cut off). It must not be readable by others.",
			bind: func(a *Account) value { return file{text{p: &a.PasswordFile}} },
		},
		{
			path: "password_env", example: `"MPP_PASSWORD"`,
			doc:  "Environment variable of the daemon that holds the password.",
			bind: func(a *Account) value { return text{p: &a.PasswordEnv} },
		},
		{
			path: "defaults_file", example: `"/etc/mpp/my.cnf"`,
			doc:  "Option file of the mysql client; `user` and `password` are taken from its groups `[client]` and `[mpp]`, the last one counts. It must not be readable by others.",
			bind: func(a *Account) value { return file{text{p: &a.DefaultsFile}} },
		},
		{
			path: "no_password", example: "true",
			doc:  "The account has no password. An empty password from anywhere else is refused, as it is nearly always a mistake.",
			bind: func(a *Account) value { return boolean{&a.NoPassword} },
		},
	}
}

func tlsRows() []row[TLS] {
	return []row[TLS]{
		{
			path: "mode",
			doc:  "`preferred` encrypts if the server can, `required` always; neither verifies whom it talks to. `verify_ca` verifies the certificate, `verify_identity` the server's name too.",
			bind: func(t *TLS) value {
				return wordOf(&t.Mode, TLSDisabled, TLSPreferred, TLSRequired, TLSVerifyCA, TLSVerifyIdentity)
			},
		},
		{
			path: "ca", example: `"/etc/mpp/ca.pem"`,
			doc:  "PEM file of the authorities that are trusted; empty trusts those of the system.",
			bind: func(t *TLS) value { return file{text{p: &t.CA}} },
		},
		{
			path: "cert", example: `"/etc/mpp/client-cert.pem"`,
			doc:  "PEM file of the client's certificate, together with `key`.",
			bind: func(t *TLS) value { return file{text{p: &t.Cert}} },
		},
		{
			path: "key", example: `"/etc/mpp/client-key.pem"`,
			doc:  "PEM file of the client's key. It must not be readable by others.",
			bind: func(t *TLS) value { return file{text{p: &t.Key}} },
		},
		{
			path: "server_name", usually: "the node's host", example: `"db1.example.com"`,
			doc:  "Name that the server's certificate must bear, for `verify_identity`.",
			bind: func(t *TLS) value { return text{p: &t.ServerName} },
		},
	}
}
