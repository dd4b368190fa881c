package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// semiSyncArgs loads what semi-synchronous replication needs and turns on the
// replica's side of it.
func semiSyncArgs(base Base, limit time.Duration) []string {
	ms := limit.Milliseconds()
	if base.MariaDB {
		return []string{
			"--rpl-semi-sync-slave-enabled=ON", "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
			fmt.Sprintf("--rpl-semi-sync-master-timeout=%d", ms),
		}
	}
	return []string{
		"--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so",
		"--loose-rpl-semi-sync-replica-enabled=ON", fmt.Sprintf("--loose-rpl-semi-sync-source-timeout=%d", ms),
	}
}

// enableSemiSync turns on the source's side, and returns when so many replicas
// take part. It is not done before they do: every commit until then would wait.
func (s *Server) enableSemiSync(ctx context.Context, replicas int) error {
	set, clients := "rpl_semi_sync_source_enabled", "Rpl_semi_sync_source_clients"
	if s.Base().MariaDB {
		set, clients = "rpl_semi_sync_master_enabled", "Rpl_semi_sync_master_clients"
	}
	if err := s.run(ctx, "turn on semi-sync", "SET GLOBAL "+set+" = 1"); err != nil {
		return err
	}
	err := Eventually(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		var name string
		var n int
		err := s.db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE '"+clients+"'").Scan(&name, &n)
		if err == nil && n < replicas {
			err = errors.New("too few replicas take part")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("turn on semi-sync on %s: %w", s.Name(), err)
	}
	return nil
}
