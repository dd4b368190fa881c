package mpp_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

// safe are settings of which only those of a replica's relay log are worth a word.
func safe() mpp.Settings {
	return mpp.Settings{
		LogBin: true, LogReplicaUpdates: true, BinlogFormat: "ROW", GTID: true, SyncBinlog: 1, FlushLog: 1,
		RelayLogRecovery: true, EventScheduler: "OFF", SemiSyncInstalled: true, SemiSyncSource: true,
		SemiSyncTimeout: 10 * time.Second, SemiSyncWaitPoint: "AFTER_SYNC",
	}
}

// writer and replica are standings in a pool of MySQL.
func writer() mpp.Standing { return mpp.Standing{Flavour: "mysql", Active: true} }

func replica() mpp.Standing {
	return mpp.Standing{Flavour: "mysql", Channels: []mpp.Channel{{ByGTID: true, RetryFor: 24 * time.Hour}}}
}

func codes(risks []mpp.Risk) []string {
	var list []string
	for _, r := range risks {
		list = append(list, r.Code)
	}
	return list
}

func TestEachRiskIsSeenByItself(t *testing.T) {
	type change func(*mpp.Settings, *mpp.Standing)
	mariadb := func(s *mpp.Standing) { s.Flavour = "mariadb" }
	for name, c := range map[string]struct {
		standing mpp.Standing
		change   change
		want     string
		text     string
	}{
		"a writer":          {writer(), func(*mpp.Settings, *mpp.Standing) {}, "", ""},
		"a MariaDB writer":  {writer(), func(_ *mpp.Settings, o *mpp.Standing) { mariadb(o) }, "", ""},
		"MariaDB's FLUSH 3": {writer(), func(s *mpp.Settings, o *mpp.Standing) { mariadb(o); s.FlushLog = 3 }, "", ""},
		"no binary log":     {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.LogBin = false }, "binlog-off", "log_bin is off"},
		"no binary log and never promoted": {
			mpp.Standing{Flavour: "mysql", NoPromote: true},
			func(s *mpp.Settings, _ *mpp.Standing) { s.LogBin = false }, "", "",
		},
		"no replica updates": {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.LogReplicaUpdates = false }, "replica-updates-off", "log_slave_updates"},
		"statements":         {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.BinlogFormat = "STATEMENT" }, "statement-format", "STATEMENT"},
		"mixed":              {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.BinlogFormat = "MIXED" }, "", ""},
		"no GTIDs":           {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.GTID = false }, "gtid-off", "gtid_mode"},
		"not strict":         {writer(), func(s *mpp.Settings, o *mpp.Standing) { mariadb(o); s.GTID = false }, "gtid-not-strict", "gtid_strict_mode"},
		"sync_binlog":        {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.SyncBinlog = 100 }, "sync-binlog", "sync_binlog is 100"},
		"flush":              {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.FlushLog = 2 }, "flush-log", "at_trx_commit is 2"},
		"short time-out":     {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.SemiSyncTimeout = time.Second }, "semi-sync-timeout", "is 1s"},
		"short and unused":   {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.SemiSyncSource, s.SemiSyncTimeout = false, 1 }, "", ""},
		"after commit":       {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.SemiSyncWaitPoint = "AFTER_COMMIT" }, "semi-sync-after-commit", "AFTER_SYNC"},
		"events impossible":  {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.EventScheduler = "DISABLED" }, "event-scheduler-disabled", "restart"},
		"a writer's events":  {writer(), func(s *mpp.Settings, _ *mpp.Standing) { s.EventScheduler = "ON" }, "", ""},

		"a replica":          {replica(), func(*mpp.Settings, *mpp.Standing) {}, "relay-log-discarded", "throws away"},
		"no recovery":        {replica(), func(s *mpp.Settings, _ *mpp.Standing) { s.RelayLogRecovery = false }, "relay-recovery-off", "torn"},
		"a MariaDB replica":  {replica(), func(s *mpp.Settings, o *mpp.Standing) { mariadb(o); s.RelayLogRecovery = false }, "relay-log-discarded", ""},
		"a replica's events": {replica(), func(s *mpp.Settings, _ *mpp.Standing) { s.EventScheduler = "ON" }, "relay-log-discarded event-scheduler-on", ""},
		"log position":       {replica(), func(_ *mpp.Settings, o *mpp.Standing) { o.Channels[0].ByGTID = false }, "log-position relay-log-discarded", "SOURCE_AUTO_POSITION"},
		"MariaDB by position": {replica(), func(s *mpp.Settings, o *mpp.Standing) {
			mariadb(o)
			s.RelayLogRecovery, o.Channels[0].ByGTID = false, false
		}, "log-position relay-recovery-off", ""},
		"gives up soon": {replica(), func(_ *mpp.Settings, o *mpp.Standing) {
			o.Channels = append(o.Channels, mpp.Channel{ByGTID: true, RetryFor: 10 * time.Minute})
		}, "retries-few relay-log-discarded", "gone for 10m0s"},
		"does not say": {replica(), func(_ *mpp.Settings, o *mpp.Standing) { o.Channels[0].RetryFor = 0 }, "relay-log-discarded", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, standing := safe(), c.standing
			standing.Channels = slices.Clone(standing.Channels)
			c.change(&s, &standing)
			risks := s.Risks(standing)
			if diff := cmp.Diff(c.want, strings.Join(codes(risks), " ")); diff != "" {
				t.Error(diff)
			}
			if c.text != "" && (len(risks) == 0 || !strings.Contains(risks[0].Text, c.text)) {
				t.Errorf("%+v, want %q in it", risks, c.text)
			}
		})
	}
}

func TestRisksComeWorstFirstAndOnce(t *testing.T) {
	worst := mpp.Settings{SemiSyncSource: true, SemiSyncWaitPoint: "AFTER_COMMIT", EventScheduler: "DISABLED", LogBin: true, BinlogFormat: "STATEMENT"}
	risks := worst.Risks(mpp.Standing{Flavour: "mysql", Channels: []mpp.Channel{{RetryFor: time.Second}}})
	if len(risks) < 9 {
		t.Errorf("only %v", codes(risks))
	}
	seen := make(map[string]bool)
	for i, r := range risks {
		if i > 0 && r.Severity > risks[i-1].Severity {
			t.Errorf("%s after %s", r.Code, risks[i-1].Code)
		}
		if seen[r.Code] || r.Text == "" || strings.ContainsAny(r.Text, "\n\r") {
			t.Errorf("%+v", r)
		}
		seen[r.Code] = true
	}
}

func TestUnknownSettingsHaveNoRisks(t *testing.T) {
	o := mpp.Observation{Server: mpp.Server{Flavour: "mysql"}}
	if risks := o.Risks(true, false); risks != nil {
		t.Errorf("%v", risks)
	}
	o.Server.Settings = &mpp.Settings{}
	if risks := codes(o.Risks(true, false)); !slices.Contains(risks, "binlog-off") {
		t.Errorf("%v", risks)
	}
}
