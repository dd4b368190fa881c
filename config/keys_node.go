package config

import "mpp"

// mysqlPort is the port of MySQL where none is given.
const mysqlPort = 3306

const maxPrefer = 1000

// nodeRows are the keys of [[pool.node]].
func nodeRows() []row[Node] {
	rows := []row[Node]{
		{
			path: "address", example: `"10.0.0.1:3306"`,
			doc:  "The server's `host:port`; IPv6 in brackets. A node is in one pool only.",
			bind: func(n *Node) value { return address{text{p: &n.Address}, mysqlPort} },
		},
		{
			path: "type",
			doc:  "The node's rank. A failover pool has one PRIMARY; it takes over first, then the SECONDARY nodes in the order of the file.",
			bind: func(n *Node) value { return wordOf(&n.Type, mpp.Primary, mpp.Secondary) },
		},
		{
			path: "name", usually: "the address", example: `"db1"`,
			doc:  "A name for people, unique in the pool.",
			bind: func(n *Node) value { return name{text{p: &n.Name}, true} },
		},
		{
			path: "no_promote",
			doc:  "Keeps the node from ever becoming ACTIVE, by itself or by command: for a backup or reporting server.",
			bind: func(n *Node) value { return boolean{&n.NoPromote} },
		},
		{
			path: "prefer", example: "10",
			doc:  "With an engine: among nodes of one type that are equally complete, the one with the higher number is promoted first.",
			bind: func(n *Node) value { return number{&n.Prefer, -maxPrefer, maxPrefer} },
		},
		{
			path: "interface", usually: "`vip.interface` of the pool", example: `"bond0"`,
			doc:  "The interface that gets the virtual address on this node's host.",
			bind: func(n *Node) value { return device{text{p: &n.Interface}} },
		},
		sshHostRow(),
	}
	return append(rows, lift("", func(n *Node) *NodeSettings { return &n.NodeSettings }, settingsRows())...)
}

// checkpointRows are the keys of [[pool.checkpoint]].
func checkpointRows() []row[Checkpoint] {
	rows := []row[Checkpoint]{
		{
			path: "name", usually: "its address or URL's host", example: `"gateway"`,
			doc:  "A name, unique in the pool.",
			bind: func(c *Checkpoint) value { return name{text{p: &c.Name}, true} },
		},
		{
			path: "ring", example: `"edge"`,
			doc:  "How far away it stands: `internal` (the same network; when none answers, MPP says LAN trouble), `edge` (the way out: WAN) or `external` (the world: GLOBAL). It has no default.",
			bind: func(c *Checkpoint) value { return wordOf(&c.Ring, mpp.Internal, mpp.Edge, mpp.External) },
		},
		{
			path: "kind",
			doc:  "How it is tried: `tcp` connects, `http` asks for a page, `icmp` sends an echo request, `mysql` logs in, and takes an error of the server for an answer too.",
			bind: func(c *Checkpoint) value {
				return wordOf(&c.Kind, CheckpointTCP, CheckpointHTTP, CheckpointICMP, CheckpointMySQL)
			},
		},
		{
			path: "address", example: `"192.0.2.1:22"`,
			doc:  "`host:port` for `tcp`; `host` or `host:port` for `mysql`; `host` for `icmp`.",
			bind: func(c *Checkpoint) value { return text{p: &c.Address} },
		},
		{
			path: "url", example: `"http://192.0.2.80/health"`,
			doc:  "The page, for `http`.",
			bind: func(c *Checkpoint) value { return text{p: &c.URL} },
		},
		{
			path: "interval", doc: "Time between two tries. At the first sign of trouble all are tried at once.",
			bind: func(c *Checkpoint) value { return duration{p: &c.Interval, least: minInterval} },
		},
		{
			path: "timeout", usually: "`\"800ms\"`, or 4/5 of `interval` if that is shorter",
			doc:  "Limit of one try; shorter than `interval`.",
			bind: func(c *Checkpoint) value { return duration{p: &c.Timeout} },
		},
		{
			path: "expect_status", usually: "200 to 399", example: "[200, 401]",
			doc:  "HTTP statuses that count as reached, one or a list.",
			bind: func(c *Checkpoint) value { return numbers{&c.ExpectStatus, 100, 599} },
		},
	}
	return append(rows, lift("account.", func(c *Checkpoint) *Account { return &c.Account }, accountRows())...)
}
