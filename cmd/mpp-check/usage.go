package main

// release is mpp.Version; the package itself would bring fmt with it. A test compares them.
const release = "0.1.0"

// usage is how a personality is called, in one line.
func usage(as personality) string {
	switch as {
	case ldirectord:
		return "ldirectord gives 4 arguments: VIP VPORT RIP RPORT"
	case haproxy:
		return "HAProxy gives 4 arguments: PROXY_ADDR PROXY_PORT SERVER_ADDR SERVER_PORT"
	case bigIP:
		return "BIG-IP gives 2 arguments, IP PORT, then those of the monitor: ROLE [POOL]"
	case nanny, piranha:
		return "the node is missing: it is the only argument, as in send_program = \"... %h\""
	case nagios:
		return "use check_mpp --pool POOL, or check_mpp --node NODE"
	default:
		return "use mpp-check ROLE [POOL] NODE"
	}
}

const helpText = `mpp-check: may this node be used? For load balancers and monitors.

  mpp-check ROLE [POOL] NODE          ROLE is writer, reader or ok
  mpp-check --as PERSONALITY ...      speak as another caller wants it

PERSONALITY is also taken from the name that the program is started by:
  keepalived, plain  ROLE [POOL] NODE                     exit 0 or 1
  ldirectord         VIP VPORT RIP RPORT                  exit 0 or 1
  haproxy            PADDR PPORT SADDR SPORT              exit 0 or 1
  bigip, eav         IP PORT [ROLE] [POOL]                prints UP, or nothing
  nanny              NODE                                 prints OK or FAIL
  piranha            NODE                                 prints up or down
  nagios, check_mpp  --pool POOL or --node NODE           exit 0 to 3
with the role after a dash, as in ldirectord-writer, or as first argument (bigip: third).
NODE is host, host:port or [ipv6]:port, as in mppd's configuration; not its label.

  --pool POOL      look in this pool only
  --role ROLE      the role, when it is not in the name
  --run-dir DIR    mppd's run_dir (/run/mpp, or $MPP_RUN_DIR)
  --http IP:PORT   ask mppd there over HTTP, instead of reading its state files
  --timeout TIME   answer no after this time (1.5s; nagios: 10s)
  --pid-dir DIR    bigip: where the pid file goes (/var/run)
  -w, -c RANGE     nagios: of seconds of lag (node), or of nodes that are out (pool)
  --version, --help

Exit 0 means yes and 1 means no, whatever else happens; help and version exit with 1.
`

// help prints the help. It does not exit with 0, which means yes.
func help(o options) int {
	write(1, helpText)
	return silent(o)
}

func version(o options) int {
	write(1, "mpp-check "+release+"\n")
	return silent(o)
}

// silent is the exit code of what is no answer.
func silent(o options) int {
	if o.as == nagios {
		return unknown
	}
	return 1
}
