package config

import "time"

// row is one key: the tables of rows are all that decoding, validation, Diff and the
// reference know about keys.
type row[T any] struct {
	// path is the key's name with its tables, from the section's start: "checks.lag.warn".
	path string
	// doc is what the key does, in sentences.
	doc string
	// bind gives the field that the key sets.
	bind func(*T) value
	// usually says in words what the default is when it depends on other keys.
	usually string
	// example is a TOML value worth showing where the default shows nothing.
	example string
	// restart says that a change needs a restart.
	restart bool
}

// table says what one heading of the reference is about.
type table struct {
	// path is the table within its section; "" is the section itself.
	path string
	doc  string
}

// lift turns the rows of a part into rows of the whole, under a prefix.
func lift[T, U any](prefix string, part func(*T) *U, rows []row[U]) []row[T] {
	lifted := make([]row[T], 0, len(rows))
	for _, r := range rows {
		bind := r.bind
		lifted = append(lifted, row[T]{
			path: prefix + r.path, doc: r.doc, usually: r.usually, example: r.example, restart: r.restart,
			bind: func(whole *T) value { return bind(part(whole)) },
		})
	}
	return lifted
}

// topRows are the keys outside of pools.
func topRows() []row[Config] {
	rows := []row[Config]{
		{
			path: "state_dir", restart: true,
			doc:  "Folder of the journal: what MPP remembers over a restart. One daemon uses it at a time.",
			bind: func(c *Config) value { return file{text{p: &c.StateDir, needed: true}} },
		},
		{
			path: "run_dir", restart: true,
			doc:  "Folder of the API's socket and of the state files that `mpp-check` reads; better on a tmpfs.",
			bind: func(c *Config) value { return file{text{p: &c.RunDir, needed: true}} },
		},
	}
	rows = append(rows, lift("log.", func(c *Config) *Log { return &c.Log }, logRows())...)
	rows = append(rows, lift("api.", func(c *Config) *API { return &c.API }, apiRows())...)
	rows = append(rows, row[Config]{
		path: "agent.listen", example: `"127.0.0.1:9101"`, restart: true,
		doc:  "TCP address on which HAProxy's agent-check is answered.",
		bind: func(c *Config) value { return listen{text{p: &c.Agent.Listen}} },
	}, row[Config]{
		path: "track_files.dir", example: `"/run/mpp/track"`, restart: true,
		doc:  "Folder of the files that keepalived's `track_file` watches: one for each pool, node and role, holding 0 for good and 1 for bad. Empty writes none.",
		bind: func(c *Config) value { return file{text{p: &c.TrackFiles.Dir}} },
	})
	return append(rows, lift("journal.", func(c *Config) *Journal { return &c.Journal }, journalRows())...)
}

// topTables are the headings of topRows.
func topTables() []table {
	return []table{
		{"", "Keys that stand at the top of a file, above the first `[table]`."},
		{"log", "What the daemon logs to standard error."},
		{"api", "The HTTP API: for `mpp`, for load balancers, for metrics. Commands over the unix socket need only the right to open it; commands over TCP need the token."},
		{"agent", "HAProxy's agent-check."},
		{"track_files", "Files for keepalived."},
		{"journal", "How much is remembered."},
	}
}

func logRows() []row[Log] {
	return []row[Log]{
		{
			path: "level", restart: true, doc: "The least important message that is logged.",
			bind: func(l *Log) value { return wordOf(&l.Level, "debug", "info", "warn", "error") },
		},
		{
			path: "format", restart: true,
			doc:  "`json` is for machines, `console` for people, `auto` is `console` on a terminal and `json` otherwise.",
			bind: func(l *Log) value { return wordOf(&l.Format, "auto", "json", "console") },
		},
	}
}

func apiRows() []row[API] {
	return []row[API]{
		{
			path: "socket", usually: "`mppd.sock` in `run_dir`", restart: true,
			doc:  "Path of the unix socket.",
			bind: func(a *API) value { return file{text{p: &a.Socket}} },
		},
		{
			path: "socket_mode", restart: true,
			doc:  "File mode of the socket: who may write to it may give commands.",
			bind: func(a *API) value { return mode{&a.SocketMode} },
		},
		{
			path: "socket_group", example: `"dba"`, restart: true,
			doc:  "Group of the socket; empty leaves the group of the daemon.",
			bind: func(a *API) value { return text{p: &a.SocketGroup} },
		},
		{
			path: "listen", example: `"127.0.0.1:9102"`, restart: true,
			doc:  "TCP address to listen on besides. Whoever can reach it can read everything but secrets.",
			bind: func(a *API) value { return listen{text{p: &a.Listen}} },
		},
		{
			path: "token_file", example: `"/etc/mpp/token"`, restart: true,
			doc:  "File with the bearer token for commands over TCP, 16 characters or more. Without it TCP is read-only. The file must not be readable by others.",
			bind: func(a *API) value { return file{text{p: &a.TokenFile}} },
		},
	}
}

func journalRows() []row[Journal] {
	return []row[Journal]{
		{
			path: "max_size", restart: true,
			doc:  "Limit of the journal's size on disk. What a restart needs is kept even when it is more.",
			bind: func(j *Journal) value { return size{p: &j.MaxSize, min: 1 * mib, max: 16 * gib} },
		},
		{
			path: "events_kept", restart: true,
			doc:  "How many events are kept over restarts.",
			bind: func(j *Journal) value { return number{&j.EventsKept, 100, 1_000_000} },
		},
		{
			path: "history", restart: true,
			doc:  "How far back polls are kept in memory for `mpp replay --from`.",
			bind: func(j *Journal) value { return duration{p: &j.History, least: time.Second} },
		},
	}
}
