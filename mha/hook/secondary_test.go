package hook

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

func TestAMasterIsDeadWhenNobodyReachesItAndSomebodyCanTell(t *testing.T) {
	const dead, no, yes, mute = "dead", "no", "yes", "mute"
	// How each of three nodes is: the master db1, and what the replicas say of their links.
	got := map[string]string{}
	for _, master := range []string{"db1", ""} {
		for _, c := range [][3]string{{dead, no, no}, {dead, no, yes}, {dead, no, mute}, {dead, mute, mute}, {dead, dead, no}, {no, no, no}, {yes, yes, yes}} {
			var results []Result
			for _, st := range Ask(master, []string{"db1", "db2", "db3"}, time.Second).Stages[0] {
				how := c[st.Node[2]-'1']
				r := Result{Step: st}
				switch {
				case how == dead:
					r.Unreachable = true
				case st.Kind == mpp.StepPosition:
					r.Done = true
				case st.Node == "db1" || how == mute: // not tested
				default:
					r.Done, r.Alive = true, how == yes
				}
				results = append(results, r)
			}
			got[fmt.Sprint("master ", master, " ", c)] = fmt.Sprint(Answer(master, results).Exit)
		}
	}
	want := map[string]string{
		"master db1 [dead no no]": "0", "master db1 [dead no yes]": "3", "master db1 [dead no mute]": "0", "master db1 [dead mute mute]": "2", "master db1 [dead dead no]": "0",
		"master db1 [no no no]": "3", "master db1 [yes yes yes]": "3",
		"master  [dead no no]": "0", "master  [dead no yes]": "3", "master  [dead no mute]": "0", "master  [dead mute mute]": "2", "master  [dead dead no]": "0",
		"master  [no no no]": "3", "master  [yes yes yes]": "3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestArgumentsOfTheSecondLookAreRead(t *testing.T) {
	got := ParseQuestion([]string{
		"--config=/c", "--user=root", "--master_host=db1", "--master_ip=10.0.0.1", "--master_port=3307", "--master_user=mha", "--master_password=a b", "c", "--ping_type=SELECT", "--options=-p 22",
	})
	want := Question{
		Master: Server{Host: "db1", IP: "10.0.0.1", Port: "3307"}, Options: Options{Config: "/c"}, Notes: []string{"not known and not heeded: a word that is no argument"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
