package checks_test

import (
	"database/sql"
	"strconv"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// withEngine are the options of a node of a pool with an engine.
func withEngine(pool *sandbox.Pool, s *sandbox.Server) checks.Options {
	o := options(pool, s)
	o.Engine = true
	return o
}

// variable asks root's connection for a global variable, on one line; "" for one that is not there.
func variable(t *testing.T, s *sandbox.Server, name string) string {
	t.Helper()
	return pairOf(t, s, "SHOW GLOBAL VARIABLES LIKE '"+name+"'")
}

// pairOf returns the value of the only row of names and values.
func pairOf(t *testing.T, s *sandbox.Server, query string) string {
	t.Helper()
	rows, err := s.Root().QueryContext(sandboxtest.Context(t), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var name string
	var value sql.NullString
	for rows.Next() {
		if err := rows.Scan(&name, &value); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(value.String, "\n", "")
}

// received is what the server says of its only channel.
func received(t *testing.T, s *sandbox.Server) mpp.Channel {
	t.Helper()
	status, err := s.ReplicaStatus(sandboxtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(status[name], 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	c := mpp.Channel{SourceLog: status["Source_Log_File"], SourcePos: number("Read_Source_Log_Pos")}
	if s.Base().MariaDB {
		c.Received, c.ByGTID = status["Gtid_IO_Pos"], status["Using_Gtid"] != "No"
		return c
	}
	c.Received, c.ByGTID = strings.ReplaceAll(status["Retrieved_Gtid_Set"], "\n", ""), status["Auto_Position"] == "1"
	c.RetryFor = time.Duration(number("Connect_Retry")*number("Source_Retry_Count")) * time.Second
	return c
}

// positionOf is a channel with nothing but what it has received.
func positionOf(c mpp.Channel) mpp.Channel {
	return mpp.Channel{Received: c.Received, SourceLog: c.SourceLog, SourcePos: c.SourcePos, ByGTID: c.ByGTID, RetryFor: c.RetryFor}
}

func TestPositionsAreWhatTheServerSays(t *testing.T) {
	for _, flavour := range sandbox.Flavours() {
		t.Run(string(flavour), func(t *testing.T) {
			pool := startPool(t, flavour, 2)
			source, replica := pool.Servers[0], pool.Servers[1]
			p := prober(t, withEngine(pool, replica))
			poll(t, p, mpp.Ask{})
			exec(t, source, "CREATE TABLE app.t (a INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1)", "FLUSH BINARY LOGS")
			if err := pool.CatchUp(sandboxtest.Context(t), source); err != nil {
				t.Fatal(err)
			}
			// A server writes to its new log some time after the old one was closed, too.
			o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool {
				return len(o.Channels) == 1 && positionOf(o.Channels[0]) == received(t, replica)
			})
			if c := o.Channels[0]; c.Received == "" || !c.ByGTID || c.SourcePos == 0 {
				t.Errorf("no position: %s", show(o))
			}
			binlogState(t, source, poll(t, prober(t, withEngine(pool, source)), asActive()))
			binlogState(t, replica, o)

			o = poll(t, prober(t, options(pool, replica)), mpp.Ask{}) // no engine: nothing that changes all the time
			c := o.Channels[0]
			if c.Received != "" || c.SourceLog != "" || c.SourcePos != 0 || c.RetryFor != 0 || o.Server.BinlogState != "" || !c.ByGTID {
				t.Errorf("asked without an engine: %s", show(o))
			}
		})
	}
}

func binlogState(t *testing.T, s *sandbox.Server, o mpp.Observation) {
	t.Helper()
	if want := variable(t, s, "gtid_binlog_state"); o.Server.BinlogState != want || (want == "") == s.Base().MariaDB {
		t.Errorf("binary log's state %q, want %q", o.Server.BinlogState, want)
	}
}
