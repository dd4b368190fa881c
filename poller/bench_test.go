package poller_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp/replication"
	"mpp/sandbox/fakenode"
)

// window is how long each benchmark measures; they run once (-benchtime 1x).
const window = 10 * time.Second

// BenchmarkAmongDeadAndHung is failure F5 of docs/failures.md: of the nodes 10 % are dead and 5 % hung.
func BenchmarkAmongDeadAndHung(b *testing.B) {
	for _, n := range []struct {
		name  string
		nodes int
	}{{"nodes=1000", 1000}, {"nodes=5000", 5000}} {
		b.Run(n.name, func(b *testing.B) {
			for b.Loop() {
				l := startLoad(b, spawn(b, fakenode.FleetOptions{Nodes: n.nodes, Dead: n.nodes / 10, Hung: n.nodes / 20}))
				l.warm()
				f := l.measure(window)
				l.stop()
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(ms(f.lateP50), "late-p50-ms")
				b.ReportMetric(ms(f.lateP99), "late-p99-ms")
				b.ReportMetric(ms(f.lateMax), "late-max-ms")
				b.ReportMetric(ms(f.sleepP99), "sleeper-late-p99-ms")
				b.ReportMetric(float64(f.polls)/window.Seconds(), "polls/s")
				b.ReportMetric(us(f.cpu)/float64(f.polls), "cpu-µs/poll")
				b.ReportMetric(100*f.cpu.Seconds()/window.Seconds(), "cpu-%-of-a-core")
				b.ReportMetric(float64(f.failed), "failed-polls-of-healthy")
			}
		})
	}
}

// BenchmarkAgainstBareDriver compares polls of healthy nodes with the driver asking the same
// over lasting connections, at the same rate, by turns in the same run. The polls include what
// they do besides: a login every 5 s, grants every minute. The driver is measured without such
// logins (cpu-ratio) and with them (cpu-ratio-logins-too).
func BenchmarkAgainstBareDriver(b *testing.B) {
	for _, n := range []struct {
		name  string
		nodes int
	}{{"nodes=1000", 1000}, {"nodes=5000", 5000}} {
		b.Run(n.name, func(b *testing.B) {
			for b.Loop() {
				againstBare(b, spawn(b, fakenode.FleetOptions{Nodes: n.nodes}))
			}
		})
	}
}

// rounds is how many turns each of the two takes: a machine that has other things to do as
// well is to disturb both alike.
const rounds = 4

func againstBare(b *testing.B, members []fakenode.Member) {
	start := memoryNow()
	bare := startBare(b, members)
	bare.run(2*loadInterval, 0)
	middle := memoryNow()
	l := startLoad(b, members)
	l.warm()
	end := memoryNow()
	var polls, asks, loginAsks share
	var failed int
	var late, nap time.Duration
	for range rounds {
		l.pace(time.Hour)
		asks.add(func() int { return bare.run(4*loadInterval, 0) })
		loginAsks.add(func() int { return bare.run(4*loadInterval, 5) })
		l.pace(loadInterval)
		f := l.measure(4 * loadInterval)
		polls.cpu, polls.n = polls.cpu+f.cpu, polls.n+f.polls
		failed, late, nap = failed+f.failed, max(late, f.lateP99), max(nap, f.sleepP99)
	}
	l.stop()
	bare.stop()
	if failed > 0 {
		b.Logf("%d polls failed, the last: %v; %s", failed, l.message.Load(), machine())
	}
	each := func(now, then memory) float64 { return (now.live - then.live) / 1000 / float64(len(members)) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(polls.each(), "cpu-µs/poll")
	b.ReportMetric(asks.each(), "bare-cpu-µs/poll")
	b.ReportMetric(polls.each()/asks.each(), "cpu-ratio")
	b.ReportMetric(polls.each()/loginAsks.each(), "cpu-ratio-logins-too")
	b.ReportMetric(each(end, middle), "kB/node")
	b.ReportMetric(each(middle, start), "bare-kB/node")
	b.ReportMetric((end.resident-middle.resident)/1000/float64(len(members)), "rss-kB/node")
	b.ReportMetric(ms(late), "late-p99-ms")
	b.ReportMetric(ms(nap), "sleeper-late-p99-ms")
	b.ReportMetric(float64(failed), "failed-polls-of-healthy")
}

// share is CPU time with what it was used for.
type share struct {
	cpu time.Duration
	n   int
}

func (s *share) add(work func() int) {
	before := cpuTime()
	s.n += work()
	s.cpu += cpuTime() - before
}

// each returns the microseconds for one.
func (s *share) each() float64 { return us(s.cpu) / float64(s.n) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// bareLoad is the driver with nothing around it: one connection a node, and a goroutine for
// each while it runs.
type bareLoad struct {
	b          *testing.B
	connectors []driver.Connector
	conns      []driver.Conn
	text       string
	failed     sync.Once
}

func startBare(b *testing.B, members []fakenode.Member) *bareLoad {
	b.Helper()
	l := &bareLoad{b: b}
	b.Cleanup(l.stop)
	for _, m := range members {
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr, cfg.User, cfg.Passwd = "tcp", m.Address, loadUser, loadPassword
		cfg.MultiStatements = true
		// Far more than a poll has: on a busy machine a poll may fail, the yardstick must not.
		cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = time.Minute, time.Minute, time.Minute
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			b.Fatal(err)
		}
		conn, err := connector.Connect(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		l.connectors, l.conns = append(l.connectors, connector), append(l.conns, conn)
	}
	dialect, err := replication.Probe(context.Background(), l.conns[0].(driver.QueryerContext))
	if err != nil {
		b.Fatal(err)
	}
	l.text = "SELECT 1\n;" + dialect.ServerSQL() + "\n;" + dialect.StatusSQL() // as a poll does
	return l
}

// run asks every node every interval for d, and returns how often it did. At one of so many
// asks, if that is not 0, it makes a login on a new connection first.
func (l *bareLoad) run(d time.Duration, loginEvery int) int {
	var wait sync.WaitGroup
	var count atomic.Int64
	begin := time.Now()
	for i, conn := range l.conns {
		due := begin.Add(time.Duration(i) * loadInterval / time.Duration(len(l.conns)))
		wait.Go(func() {
			timer := time.NewTimer(time.Until(due))
			defer timer.Stop()
			for n := i; due.Sub(begin) < d; n++ {
				timer.Reset(time.Until(due))
				<-timer.C
				if loginEvery > 0 && n%loginEvery == 0 {
					l.login(i)
				}
				if err := askBare(conn, l.text); err != nil {
					l.failed.Do(func() { l.b.Error(err) }) // one of thousands is enough to say
					return
				}
				count.Add(1)
				due = due.Add(loadInterval)
			}
		})
	}
	wait.Wait()
	return int(count.Load())
}

func (l *bareLoad) login(i int) {
	conn, err := l.connectors[i].Connect(context.Background())
	if err != nil {
		l.failed.Do(func() { l.b.Error(err) })
		return
	}
	_ = conn.Close()
}

// askBare sends a text and reads every row of every result.
func askBare(conn driver.Conn, text string) error {
	rows, err := conn.(driver.QueryerContext).QueryContext(context.Background(), text, nil)
	if err != nil {
		return err
	}
	for {
		values := make([]driver.Value, len(rows.Columns()))
		for err = rows.Next(values); err == nil; err = rows.Next(values) {
		}
		if !errors.Is(err, io.EOF) {
			return errors.Join(err, rows.Close())
		}
		if err = rows.(driver.RowsNextResultSet).NextResultSet(); errors.Is(err, io.EOF) {
			return rows.Close()
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
}

func (l *bareLoad) stop() {
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}
