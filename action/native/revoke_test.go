package native

import (
	"context"
	"testing"

	"mpp"
	"mpp/sandbox"
)

// tryWrite writes one row as the account of applications, on a connection of its own.
func (w *world) tryWrite(i int) error {
	w.t.Helper()
	c, _ := w.app(i)
	_, err := c.ExecContext(context.Background(), "INSERT INTO app.revoked VALUES ()")
	return err
}

func TestRevokeKeepsPrivilegedAccountsFromWritingWhereTheWriterIsNot(t *testing.T) {
	each(t, []sandbox.Flavour{sandbox.MariaDB1011}, func(t *testing.T, w *world) {
		w.root(0, "CREATE TABLE app.revoked (id INT AUTO_INCREMENT PRIMARY KEY)",
			"GRANT READ_ONLY ADMIN ON *.* TO '"+w.pool.Failover.User+"'@'%' WITH GRANT OPTION",
			"GRANT CREATE ON mpp.* TO '"+w.pool.Failover.User+"'@'%'", "GRANT INSERT, DELETE, SELECT ON mpp.* TO '"+w.pool.Failover.User+"'@'%'",
			"GRANT SELECT ON mysql.* TO '"+w.pool.Failover.User+"'@'%'", "GRANT READ_ONLY ADMIN ON *.* TO '"+w.pool.App.User+"'@'%'")
		w.inStep()
		w.useRunner(Options{Block: BlockRevoke, LockAccounts: []string{w.pool.App.User + "@%", "nobody@%"}})
		if err := w.tryWrite(1); err != nil {
			t.Fatalf("the account should pass read_only before: %v", err)
		}
		w.root(1, "SET sql_log_bin = 0", "DELETE FROM app.revoked", "SET sql_log_bin = 1")
		before := w.value(0, "SELECT @@global.gtid_binlog_pos")

		w.must(mpp.StepReadOnly, 0)
		w.must(mpp.StepReadOnly, 0) // once more changes nothing
		w.want(0, "SELECT @@global.gtid_binlog_pos", before)
		if err := w.tryWrite(0); err == nil {
			t.Error("the account writes on a read-only server")
		}
		w.must(mpp.StepWritable, 0)
		w.root(0, "SET GLOBAL read_only = 1")
		if err := w.tryWrite(0); err != nil {
			t.Errorf("it was not given back: %v", err)
		}
		w.want(0, "SELECT COUNT(*) FROM mpp.revoked", "0")
	})
}

func TestNothingIsGivenThatWasNotTaken(t *testing.T) {
	each(t, []sandbox.Flavour{sandbox.MariaDB1011}, func(t *testing.T, w *world) {
		w.root(0, "CREATE TABLE app.revoked (id INT AUTO_INCREMENT PRIMARY KEY)", "GRANT SELECT ON mysql.* TO '"+w.pool.Failover.User+"'@'%'")
		w.inStep()
		w.useRunner(Options{Block: BlockRevoke, LockAccounts: []string{w.pool.App.User + "@%"}})
		w.must(mpp.StepReadOnly, 0)
		w.must(mpp.StepWritable, 0)
		w.root(0, "SET GLOBAL read_only = 1")
		if err := w.tryWrite(0); err == nil {
			t.Error("an account got a right that it never had")
		}
		w.root(0, "SET GLOBAL read_only = 0")
	})
}
