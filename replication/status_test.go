package replication_test

import (
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/replication"
)

// spell turns MySQL's new column names into those of another list of columns.
func spell(columns []string, values map[string]driver.Value) map[string]driver.Value {
	out := make(map[string]driver.Value, len(values))
	old := strings.NewReplacer("Source", "Master", "Replica", "Slave", "Channel_Name", "Connection_name")
	for name, v := range values {
		if !contains(columns, name) {
			name = old.Replace(name)
			if !contains(columns, name) {
				name = strings.Replace(name, "Connection_name", "Channel_Name", 1)
			}
		}
		out[name] = v
	}
	return out
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

func TestReplicaStatusIsReadInEverySpelling(t *testing.T) {
	values := []map[string]driver.Value{
		{
			"Channel_Name": []byte(""), "Source_Host": []byte("10.0.0.1"), "Source_Port": int64(3307), "Source_Server_Id": uint64(11),
			"Replica_IO_Running": []byte("Yes"), "Replica_SQL_Running": []byte("Yes"), "Last_IO_Errno": int64(0), "Last_IO_Error": []byte(""),
			"Last_SQL_Errno": int64(0), "Last_SQL_Error": []byte(""), "Seconds_Behind_Source": int64(7), "SQL_Delay": int64(5),
		},
		{
			"Channel_Name": []byte("second"), "Source_Host": []byte("db.example"), "Source_Port": []byte("3306"), "Source_Server_Id": int64(12),
			"Replica_IO_Running": []byte("Connecting"), "Replica_SQL_Running": []byte("No"), "Last_IO_Errno": uint64(2003),
			"Last_IO_Error": []byte("error connecting"), "Last_SQL_Errno": int64(1062), "Last_SQL_Error": []byte("Duplicate entry"),
			"Seconds_Behind_Source": nil, "SQL_Delay": uint64(0),
		},
		{"Channel_Name": []byte("group_replication_applier"), "Source_Host": []byte("<NULL>"), "Replica_IO_Running": []byte("Yes")},
	}
	want := []mpp.Channel{
		{SourceHost: "10.0.0.1", SourcePort: 3307, SourceID: 11, IO: "Yes", SQL: "Yes", Lag: 7 * time.Second, LagKnown: true, Delay: 5 * time.Second},
		{
			Name: "second", SourceHost: "db.example", SourcePort: 3306, SourceID: 12, IO: "Connecting", SQL: "No",
			IOErrno: 2003, IOError: "error connecting", SQLErrno: 1062, SQLError: "Duplicate entry",
		},
	}
	for name, columns := range map[string][]string{"5.7": oldMySQLColumns(), "9.7": newMySQLColumns(), "MariaDB": mariaDBColumns()} {
		t.Run(name, func(t *testing.T) {
			var data [][]driver.Value
			for _, v := range values {
				data = append(data, row(columns, spell(columns, v)))
			}
			got, err := new(replication.StatusReader).Read(&rows{columns: columns, data: data})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// positions are the values of what only a promotion must know, as each product says it.
func positions(columns []string) map[string]driver.Value {
	values := spell(columns, map[string]driver.Value{
		"Source_Host": []byte("h"), "Replica_IO_Running": []byte("Yes"), "Replica_SQL_Running": []byte("Yes"),
		"Source_Log_File": []byte("binlog.000007"), "Read_Source_Log_Pos": uint64(4711),
		"Connect_Retry": int64(60), "Source_Retry_Count": uint64(10),
	})
	if contains(columns, "Using_Gtid") {
		values["Using_Gtid"], values["Gtid_IO_Pos"] = []byte("Slave_Pos"), []byte("0-1-5,1-2-7")
	} else {
		values["Auto_Position"], values["Retrieved_Gtid_Set"] = int64(1), []byte("a:1-5,\nb:7")
	}
	return values
}

func TestPositionsAreReadWhereTheyAreWanted(t *testing.T) {
	const host, retry = "h", 10 * time.Minute
	mysql := mpp.Channel{
		SourceHost: host, IO: "Yes", SQL: "Yes", ByGTID: true, RetryFor: retry,
		Received: "a:1-5,b:7", SourceLog: "binlog.000007", SourcePos: 4711,
	}
	mariadb := mysql
	mariadb.Received, mariadb.RetryFor = "0-1-5,1-2-7", 0
	for name, c := range map[string]struct {
		columns []string
		want    mpp.Channel
	}{
		"5.7": {oldMySQLColumns(), mysql}, "9.7": {newMySQLColumns(), mysql}, "MariaDB": {mariaDBColumns(), mariadb},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(r *replication.StatusReader) mpp.Channel {
				got, err := r.Read(&rows{columns: c.columns, data: [][]driver.Value{row(c.columns, positions(c.columns))}})
				if err != nil || len(got) != 1 {
					t.Fatalf("%v (%v)", got, err)
				}
				return got[0]
			}
			reader := &replication.StatusReader{Positions: true}
			for range 2 { // the second time from what is kept
				if diff := cmp.Diff(c.want, read(reader)); diff != "" {
					t.Error(diff)
				}
			}
			unwanted := mpp.Channel{SourceHost: host, IO: "Yes", SQL: "Yes", ByGTID: true}
			if diff := cmp.Diff(unwanted, read(new(replication.StatusReader))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChannelByLogPositionIsNotByGTID(t *testing.T) {
	for column, value := range map[string]driver.Value{"Using_Gtid": []byte("No"), "Auto_Position": int64(0)} {
		columns := newMySQLColumns()
		if column == "Using_Gtid" {
			columns = mariaDBColumns()
		}
		values := positions(columns)
		values[column] = value
		got, err := new(replication.StatusReader).Read(&rows{columns: columns, data: [][]driver.Value{row(columns, values)}})
		if err != nil || len(got) != 1 || got[0].ByGTID {
			t.Errorf("%s %v: %+v (%v)", column, value, got, err)
		}
	}
}

func TestStatusThatIsPublishedIsNeverChanged(t *testing.T) {
	columns := newMySQLColumns()
	state := func(hosts ...string) *rows {
		r := &rows{columns: columns}
		for _, h := range hosts {
			r.data = append(r.data, row(columns, map[string]driver.Value{"Source_Host": []byte(h), "Replica_IO_Running": []byte("Yes")}))
		}
		return r
	}
	var reader replication.StatusReader
	histories := [][]string{{"a", "b"}, {"a", "b"}, {"a", "c"}, {"a"}, {"a", "b", "c"}, {}, {}, {"d"}, {"x", "d"}}
	var published, copies [][]mpp.Channel
	for _, hosts := range histories {
		got, err := reader.Read(state(hosts...))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(hosts) {
			t.Fatalf("%d channels for %v", len(got), hosts)
		}
		for i, h := range hosts {
			if got[i].SourceHost != h {
				t.Errorf("%v became %+v", hosts, got)
			}
		}
		published, copies = append(published, got), append(copies, append([]mpp.Channel(nil), got...))
	}
	for i := range published {
		if diff := cmp.Diff(copies[i], append([]mpp.Channel(nil), published[i]...)); diff != "" {
			t.Errorf("what was read at %d changed: %s", i, diff)
		}
	}
	if &published[0][0] != &published[1][0] {
		t.Error("nothing changed, and yet memory was taken")
	}
}

func TestStatusWithoutAColumnIsAnError(t *testing.T) {
	for _, columns := range [][]string{nil, {"Source_Host"}, {"File", "Position"}} {
		if _, err := new(replication.StatusReader).Read(&rows{columns: columns}); err == nil {
			t.Errorf("%v passed for a replica's status", columns)
		}
	}
}

func TestStatusThatBreaksOffIsAnError(t *testing.T) {
	if _, err := new(replication.StatusReader).Read(&rows{columns: newMySQLColumns(), err: io.ErrUnexpectedEOF}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// FuzzReplicaStatus feeds rows of any bytes: the reader must neither panic nor make up numbers,
// and must read the same rows the same way twice.
func FuzzReplicaStatus(f *testing.F) {
	f.Add(0, "10.0.0.1", "3306", "Yes", "Yes", "0", "", "7", uint8(0))
	f.Add(1, "", "", "Connecting", "No", "2003", "error", "", uint8(255))
	f.Add(2, "h", "99999", "Preparing", "Yes", "-1", "\x00\xff", "18446744073709551615", uint8(3))
	f.Fuzz(func(t *testing.T, flavour int, host, port, io, sql, errno, text, lag string, nulls uint8) {
		columns := [][]string{oldMySQLColumns(), newMySQLColumns(), mariaDBColumns()}[uint(flavour)%3]
		values := map[string]driver.Value{
			"Source_Host": []byte(host), "Source_Port": []byte(port), "Replica_IO_Running": []byte(io),
			"Replica_SQL_Running": []byte(sql), "Last_IO_Errno": []byte(errno), "Last_SQL_Error": []byte(text),
			"Seconds_Behind_Source": []byte(lag), "SQL_Delay": []byte(lag),
			"Retrieved_Gtid_Set": []byte(text), "Gtid_IO_Pos": []byte(text), "Source_Log_File": []byte(host),
			"Read_Source_Log_Pos": []byte(lag), "Connect_Retry": []byte(port), "Source_Retry_Count": []byte(lag), "Using_Gtid": []byte(text),
		}
		i := 0
		for _, name := range []string{"Source_Host", "Source_Port", "Replica_IO_Running", "Last_IO_Errno", "Seconds_Behind_Source"} {
			if nulls&(1<<i) != 0 {
				values[name] = nil
			}
			i++
		}
		one := row(columns, spell(columns, values))
		reader := replication.StatusReader{Positions: true}
		first, err := reader.Read(&rows{columns: columns, data: [][]driver.Value{one, one}})
		if err != nil {
			t.Fatal(err)
		}
		again, err := reader.Read(&rows{columns: columns, data: [][]driver.Value{one, one}})
		if err != nil || len(first) != 2 || !cmp.Equal(first, again) || first[0] != first[1] {
			t.Fatalf("%+v, then %+v (%v)", first, again, err)
		}
		if c := first[0]; c.Lag < 0 || c.Delay < 0 || c.RetryFor < 0 || strings.ContainsAny(c.Received, "\n\r") || (nulls&16 != 0 && c.LagKnown) {
			t.Fatalf("%+v of %q", c, lag)
		}
	})
}
