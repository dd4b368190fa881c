package sandbox_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

func TestFullBinlogDiskStopsCommitsOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MySQL97} {
		t.Run(string(flavour), func(t *testing.T) {
			ctx := sandboxtest.Context(t)
			s := sandboxtest.Start(t, sandbox.Options{Base: sandboxtest.Base(t, flavour), Disk: sandbox.SmallDisk(4 << 20)})
			mustExec(t, s.Root(), "CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY, x LONGTEXT)")
			must(t, s.FillDisk())
			if err := insertBig(ctx, s, 1, time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a commit on a full disk: %v, want it to hang", err)
			}
			must(t, answers(s, 5*time.Second))
			must(t, s.FreeDisk())
			must(t, s.FreeDisk())
			must(t, s.Kill())
			must(t, s.Restart(ctx))
			must(t, insertBig(ctx, s, 2, 10*time.Second))
			must(t, s.Close())
			mounts, err := os.ReadFile("/proc/self/mountinfo")
			must(t, err)
			if strings.Contains(string(mounts), s.Dir()) {
				t.Error("its disk is still mounted")
			}
		})
	}
}

// insertBig writes a row that does not fit into what the binlog has left.
func insertBig(ctx context.Context, s *sandbox.Server, row int, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := s.Root().ExecContext(ctx, "INSERT INTO d.t VALUES (?, REPEAT('x', 100000))", row)
	return err
}

func TestOnlyASmallDiskCanBeFilled(t *testing.T) {
	s := sandboxtest.Start(t, sandbox.Options{Base: sandboxtest.Base(t, sandbox.MariaDB1011)})
	if err := s.FillDisk(); err == nil {
		t.Error("the machine's own disk was filled")
	}
}

func TestDataOnASmallDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	disk := &sandbox.Disk{Size: 64 << 20, Binlog: true, Data: true}
	s := sandboxtest.Start(t, sandbox.Options{Base: sandboxtest.Base(t, sandbox.MariaDB1011), Disk: disk})
	if !strings.HasPrefix(s.DataDir(), s.Dir()+"/disk/") {
		t.Errorf("data is in %s", s.DataDir())
	}
	must(t, s.FillDisk())
	must(t, s.Kill())
	must(t, s.FreeDisk())
	must(t, s.Restart(sandboxtest.Context(t)))
}
