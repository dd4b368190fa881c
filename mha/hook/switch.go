package hook

import (
	"errors"
	"strconv"
	"strings"
)

// SwitchProgram is MHA's program that moves the role.
const SwitchProgram = "masterha_master_switch"

// Switch is a call of SwitchProgram, as MHA Helper's mysql_failover and mysql_online_failover made it,
// with a target and limits besides.
type Switch struct {
	// Conf is MHA's configuration, Global the one for all applications; empty for MHA's default.
	Conf, Global string
	// Dead is the dead master, as MHA's configuration names it, with its port where it is not 3306 and
	// its address where the name does not say it. Empty for a planned switch.
	Dead, DeadIP string
	// To is the new master, empty for MHA's choice.
	To string
	// SSH says whether the dead master's host answers by ssh, so that MHA need not find out: "yes", "no"
	// or empty.
	SSH string
	// LeaveOld does not make the old master a replica of the new one, in a planned switch.
	LeaveOld bool
	// CheckOnly lets MHA check a planned switch, and change nothing.
	CheckOnly bool
	// UpdatesLimit, QueriesLimit and LagLimit are the seconds that statements that write on the old
	// master, statements on the new one, and replicas' lags may last; negative for MHA's defaults.
	UpdatesLimit, QueriesLimit, LagLimit int
}

// Args are the arguments.
func (s *Switch) Args() ([]string, error) {
	if s.Conf == "" {
		return nil, errors.New("MHA's configuration must be named")
	}
	args := []string{"--conf=" + s.Conf, "--interactive=0"}
	if s.Global != "" {
		args = append(args, "--global_conf="+s.Global)
	}
	if s.To != "" {
		host, port := split(s.To)
		args = append(args, "--new_master_host="+host)
		if port != "" {
			args = append(args, "--new_master_port="+port)
		}
	}
	if s.Dead == "" {
		return append(args, s.alive()...), nil
	}
	more, err := s.dead()
	return append(args, more...), err
}

func (s *Switch) dead() ([]string, error) {
	host, port := split(s.Dead)
	args := []string{"--master_state=dead", "--ignore_last_failover", "--dead_master_host=" + host}
	if port != "" {
		args = append(args, "--dead_master_port="+port)
	}
	if s.DeadIP != "" {
		args = append(args, "--dead_master_ip="+s.DeadIP)
	}
	switch s.SSH {
	case "":
	case "yes":
		args = append(args, "--ssh_reachable=1")
	case "no":
		args = append(args, "--ssh_reachable=0")
	default:
		return nil, errors.New("whether ssh answers is yes or no")
	}
	return args, nil
}

func (s *Switch) alive() []string {
	args := []string{"--master_state=alive"}
	if !s.LeaveOld {
		args = append(args, "--orig_master_is_new_slave")
	}
	if s.CheckOnly {
		args = append(args, "--check_only")
	}
	for _, one := range []struct {
		name  string
		value int
	}{{"running_updates_limit", s.UpdatesLimit}, {"running_seconds_limit", s.QueriesLimit}, {"seconds_behind_master", s.LagLimit}} {
		if one.value >= 0 {
			args = append(args, "--"+one.name+"="+strconv.Itoa(one.value))
		}
	}
	return args
}

// split takes HOST, HOST:PORT or [HOST]:PORT apart; an IPv6 address with a port is in brackets.
func split(text string) (host, port string) {
	if inner, rest, found := strings.Cut(strings.TrimPrefix(text, "["), "]"); found {
		return inner, strings.TrimPrefix(rest, ":")
	}
	if strings.Count(text, ":") != 1 {
		return text, ""
	}
	host, port, _ = strings.Cut(text, ":")
	return host, port
}
