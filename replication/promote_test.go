package replication_test

import (
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"mpp/replication"
)

// probed returns the dialect of a server made up by a test.
func probed(t *testing.T, s *server) *replication.Dialect {
	t.Helper()
	d, err := replication.Probe(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOldServersAreSpokenToInTheirWords(t *testing.T) {
	d := probed(t, mysql57())
	last := func(s replication.Spellings) string { return s[len(s)-1] }
	source := replication.Source{Address: "10.0.0.1:3306", User: "repl", Password: `it's\`}
	got := []string{
		last(d.Stop("", replication.Receiver)), last(d.Start("a", replication.Applier)), last(d.ResetAll("")),
		last(d.OwnLog()), last(d.Follow("", source)), d.ReadOnlySQL(), d.WritableSQL(),
	}
	want := []string{
		"STOP SLAVE IO_THREAD FOR CHANNEL ''", "START SLAVE SQL_THREAD FOR CHANNEL 'a'", "RESET SLAVE ALL FOR CHANNEL ''",
		"SHOW MASTER STATUS",
		`CHANGE MASTER TO MASTER_HOST = '10.0.0.1', MASTER_PORT = 3306, MASTER_USER = 'repl', MASTER_PASSWORD = 'it\'s\\', ` +
			`MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1, MASTER_RETRY_COUNT = 86400, MASTER_AUTO_POSITION = 1 FOR CHANNEL ''`,
		"SET GLOBAL super_read_only = 1", "SET GLOBAL read_only = 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !replication.UnknownGrammar(fmt.Errorf("say: %w", &mysql.MySQLError{Number: 1064})) || replication.UnknownGrammar(io.EOF) {
		t.Error("an error of the grammar is not told from others")
	}
}

func TestEncryptionOfALinkIsSpeltOut(t *testing.T) {
	d := probed(t, mariadb12())
	for _, c := range []struct {
		source replication.Source
		want   string
	}{
		{replication.Source{}, "MASTER_SSL_VERIFY_SERVER_CERT = 0"},
		{replication.Source{KeepVerify: true}, ""},
		{replication.Source{SSL: "disabled"}, "MASTER_SSL = 0, MASTER_SSL_VERIFY_SERVER_CERT = 0"},
		{replication.Source{SSL: "required", CA: "/ca"}, "MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 0, MASTER_SSL_CA = '/ca'"},
		{replication.Source{SSL: "verify_ca", CA: "/ca", Cert: "/c", Key: "/k"}, "MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 1, MASTER_SSL_CA = '/ca', MASTER_SSL_CERT = '/c', MASTER_SSL_KEY = '/k'"},
	} {
		c.source.Address = "h:1"
		_, got, _ := strings.Cut(d.Follow("", c.source).String(), "MASTER_USE_GTID = slave_pos")
		if got = strings.TrimPrefix(got, ", "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.source, got, c.want)
		}
	}
}

// oneRow makes rows of one row.
func oneRow(nameAndValue ...string) *rows {
	r := &rows{data: [][]driver.Value{{}}}
	for i := 0; i < len(nameAndValue); i += 2 {
		r.columns = append(r.columns, nameAndValue[i])
		r.data[0] = append(r.data[0], []byte(nameAndValue[i+1]))
	}
	return r
}

func TestLinksAreReadWhateverTheirColumnsAreCalled(t *testing.T) {
	want := replication.Link{
		Name: "c", Host: "h", Port: "3307", User: "u", IO: "Connecting", SQL: "Yes", IOErrno: 2003, IOError: "no",
		SQLState: "Slave has read all relay log; waiting for more updates", SourceLog: "b.2", SourcePos: 50, ExecLog: "b.2", ExecPos: 40,
		RelayLog: "r.1", RelayPos: 4, Received: "x:1-5,y:1", ByGTID: true,
	}
	old := []string{
		"Master_Host", "h", "Master_Port", "3307", "Master_User", "u", "Slave_IO_Running", "Connecting", "Slave_SQL_Running", "Yes",
		"Last_IO_Errno", "2003", "Last_IO_Error", "no", "Master_Log_File", "b.2", "Read_Master_Log_Pos", "50", "Relay_Master_Log_File", "b.2",
		"Exec_Master_Log_Pos", "40", "Relay_Log_File", "r.1", "Relay_Log_Pos", "4", "Slave_SQL_Running_State", want.SQLState,
		"Retrieved_Gtid_Set", "x:1-5,\ny:1", "Auto_Position", "1", "Channel_Name", "c",
	}
	today := make([]string, len(old))
	for i, s := range old {
		today[i] = s
		if i%2 == 0 {
			today[i] = strings.NewReplacer("Master", "Source", "Slave", "Replica").Replace(s)
		}
	}
	for _, columns := range [][]string{old, today} {
		list, err := replication.ReadLinks(oneRow(columns...))
		if diff := cmp.Diff([]replication.Link{want}, list); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
	if !want.ReadAll() || want.ExecutedAll() {
		t.Error("what the applier has done is told wrong")
	}
	list, err := replication.ReadLinks(oneRow("Connection_name", "", "Using_Gtid", "No", "Gtid_IO_Pos", "0-1-5", "Master_SSL_CA_File", "/ca"))
	if err != nil || len(list) != 1 || list[0].ByGTID || list[0].Received != "0-1-5" || !list[0].CA {
		t.Errorf("MariaDB's: %+v %v", list, err)
	}
}

func TestProcessesAreToldApart(t *testing.T) {
	columns := []string{"ID", "USER", "HOST", "COMMAND", "STATE", "TIME", "INFO", "PRINT"}
	r := &rows{columns: columns}
	for _, one := range []string{
		"1|app|10.0.0.7:4711|Query||3|/* by */ (select 1|9",
		"2|app|[::1]:99|Execute||0|-- x\n update t set a = 1|9",
		"3|system user||Connect|Waiting|0||",
		"4|repl|h:1|Binlog Dump GTID||0||",
		"5|dba|h:1|Query|Killing slave|0|stop slave io_thread|1",
		"6|dba|h:1|Query|Killing replica|0|STOP REPLICA SQL_THREAD FOR CHANNEL ''|1",
		"7|app|localhost|Sleep||0||",
	} {
		var values []driver.Value
		for v := range strings.SplitSeq(one, "|") {
			values = append(values, []byte(v))
		}
		r.data = append(r.data, values)
	}
	list, err := replication.ReadProcesses(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range list {
		p := &list[i]
		got = append(got, fmt.Sprintf("%d %s %s reads %v replicates %v idle %v stops %v %s", p.ID, p.Host, p.Verb, p.Reads(), p.Replicates(), p.Idle(), p.Stops, p.Time))
	}
	want := []string{
		"1 10.0.0.7 SELECT reads true replicates false idle false stops false 3s",
		"2 [::1] UPDATE reads false replicates false idle false stops false 0s",
		"3   reads false replicates true idle false stops false 0s",
		"4 h  reads false replicates true idle false stops false 0s",
		"5 h STOP reads false replicates false idle false stops true 0s",
		"6 h STOP reads false replicates false idle false stops false 0s",
		"7 localhost  reads false replicates false idle true stops false 0s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAccountsAreParsed(t *testing.T) {
	for text, want := range map[string]replication.Account{
		"app@10.0.0.%": {User: "app", Host: "10.0.0.%"}, "app": {User: "app", Host: "%"}, "'a@b'@`h`": {User: "a@b", Host: "h"},
	} {
		got, err := replication.ParseAccount(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	if _, err := replication.ParseAccount("@h"); err == nil {
		t.Error("an account without a name is taken")
	}
	if got := (replication.Account{User: `o'b\`, Host: "%"}).LockSQL(true); got != `ALTER USER 'o\'b\\'@'%' ACCOUNT LOCK` {
		t.Error(got)
	}
}

func TestEventsKeepTheirDefiners(t *testing.T) {
	e := replication.Event{Schema: "a`b", Name: "e", Definer: "us@er@10.%", SQLMode: "ANSI_QUOTES"}
	d := probed(t, mysql84())
	if diff := cmp.Diff(replication.Spellings{
		"ALTER DEFINER = `us@er`@`10.%` EVENT `a``b`.`e` DISABLE ON REPLICA", "ALTER DEFINER = `us@er`@`10.%` EVENT `a``b`.`e` DISABLE ON SLAVE",
	}, d.SetEvent(e, false)); diff != "" {
		t.Error(diff)
	}
	if got := d.WorkSQL(time.Second, time.Minute); !strings.Contains(got, "lock_wait_timeout = 1") || !strings.HasSuffix(got, "sql_mode = ''") {
		t.Error(got)
	}
}
