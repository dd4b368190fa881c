package hook

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

func TestArgumentsOfTheReportAreRead(t *testing.T) {
	got, err := ParseReport([]string{
		"--mail-to=dba@example.com,boss@example.com", "--smtp=mail:587", "--smtp-user=mpp", "--smtp-password-file=/p", "--state-dir=/s",
		"--orig_master_host=db1", "--new_master_host=db2", "--new_slave_hosts=db3,db4", "--conf=/etc/mha/app.cnf", "--subject=app: failover", "--body=a=b\n\n$x", "--later=1",
	})
	want := Report{
		Orig: "db1", New: "db2", Slaves: []string{"db3", "db4"}, Conf: "/etc/mha/app.cnf", Subject: "app: failover", Body: "a=b\n\n$x",
		Options: Options{StateDir: "/s"}, Notes: []string{"not known and not heeded: --later"},
		Mail: Mail{To: []string{"dba@example.com", "boss@example.com"}, Server: "mail:587", User: "mpp", PasswordFile: "/p"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := ParseReport(nil); err == nil {
		t.Error("a report about nothing was taken")
	}
}

func TestTheReportTellsWhatWasNotDone(t *testing.T) {
	r := Report{Orig: "db1", New: "db2", Subject: "app: MySQL Master failover db1 to db2 succeeded", Body: "Invalidated master IP address on db1(10.0.0.1:3306)\n"}
	stop, err := Parse(Failover, []string{"--command=stop", "--orig_master_host=db1", "--orig_master_ip=10.0.0.1", "--orig_master_port=3306"})
	if err != nil {
		t.Fatal(err)
	}
	setup := full()
	setup.Shutdown = false
	results := run(Decide(&stop, setup), map[string]string{"read-only 10.0.0.1:3306": "?no answer", "remove-address 10.0.0.1:3306": "?no answer"})
	first := Summary(&stop, Judge(&stop, setup, results), results)
	first.At, first.Took = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC), 1500*time.Millisecond
	second := Done{
		At: first.At.Add(time.Second), Program: Failover, Phase: Start, Text: "done", Took: 400 * time.Millisecond,
		Steps: []DoneStep{{What: string(mpp.StepAddAddress) + " at 10.0.0.2:3306", Done: true, Text: "the address is there and announced", Took: 300 * time.Millisecond}},
	}
	subject, body := Compose(&r, []Done{first, second})
	quiet, plain := Compose(&r, []Done{second})
	golden(t, "report", subject+"\n\n"+body+"\n----\n"+quiet+"\n\n"+plain)
}
