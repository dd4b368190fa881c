package native

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func split(t testing.TB, text string) []string {
	t.Helper()
	s := newSplitter(strings.NewReader(text))
	var list []string
	for {
		statement, err := s.next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(statement))
	}
}

func TestTextIsCutAsClientsCutIt(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	got := split(t, "# a comment;\n/*!50530 SET @@SESSION.PSEUDO_SLAVE_MODE=1*/;\nDELIMITER /*!*/;\n# at 4\n#"+long+"\nuse `app`/*!*/;\n\n"+
		"insert into t values ('a;b\n# no comment\n/*!*/ no end')\n/*!*/;\nBINLOG '\nabc\n'/*!*/;\n"+
		"set @x='"+long+"'\r\n/*!*/;\n-- kept\nselect 1\n/*!*/;\nDELIMITER ;\n# End of log file\nlast;\nnot ended")
	want := []string{
		"/*!50530 SET @@SESSION.PSEUDO_SLAVE_MODE=1*/", "use `app`", "insert into t values ('a;b\n# no comment\n/*!*/ no end')",
		"BINLOG '\nabc\n'", "set @x='" + long + "'\r", "-- kept\nselect 1", "last",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStatementsOfABinaryLogAreToldApart(t *testing.T) {
	for text, want := range map[string]kind{
		"/*!\\C latin1 */": kindClient, "/*!50003 SET @OLD_COMPLETION_TYPE=@@COMPLETION_TYPE,COMPLETION_TYPE=0*/": kindClient,
		"/*!50530 SET @@SESSION.PSEUDO_SLAVE_MODE=1*/": kindState, "SET TIMESTAMP=1795277038": kindState, "use `app`": kindState,
		"SET @@session.time_zone='+05:00'": kindState, "SET INSERT_ID=5": kindOnce, "SET @`v`:=_utf8mb4 0x61": kindOnce,
		"/*!50718 SET TRANSACTION ISOLATION LEVEL READ COMMITTED*/": kindIsolation,
		"/*M!100001 SET @@session.gtid_seq_no=14*/":                 kindGTID, "/*!100001 SET @@session.server_id=1*/": kindGTID,
		"SET @@SESSION.GTID_NEXT= '26934279-e5c5-11f1-a7c7-02fc00000001:15'": kindGTID,
		"BEGIN": kindBegin, "START TRANSACTION": kindBegin, "COMMIT": kindCommit, "ROLLBACK": kindRollback,
		"ROLLBACK /* added by mysqlbinlog */": kindRollback, "create table t (a int)": kindQuery, "SET PASSWORD FOR a = 'b'": kindQuery,
		"BINLOG '\n7MABaw9z2AEAewAAAH8AAAAAAAQAOS43LjQtMgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n'": kindFormat,
		"BINLOG '\n7sABaxMPqAEAMAAAAOAKAAAAABIAAAAAAAEAA2FwcAABdAADAw/8A8gAAgZwTF28\n'":             kindRows,
	} {
		if got := classify([]byte(text)).kind; got != want {
			t.Errorf("%s is %d, want %d", text, got, want)
		}
	}
	e := classify([]byte("SET @@SESSION.GTID_NEXT= '26934279-e5c5-11f1-a7c7-02fc00000001:tag:15'"))
	if e.next != "26934279-e5c5-11f1-a7c7-02fc00000001:tag:15" {
		t.Errorf("the GTID is %q", e.next)
	}
}

func TestOfSkippedStateTheLastIsKept(t *testing.T) {
	var c carry
	for _, text := range []string{
		"SET @@session.a=1, @@session.b='x,y'", "use `one`", "SET TIMESTAMP=1", "/*!80001 SET @@session.c=1*/", "SET @@session.a=2",
		"use `two`", "/*!80001 SET @@session.c=2*/", "SET TIMESTAMP=2",
	} {
		c.add([]byte(text))
	}
	want := []string{"SET @@session.b='x,y'", "SET @@session.a=2", "use `two`", "/*!80001 SET @@session.c=2*/", "SET TIMESTAMP=2"}
	var got []string
	for _, text := range c.take() {
		got = append(got, string(text))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c.take() != nil {
		t.Error("it is told twice")
	}
}

func TestRowsAreCutBetweenEvents(t *testing.T) {
	// A map of a table and two events of rows, as a server wrote them.
	text := []byte("BINLOG '\n7sABaxMPqAEAMAAAAOAKAAAAABIAAAAAAAEAA2FwcAABdAADAw/8A8gAAgZwTF28\n" +
		"7sABaxcPqAEAQAAAACALAAAAABIAAAAAAAEAAwf4AQAAAANhO2IBAHj4AgAAAAdxdW90ZSdzBAAA\n/wonMsOeSw==\n" +
		"7sABaxcPqAEAKAAAAPULAAAAABIAAAAAAAEAAwf4AwAAAAExhgdxhw==\n'")
	list, err := pieces(text, 150)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d pieces: %v", len(list), err)
	}
	for _, piece := range list {
		if !strings.HasPrefix(string(piece), "BINLOG '\n7sABaxMPqAEAMAAAAOAKAAAAABIAAAAAAAEAA2FwcAABdAADAw/8A8gAAgZwTF28\n7sABaxcP") {
			t.Errorf("a piece without the map of its table: %s", piece)
		}
	}
	if whole, err := pieces(text, 1000); err != nil || len(whole) != 1 {
		t.Errorf("what fits is cut: %v", err)
	}
	if _, err := pieces([]byte("BINLOG 'AAAA'"), 1); err == nil {
		t.Error("what is no event is taken for one")
	}
}

func TestAnErrorsTextHoldsNoStatement(t *testing.T) {
	err := fmt.Errorf("set source: %w", errors.New(`error near 'PASSWORD = 'geheim' x' at line 1`))
	if text := describe(err); strings.Contains(text, "geheim") {
		t.Error(text)
	}
	if text := describe(errors.New(strings.Repeat("ä\n", 600))); len(text) > maxText+10 || strings.Contains(text, "\n") {
		t.Error(text)
	}
}

func FuzzBinaryLogText(f *testing.F) {
	f.Add("DELIMITER /*!*/;\n# at 4\nuse `a`/*!*/;\nBINLOG '\n7sABaxMPqAEAMAAAAOAKAAAAABIAAAAAAAEAA2FwcAABdAADAw/8A8gAAgZwTF28\n'/*!*/;\nCOMMIT/*!*/;\n", 10)
	f.Add("SET @@session.a=1, @@session.b='x,y';\n", 1)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		var c carry
		for _, statement := range split(t, text) {
			e := classify([]byte(statement))
			if e.kind == kindState {
				c.add(e.text)
			}
			if e.kind != kindRows {
				continue
			}
			if list, err := pieces(e.text, max(limit, 1)); err == nil && len(list) == 0 {
				t.Errorf("no pieces of %q", statement)
			}
		}
		c.take()
	})
}
