package native

import (
	"fmt"

	"mpp"
	"mpp/replication"
)

// Statements lists what a step would execute, for people: "***" stands for passwords, and words in
// angle brackets for what is known only then. It asks nobody, and knows a server's dialect from
// its last login; a server that has not been logged in to yet is taken for one of MariaDB's.
func (r *Runner) Statements(step mpp.Step) []string {
	v := r.servers[step.Node]
	if v == nil {
		return nil
	}
	v.mu.Lock()
	d := v.dialect
	v.mu.Unlock()
	if d == nil {
		d = &replication.Dialect{Flavour: replication.MariaDB}
	}
	return (&script{r: r, d: d, step: step}).list()
}

// script writes down what a step would execute.
type script struct {
	r    *Runner
	d    *replication.Dialect
	step mpp.Step
}

// The words for what is known only when the step runs.
const (
	hidden = "***"
	theirs = "<the sessions in its way>"
)

// list lists the statements of a step.
func (x *script) list() []string {
	d := x.d
	switch x.step.Kind {
	case mpp.StepCheck:
		return append([]string{replication.GrantsSQL}, x.position()...)
	case mpp.StepPosition:
		return x.position()
	case mpp.StepReadOnly:
		return x.close()
	case mpp.StepWritable:
		return x.open()
	case mpp.StepAwaitTransactions:
		return []string{replication.TransactionsSQL, replication.ProcessesSQL}
	case mpp.StepEndSessions:
		return []string{replication.ProcessesSQL, "KILL <every session of an application>"}
	case mpp.StepStopConnections, mpp.StepAllowConnections:
		return x.connections(x.step.Kind == mpp.StepStopConnections)
	case mpp.StepEventsOff, mpp.StepEventsOn:
		return x.events(x.step.Kind == mpp.StepEventsOn)
	case mpp.StepSemiSync:
		return []string{replication.SemiSyncSettingsSQL, "SET GLOBAL <the side of a " + x.step.Detail + "> = 1", "SET GLOBAL <the other side> = 0"}
	case mpp.StepStopReceiver:
		return append([]string{d.Stop("", replication.Receiver).String()}, x.position()...)
	case mpp.StepTestLink:
		return []string{d.Stop("", replication.Receiver).String(), d.Start("", replication.Receiver).String(), d.StatusSQL()}
	case mpp.StepStartReplica:
		return []string{d.Start("", replication.Applier).String(), d.Start("", replication.Receiver).String(), d.StatusSQL()}
	default:
		return x.moves()
	}
}

// moves lists the statements of the steps that move data or the role.
func (x *script) moves() []string {
	d := x.d
	switch x.step.Kind {
	case mpp.StepDrain, mpp.StepAwaitSet:
		return append([]string{d.StatusSQL()}, d.PositionSQL())
	case mpp.StepPromote:
		return append([]string{
			d.StatusSQL(), d.Stop("", replication.Receiver).String(), d.PositionSQL(),
			d.Stop("", replication.Both).String(), d.ResetAll("").String(),
		}, x.open()...)
	case mpp.StepRepoint:
		return append(x.close(), x.follow()...)
	case mpp.StepCopyFrom:
		return append(x.follow(), d.PositionSQL(), d.Stop("", replication.Receiver).String())
	case mpp.StepBinlogTail:
		list := []string{fmt.Sprintf("<what the binary log of %s has from %s:%d on>", x.step.Peer, x.step.Log, x.step.LogPos)}
		if sql := d.SetPositionSQL("<gtid_binlog_pos>"); sql != "" {
			list = append(list, sql)
		}
		return list
	case mpp.StepSaveExtra:
		return []string{replication.BinlogsSQL}
	case mpp.StepClone:
		return x.clone()
	default:
		return nil
	}
}

func (x *script) position() []string {
	return []string{x.d.StatusSQL(), x.d.PositionSQL(), x.d.OwnLog().String()}
}

func (x *script) close() []string {
	list := []string{x.d.ReadOnlySQL(), "KILL " + theirs}
	if x.blocks() {
		list = append(list, x.lock(true)...)
	}
	return list
}

func (x *script) open() []string {
	var list []string
	if x.blocks() {
		list = x.lock(false)
	}
	return append(list, x.d.WritableSQL(), x.d.ReadOnlyStateSQL())
}

func (x *script) blocks() bool { return x.r.o.Block == BlockLock && x.d.Flavour == replication.MariaDB }

func (x *script) lock(on bool) []string {
	list := []string{replication.BinlogSQL(false)}
	for _, a := range x.r.accounts {
		list = append(list, a.LockSQL(on))
	}
	return list
}

func (x *script) connections(stop bool) []string {
	if x.step.Detail == Lock {
		return x.lock(stop)
	}
	if sql := x.d.OfflineSQL(stop); sql != "" {
		return []string{sql}
	}
	return nil
}

func (x *script) events(on bool) []string {
	e := replication.Event{Schema: "<schema>", Name: "<event>", Definer: "<definer>@<host>"}
	list := []string{replication.EventsSQL(!on)}
	if !on {
		list = append(list, replication.BinlogSQL(false))
	}
	list = append(list, x.d.SetEvent(e, on).String())
	if on {
		list = append(list, replication.SchedulerOnSQL)
	}
	return list
}

func (x *script) follow() []string {
	d := x.d
	list := []string{d.Stop("", replication.Receiver).String(), d.PositionSQL(), d.Stop("", replication.Both).String()}
	if sql := d.SetPositionSQL("<gtid_current_pos>"); sql != "" {
		list = append(list, sql)
	}
	t := &task{r: x.r, step: x.step}
	source := t.source()
	source.Password = hidden
	return append(list, d.Follow("", source).String(), d.Start("", replication.Both).String(), d.StatusSQL())
}

func (x *script) clone() []string {
	if x.d.Flavour == replication.MariaDB {
		return []string{"<mariadb-backup on the host of " + x.step.Peer + ">"}
	}
	user := ""
	if peer := x.r.servers[x.step.Peer]; peer != nil {
		user = peer.node.Account.User
	}
	return []string{x.d.ReadOnlySQL(), replication.DonorSQL(x.step.Peer), x.d.PrivilegedOnlySQL(), replication.CloneSQL(x.step.Peer, user, hidden)}
}
