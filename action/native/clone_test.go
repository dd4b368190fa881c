package native

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/action/remote"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

func TestCloneReplacesANodeThatHasDiverged(t *testing.T) {
	p := sandboxtest.StartPool(t, sandbox.PoolOptions{
		Base: sandboxtest.Base(t, sandbox.MySQL97), Size: 2, Args: []string{"--plugin-load-add=mysql_clone.so"},
	})
	w := &world{t: t, pool: p, flavour: sandbox.MySQL97}
	w.useRunner(Options{})
	defer func() { w.runner.Close() }()
	w.root(0, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))")
	w.write(0, 10)
	w.inStep()
	w.root(1, "CREATE DATABASE stray")
	w.fails("CLONE_ADMIN", mpp.StepClone, 1, w.peer(0))
	w.want(1, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'stray'", "1")

	w.root(0, "GRANT CLONE_ADMIN, BACKUP_ADMIN ON *.* TO '"+p.Failover.User+"'@'%'")
	w.inStep()
	w.useRunner(Options{StartCommand: "true"}) // the test starts it
	w.runner.servers[w.addr(1)].node.Host = remote.NewLocal(false, time.Minute)
	restarted := make(chan error)
	go func() {
		ctx := t.Context()
		err := sandbox.Eventually(ctx, 20*time.Millisecond, func(context.Context) error {
			if p.Servers[1].Running() {
				return errors.New("it runs still")
			}
			return nil
		})
		if err == nil {
			err = p.Servers[1].Restart(ctx)
		}
		restarted <- err
	}()
	got := w.once(mpp.StepClone, 1, w.peer(0), limit(time.Minute))
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	if got.Position == nil || got.Position.Executed == "" {
		t.Errorf("no position: %+v", got)
	}
	w.want(1, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'stray'", "0")
	w.want(1, "SELECT @@global.super_read_only", "1")
	w.once(mpp.StepRepoint, 1, w.peer(0))
	w.write(0, 1)
	w.inStep()
	if w.rows(0) != w.rows(1) {
		t.Error("the copy is not one")
	}
}

func TestCloneIsRefusedBeforeAnythingIsThrownAway(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		got := w.fails("refused", mpp.StepClone, 2, w.peer(0))
		if !w.mariaDB() && !strings.Contains(got.Text, "INSTALL PLUGIN") {
			t.Error(got.Text)
		}
		w.inStep()
	})
}
