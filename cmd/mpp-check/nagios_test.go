package main

import (
	"strings"
	"testing"
	"time"

	"mpp"
)

func TestMonitorIsToldHowAPoolIs(t *testing.T) {
	well := func(v *mpp.View) { // without the nodes that are out
		v.Pools[0].Nodes = v.Pools[0].Nodes[:2]
	}
	cases := []struct {
		name   string
		age    time.Duration
		change func(v *mpp.View)
		args   string
		code   int
		says   []string
	}{
		{"well", 0, well, "--pool db1", 0, []string{"MPP OK - db1: writer 10.0.0.1:3306, 1 for reading, 0 of 2 out | writers=1;;1:;0 readers=1;;;0 out=0;0;;0;2 lag=7s;;;0\n", "\n10.0.0.1:3306 PRIMARY ACTIVE, status OK\n", "\n10.0.0.2:3306 SECONDARY STANDBY, status INFO\n"}},
		{"nodes out", 0, nil, "--pool db1", 1, []string{"MPP WARNING - ", "2 of 4 out (10.0.0.3:3306 SECONDARY FAIL (OFFLINE), ", "\n10.0.0.3:3306 SECONDARY FAIL (OFFLINE), status FAIL: connection refused\n", "SECONDARY UNKNOWN, status OK: not polled yet"}},
		{"nodes out, allowed", 0, nil, "--pool db1 -w 2", 0, []string{"MPP OK - "}},
		{"nodes out, too many", 0, nil, "--pool db1 -w 0 -c 1", 2, []string{"MPP CRITICAL - ", "out=2;0;1;0;4"}},
		{"no writer", 0, func(v *mpp.View) { well(v); v.Pools[0].Nodes[0].Evaluation = mpp.Down }, "--pool db1", 2, []string{"CRITICAL - db1: no writer"}},
		{"ailing", 0, func(v *mpp.View) { well(v); v.Pools[0].Nodes[1].Status = mpp.Critical }, "--pool db1", 1, []string{"WARNING"}},
		{"cut off", 0, func(v *mpp.View) { v.Pools[1].Status, v.Pools[1].Trouble = mpp.Fail, "WAN" }, "--pool db2", 2, []string{"mppd is cut off (WAN trouble), in maintenance"}},
		{"stale", time.Minute, nil, "--pool db1", 2, []string{"CRITICAL - db1: no fresh data, does mppd run?"}},
		{"stale, last known", time.Minute, nil, "--pool db2", 2, []string{"CRITICAL - db2: no fresh data, does mppd run? (writer [2001:db8::1]:3306"}},
		{"unknown pool", 0, nil, "--pool db9", 3, []string{`UNKNOWN - unknown pool "db9"`}},
		{"no pool", 0, nil, "", 3, []string{"UNKNOWN - started wrongly"}},
		{"bad range", 0, nil, "--pool db1 -w 10:5", 3, []string{"UNKNOWN - started wrongly: a range is"}},
		{"over HTTP", 0, nil, "--pool db1 --http 127.0.0.1:1", 3, []string{"UNKNOWN - started wrongly: the nagios personality reads"}},
		{"help", 0, nil, "--help", 3, []string{"check_mpp"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := polled(t, c.age)
			if c.change != nil {
				h.write(c.age, c.change)
			}
			expect(t, h.as("check_mpp", strings.Fields(c.args)...), c.code, c.says)
		})
	}
}

func expect(t *testing.T, got outcome, code int, says []string) {
	t.Helper()
	if got.code != code {
		t.Errorf("exit %d, want %d: %s", got.code, code, got.stdout)
	}
	for _, text := range says {
		if !strings.Contains(got.stdout, text) {
			t.Errorf("%q\nlacks %q", got.stdout, text)
		}
	}
	first, _, _ := strings.Cut(got.stdout, "\n")
	if len(first) > 1024 || strings.Count(first, "|") > 1 {
		t.Errorf("first line is no plugin's: %q", first)
	}
}

func TestMonitorIsToldHowANodeIs(t *testing.T) {
	cases := []struct {
		name string
		age  time.Duration
		args string
		code int
		says []string
	}{
		{"well", 0, "--node 10.0.0.1", 0, []string{"MPP OK - 10.0.0.1:3306 PRIMARY ACTIVE, status OK | errors=0;;;0 poll=0.002s;;;0 age=0"}},
		{"lag shown", 0, "--node 10.0.0.2:3306", 0, []string{"status INFO: 7s behind", " lag=7s;;;0\n"}},
		{"lag over -w", 0, "--node 10.0.0.2 -w 5 -c 30", 1, []string{"WARNING", " lag=7s;5;30;0\n"}},
		{"lag over -c", 0, "--node 10.0.0.2 -w 5 -c 6", 2, []string{"CRITICAL"}},
		{"out", 0, "--node 10.0.0.3", 2, []string{"CRITICAL - 10.0.0.3:3306 SECONDARY FAIL (OFFLINE), status FAIL, no ok: FAIL (OFFLINE): connection refused"}},
		{"not its role", 0, "--node 10.0.0.2 --role writer", 2, []string{"no writer: STANDBY"}},
		{"its role", 0, "--pool db1 --node 10.0.0.2 --role reader", 0, []string{"OK"}},
		{"never polled", 0, "--node db4.example.com:3307", 2, []string{"not polled yet"}},
		{"stale", time.Minute, "--node 10.0.0.1", 2, []string{"10.0.0.1:3306 stale: last poll 60.0s ago, limit 5.000s"}},
		{"last known", time.Minute, "--node 2001:db8::1", 1, []string{"WARNING"}},
		{"unknown", 0, "--node 10.9.9.9", 3, []string{"UNKNOWN - unknown node 10.9.9.9"}},
		{"no state", -1, "--node 10.0.0.1", 3, []string{"UNKNOWN - no state files in "}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := polled(t, max(c.age, 0))
			if c.age < 0 {
				h.remove("pools")
			}
			expect(t, h.as("check_mpp", strings.Fields(c.args)...), c.code, c.says)
		})
	}
}

func TestRangesAreThoseOfPlugins(t *testing.T) {
	cases := []struct {
		text   string
		alerts string // of -1 0 5 10 11
	}{
		{"10", "y---y"}, {"10:", "yyy--"}, {"~:10", "----y"}, {"5:10", "yy--y"}, {"@5:10", "--yy-"}, {"0", "y-yyy"}, {"@0", "-y---"},
	}
	for _, c := range cases {
		s, err := parseSpan(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, v := range []float64{-1, 0, 5, 10, 11} {
			got += choose(s.alerts(v), "y", "-")
		}
		if got != c.alerts {
			t.Errorf("%s: %s, want %s", c.text, got, c.alerts)
		}
	}
	for _, text := range []string{"", ":", "@", "x", "10:5", "1:2:3", "NaN", "1;2", "~"} {
		if s, err := parseSpan(text); err == nil {
			t.Errorf("%q is taken as %+v", text, s)
		}
	}
	if (span{}).alerts(99) {
		t.Error("no range alerts")
	}
}
