package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffSaysWhatAReloadChanges(t *testing.T) {
	t.Setenv("MPP_TEST_PASSWORD", "one")
	before := mustLoad(t, `
[defaults.account]
password_env = "MPP_TEST_PASSWORD"
[[pool]]
name = "gone"
node = [{ address = "x", type = "PRIMARY" }, { address = "y" }]
[[pool]]
name = "p"
node = [{ address = "a", type = "PRIMARY" }, { address = "b" }, { address = "c" }, { address = "d" }]
checkpoint = [{ ring = "edge", address = "gw:22", name = "gateway" }, { ring = "edge", address = "old:22", name = "old" }]
checks.custom = [{ name = "c", sql = "SELECT 1", expect = "1" }]
`)
	t.Setenv("MPP_TEST_PASSWORD", "two")
	after := mustLoad(t, `
state_dir = "/elsewhere"
[log]
level = "debug"
[defaults.account]
password_env = "MPP_TEST_PASSWORD"
[[pool]]
name = "p"
interval = "2s"
node = [{ address = "a", type = "PRIMARY" }, { address = "c", no_promote = true }, { address = "b" }, { address = "e" }]
checkpoint = [{ ring = "edge", address = "gw:23", name = "gateway" }, { ring = "edge", address = "new:22", name = "new" }]
checks.custom = [{ name = "c", sql = "SELECT 2", expect = "1" }]
[[pool]]
name = "new"
node = [{ address = "x", type = "PRIMARY" }, { address = "y" }]
`)
	want := []string{
		`state_dir: "/var/lib/mpp" -> "/elsewhere" (needs a restart)`,
		`log.level: "info" -> "debug" (needs a restart)`,
		`pool gone: removed`,
		`pool p: interval: "1s" -> "2s"`,
		`pool p: stale_after: "5s" -> "10s"`,
		`pool p: node d:3306: removed`,
		`pool p: node a:3306: the password has changed`,
		`pool p: node c:3306: no_promote: false -> true`,
		`pool p: node c:3306: the password has changed`,
		`pool p: node b:3306: the password has changed`,
		`pool p: node e:3306: added`,
		`pool p: the order of nodes has changed`,
		`pool p: checkpoint old: removed`,
		`pool p: checkpoint gateway: address: "gw:22" -> "gw:23"`,
		`pool p: checkpoint new: added`,
		`pool p: custom check c: sql: "SELECT 1" -> "SELECT 2"`,
		`pool new: added with 2 nodes`,
	}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if lines := Diff(after, after); len(lines) > 0 {
		t.Errorf("a configuration differs from itself: %v", lines)
	}
}
