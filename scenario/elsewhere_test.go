package scenario_test

import (
	"slices"
	"strings"
	"testing"
)

// proof is a test of another package that shows a part of a line of the list.
type proof struct{ line, what, pkg, test string }

// proofs are what the lab need not repeat.
func proofs() []proof {
	return []proof{
		{"C3", "a target of another version than a replica that would have to follow it, and one without a binary log", "mpp/plan", "TestASwitchoverIsRefusedForEveryReasonThatCanBeSeen"},
		{"C4", "a failure of each step of the plan, and a manager killed at each", "mpp/plan", "TestASwitchoverThatFailsAtAnyStepIsRolledBack"},
		{"C4", "", "mpp/plan", "TestASwitchoverThatIsKilledAtAnyStepIsFinishedOrRolledBack"},
		{"E2", "the address is already there, or already gone", "mpp/action/vip", "TestWhatIsDoneAlreadyIsDoneAgainWithoutHarm"},
		{"E2", "wrong prefix, wrong interface", "mpp/action/vip", "TestAWrongPrefixOrInterfaceIsPutRight"},
		{"E2", "interface, ip or arping missing, sudo refused", "mpp/action/vip", "TestWhatIsMissingIsNamedWithinTheLimit"},
		{"E2", "interface down", "mpp/action/vip", "TestAnInterfaceThatIsDownIsAnError"},
		{"E2", "ssh hanging", "mpp/action/vip", "TestAHostThatHangsHoldsNobodyUpAndDoesNothingLater"},
		{"E2", "sudo", "mpp/action/remote", "TestSudoMakesRootOfAnAccount"},
		{"E4", "every balancer is told no once the data is not fresh", "mpp/cmd/mpp-check", "TestWithoutFreshAndWholeDataEveryBalancerIsToldNo"},
		{"E4", "or the last known, where the operator wants it", "mpp/cmd/mpp-check", "TestLastKnownIsAnsweredWhereTheOperatorWantsIt"},
		{"E4", "keepalived's track files after a kill", "mpp/publish/balancer", "TestAfterAKillTheScriptTurnsTheTrackFilesUnlessTheLastIsWanted"},
		{"E4", "the state files end by themselves", "mpp/publish/statefile", "TestAnswersEndWhenNobodyWritesAnyMore"},
	}
}

// TestTestsThatTheTableRefersToAreThere keeps the page from naming tests that are gone.
func TestTestsThatTheTableRefersToAreThere(t *testing.T) {
	listed := map[string][]string{}
	for _, p := range proofs() {
		if _, asked := listed[p.pkg]; !asked {
			out, err := goTests(p.pkg)
			if err != nil {
				t.Fatalf("list tests of %s: %v\n%s", p.pkg, err, out)
			}
			listed[p.pkg] = strings.Fields(out)
		}
		if !slices.Contains(listed[p.pkg], p.test) {
			t.Errorf("%s: package %s has no test %s", p.line, p.pkg, p.test)
		}
	}
}

// elsewhere is the part of the page that names them.
func elsewhere() string {
	return "## Shown by tests of their own\n\n" + markdown([]string{"id", "what", "test"}, func(add func([]string)) {
		for _, p := range proofs() {
			add([]string{p.line, p.what, "`" + strings.TrimPrefix(p.pkg, "mpp/") + "` " + p.test})
		}
	})
}
