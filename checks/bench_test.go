package checks_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
)

// polledStatements are what a poll of a MariaDB replica asks.
func polledStatements() []string {
	return []string{
		"SELECT 1",
		"SELECT @@global.server_id, @@global.read_only, @@global.innodb_read_only, @@global.gtid_current_pos",
		"SHOW ALL SLAVES STATUS",
	}
}

// bareConn is a connection of the driver with nothing around it.
func bareConn(b *testing.B, pool *sandbox.Pool, s *sandbox.Server) driver.Conn {
	b.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.MultiStatements = pool.Monitor.User, monitorPassword, "tcp", s.Address(), true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := connector.Connect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// readAll reads every value of every result, as a program would that wants to know them.
func readAll(b *testing.B, conn driver.Conn, text string) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Second)
	defer cancel()
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, text, nil)
	for err == nil {
		dest := make([]driver.Value, len(rows.Columns()))
		for err = rows.Next(dest); err == nil; err = rows.Next(dest) {
		}
		if errors.Is(err, io.EOF) {
			err = rows.(driver.RowsNextResultSet).NextResultSet()
		}
	}
	if !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPoll compares the CPU and memory of a poll with those of the bare driver that asks
// the same statements of the same replica: in one round trip as the poll does, and one by one.
func BenchmarkPoll(b *testing.B) {
	pool := startPool(b, sandbox.MariaDB1011, 2)
	s := pool.Servers[1]
	statements := polledStatements()
	b.Run("bare-one-trip", func(b *testing.B) {
		conn := bareConn(b, pool, s)
		text := statements[0] + ";" + statements[1] + ";" + statements[2]
		measureCPU(b, func() { readAll(b, conn, text) })
	})
	b.Run("bare-one-by-one", func(b *testing.B) {
		conn := bareConn(b, pool, s)
		measureCPU(b, func() {
			for _, text := range statements {
				readAll(b, conn, text)
			}
		})
	})
	for _, engine := range []bool{false, true} {
		b.Run(map[bool]string{false: "poll", true: "poll-engine"}[engine], func(b *testing.B) {
			opt := options(pool, s)
			opt.LoginInterval, opt.PrivilegeInterval, opt.Engine = time.Hour, time.Hour, engine
			p := prober(b, opt)
			measureCPU(b, func() {
				ctx, cancel := context.WithTimeout(b.Context(), time.Second)
				o := p.Poll(ctx, mpp.Ask{})
				cancel()
				if len(o.Channels) != 1 || (o.Server.SemiSync != nil) != engine {
					b.Fatal(show(o))
				}
			})
		})
	}
	b.Run("fresh-login", func(b *testing.B) {
		p := prober(b, options(pool, s))
		measureCPU(b, func() { p.Poll(b.Context(), mpp.Ask{FreshLogin: true}) })
	})
}

// measureCPU runs f b.N times and reports the CPU that this process took for it: the time on the
// clock is mostly the server's.
func measureCPU(b *testing.B, f func()) {
	f()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for range b.N {
		f()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/1000, "cpu-µs/op")
}

// TestMemoryOfANodeIsUnder40KB measures what a prober with its lasting connection keeps, in heap
// and stacks.
func TestMemoryOfANodeIsUnder40KB(t *testing.T) {
	const nodes = 200
	pool := startPool(t, sandbox.MariaDB1011, 2, "--max-connections=300")
	watcher, err := checks.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = watcher.Close() })
	opt := options(pool, pool.Servers[1])
	opt.Watcher, opt.Hangup = watcher, func() {}
	probers := make([]*checks.Prober, nodes)
	observations := make([]mpp.Observation, nodes)
	before := memory()
	for i := range probers {
		probers[i] = prober(t, opt)
		observations[i] = poll(t, probers[i], mpp.Ask{})
	}
	for i := range probers {
		observations[i] = poll(t, probers[i], mpp.Ask{})
		if observations[i].Server.ID == 0 {
			t.Fatal(show(observations[i]))
		}
	}
	perNode := (int64(memory()) - int64(before)) / nodes
	t.Logf("%d bytes a node", perNode)
	if perNode > 40_000 {
		t.Errorf("a node takes %d bytes, want less than 40 kB", perNode)
	}
	runtime.KeepAlive(probers)
	runtime.KeepAlive(observations)
}

// memory returns the bytes in use in heap and stacks.
func memory() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// cpuTime returns the CPU that this process has taken, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
