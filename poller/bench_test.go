package poller_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp/replication"
	"mpp/sandbox/fakenode"
)

// window is how long each benchmark measures; they run once (-benchtime 1x).
const window = 10 * time.Second

// BenchmarkAmongDeadAndHung is SCENARIOS F5: of the nodes 10 % are dead and 5 % hung.
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
// over lasting connections, at the same rate, in the same run. The polls include what they do
// besides: a login every 5 s, grants every minute.
func BenchmarkAgainstBareDriver(b *testing.B) {
	for _, n := range []struct {
		name  string
		nodes int
	}{{"nodes=1000", 1000}, {"nodes=5000", 5000}} {
		b.Run(n.name, func(b *testing.B) {
			for b.Loop() {
				members := spawn(b, fakenode.FleetOptions{Nodes: n.nodes})
				empty := memoryNow()
				bare := startBare(b, members)
				<-time.After(2 * loadInterval)
				before, cpu := bare.asked(), cpuTime()
				<-time.After(window)
				bareCPU := us(cpuTime()-cpu) / float64(bare.asked()-before)
				bareMemory := memoryNow()
				bare.stop()

				begin := memoryNow()
				l := startLoad(b, members)
				l.warm()
				f := l.measure(window)
				end := memoryNow()
				l.stop()
				each := func(now, then float64) float64 { return (now - then) / 1000 / float64(n.nodes) }
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(us(f.cpu)/float64(f.polls), "cpu-µs/poll")
				b.ReportMetric(bareCPU, "bare-cpu-µs/poll")
				b.ReportMetric(us(f.cpu)/float64(f.polls)/bareCPU, "cpu-ratio")
				b.ReportMetric(each(end.live, begin.live), "kB/node")
				b.ReportMetric(each(bareMemory.live, empty.live), "bare-kB/node")
				b.ReportMetric(end.resident/1e6, "rss-MB")
				b.ReportMetric(ms(f.lateP99), "late-p99-ms")
				b.ReportMetric(float64(f.failed), "failed-polls-of-healthy")
			}
		})
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// bareLoad is the driver with nothing around it: one goroutine and one connection a node.
type bareLoad struct {
	b      *testing.B
	cancel context.CancelFunc
	wait   sync.WaitGroup
	mu     sync.Mutex
	count  int
}

func startBare(b *testing.B, members []fakenode.Member) *bareLoad {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &bareLoad{b: b, cancel: cancel}
	b.Cleanup(l.stop)
	var opened sync.WaitGroup
	for i, m := range members {
		first := time.Duration(i) * loadInterval / time.Duration(len(members))
		opened.Add(1)
		l.wait.Go(func() {
			conn, text := l.open(m.Address)
			opened.Done()
			if conn != nil {
				defer conn.Close()
				l.run(ctx, conn, text, first)
			}
		})
	}
	opened.Wait()
	return l
}

// open logs in and returns the text that a poll of such a server sends.
func (l *bareLoad) open(address string) (driver.Conn, string) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd = "tcp", address, loadUser, loadPassword
	cfg.MultiStatements = true
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 10*time.Second, loadTimeout, loadTimeout
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		l.b.Error(err)
		return nil, ""
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		l.b.Error(err)
		return nil, ""
	}
	dialect, err := replication.Probe(context.Background(), conn.(driver.QueryerContext))
	if err != nil {
		l.b.Error(errors.Join(err, conn.Close()))
		return nil, ""
	}
	return conn, "SELECT 1\n;" + dialect.ServerSQL() + "\n;" + dialect.StatusSQL()
}

// run asks every interval until ctx ends.
func (l *bareLoad) run(ctx context.Context, conn driver.Conn, text string, first time.Duration) {
	timer := time.NewTimer(first)
	defer timer.Stop()
	due := time.Now().Add(first)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := askBare(conn, text); err != nil {
			l.b.Error(err)
			return
		}
		l.mu.Lock()
		l.count++
		l.mu.Unlock()
		due = due.Add(loadInterval)
		timer.Reset(time.Until(due))
	}
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
		if err != io.EOF {
			return errors.Join(err, rows.Close())
		}
		if err = rows.(driver.RowsNextResultSet).NextResultSet(); err == io.EOF {
			return rows.Close()
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
}

func (l *bareLoad) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

func (l *bareLoad) stop() {
	l.cancel()
	l.wait.Wait()
}
