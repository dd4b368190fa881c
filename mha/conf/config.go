package conf

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"mpp/fault"
	"mpp/secret"
)

// GlobalFile is where MHA looks for the defaults of all applications.
const GlobalFile = "/etc/masterha_default.cnf"

// Config is the configuration of one application.
type Config struct {
	// App is the name that MHA calls its state files by: the file's, without its last extension.
	App string
	// File is the application's; Global the file of defaults, empty when there is none.
	File, Global string
	// Defaults is what [server default] comes to. What counts for servers alone is not in it.
	Defaults Server
	// Servers in MHA's order, one at least: it breaks ties, and the first one's manager_workdir,
	// manager_log, log_level, ping_type and check_repl_filter are the manager's.
	Servers []Server
	// Binlogs are the [binlog] servers, by name.
	Binlogs []Server
	// SSHOptions count for all servers, whoever they were written for; empty for none.
	// SSHOptionsAt is where they stand.
	SSHOptions   string
	SSHOptionsAt fault.Origin
	// Settings are what stands in the files and was read, in their order.
	Settings []Setting
	// Warnings are what is worth saying, and keeps nobody from using the rest.
	Warnings []fault.Problem
}

// Setting is a value in a file.
type Setting struct {
	// Block is the section, Name the parameter.
	Block, Name string
	// Text is as MHA takes it; empty for passwords.
	Text string
	At   fault.Origin
}

// PingType is how MHA asks the master whether it lives.
type PingType string

// The types of pings.
const (
	// PingSelect: a statement over a lasting connection.
	PingSelect PingType = "SELECT"
	// PingConnect: a new connection each time.
	PingConnect PingType = "CONNECT"
	// PingInsert: a row written each time.
	PingInsert PingType = "INSERT"
)

// Server is what MHA knows of one server.
type Server struct {
	// Block is its section, such as "server1"; At is where that begins.
	Block string
	At    fault.Origin

	// Hostname is never empty; IP is empty where MHA looks the hostname up.
	Hostname, IP string
	Port         int
	// SSHHost is Hostname unless set. SSHUser is empty for the user that MHA runs as.
	SSHHost, SSHUser string
	SSHPort          int
	// SSHTimeout is ssh_connection_timeout.
	SSHTimeout time.Duration
	NodeLabel  string

	CandidateMaster, NoMaster, IgnoreFail bool
	SkipInitSSHCheck, SkipResetSlave      bool

	// User and Password are of the account for administration.
	User     string
	Password secret.Secret
	// ReplUser is empty where MHA asks a replica. ReplPassword may be empty, too: From tells
	// whether it is set.
	ReplUser     string
	ReplPassword secret.Secret

	DisableLogBin, HandleRawBinlog bool
	MasterPidFile                  string
	RemoteWorkdir                  string
	// MasterBinlogDir are its folders.
	MasterBinlogDir []string

	LogLevel, ManagerWorkdir, ManagerLog string

	CheckReplDelay, CheckReplFilter bool
	LatestPriority, MultiTierSlave  bool
	UseGTIDAutoPos                  bool

	PingInterval time.Duration
	PingType     PingType

	// Scripts are command lines for a shell, empty for none.
	SecondaryCheckScript       string
	MasterIPFailoverScript     string
	MasterIPOnlineChangeScript string
	ShutdownScript             string
	ReportScript               string
	InitConfLoadScript         string

	ClientBindir, ClientLibdir string

	// level has the other values as text, and no passwords: it may be printed.
	level level
}

// From says where a parameter's value stands, also when it was handed down; false: it is MHA's
// default, or there is none.
func (s *Server) From(name string) (fault.Origin, bool) {
	v := s.level[name]
	return v.at, v.given && v.block != ""
}

// Text is a parameter's value as text, empty for passwords.
func (s *Server) Text(name string) string { return s.level[name].text }

// bare is the level without its passwords.
func (l level) bare() level {
	out := maps.Clone(l)
	for _, p := range Parameters() {
		if v := out[p.Name]; p.kind == password {
			v.text = ""
			out[p.Name] = v
		}
	}
	return out
}

// server gives a level its types. What could not be read is zero: there is a problem for it.
func (l level) server(b *block) Server {
	on := func(name string) bool { return truth(l[name].text) }
	s := Server{
		Block: b.name, At: b.at, level: l.bare(),
		Hostname: l["hostname"].text, IP: l["ip"].text, Port: l.number("port"),
		SSHHost: l["ssh_host"].text, SSHUser: l["ssh_user"].text, SSHPort: l.number("ssh_port"), SSHTimeout: l.seconds("ssh_connection_timeout"),
		NodeLabel:       l["node_label"].text,
		CandidateMaster: on("candidate_master"), NoMaster: on("no_master"), IgnoreFail: on("ignore_fail"),
		SkipInitSSHCheck: on("skip_init_ssh_check"), SkipResetSlave: on("skip_reset_slave"),
		User: l["user"].text, Password: secret.New(l["password"].text),
		ReplUser: l["repl_user"].text, ReplPassword: secret.New(l["repl_password"].text),
		DisableLogBin: on("disable_log_bin"), HandleRawBinlog: on("handle_raw_binlog"),
		MasterPidFile: l["master_pid_file"].text, RemoteWorkdir: l["remote_workdir"].text,
		LogLevel: l["log_level"].text, ManagerWorkdir: l["manager_workdir"].text, ManagerLog: l["manager_log"].text,
		CheckReplDelay: on("check_repl_delay"), CheckReplFilter: on("check_repl_filter"),
		LatestPriority: on("latest_priority"), MultiTierSlave: on("multi_tier_slave"), UseGTIDAutoPos: on("use_gtid_auto_pos"),
		PingInterval: l.seconds("ping_interval"), PingType: PingType(l["ping_type"].text),
		SecondaryCheckScript: l["secondary_check_script"].text, MasterIPFailoverScript: l["master_ip_failover_script"].text,
		MasterIPOnlineChangeScript: l["master_ip_online_change_script"].text, ShutdownScript: l["shutdown_script"].text,
		ReportScript: l["report_script"].text, InitConfLoadScript: l["init_conf_load_script"].text,
		ClientBindir: l["client_bindir"].text, ClientLibdir: l["client_libdir"].text,
	}
	if !l["ssh_host"].given {
		s.SSHHost = s.Hostname
	}
	if dirs := l["master_binlog_dir"].text; dirs != "" {
		s.MasterBinlogDir = strings.Split(dirs, ",")
	}
	return s
}

func (l level) number(name string) int {
	n, err := strconv.ParseUint(l[name].text, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

func (l level) seconds(name string) time.Duration {
	n, err := strconv.ParseUint(l[name].text, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
