package vip_test

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mpp/action/remotetest"
)

// TestClientsOfAnAddressThatGoesAreReset: what is connected notices at once that the address has gone, also
// where the server has not ended the session; connections to other addresses go on.
func TestClientsOfAnAddressThatGoesAreReset(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{})
	for node, client := range map[string]string{db1: here, here: db1} {
		s.mustAdd(t, node)
		own := strings.TrimSuffix(node, ":3306")
		serve(t, node)
		ends := map[string]<-chan string{}
		for _, address := range []string{vip4, own} {
			ends[address] = connected(t, client, address)
		}
		s.mustRemove(t, node)
		select {
		case said := <-ends[vip4]:
			if !strings.Contains(said, "reset by peer") {
				t.Errorf("%s: the client of the address ended with %q", node, said)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the client of the address was not told", node)
		}
		select {
		case said := <-ends[own]:
			t.Errorf("%s: the client of another address was ended: %q", node, said)
		default:
		}
	}
}

// serve lets a server accept connections on a node's host, on all addresses, and say hello and nothing more.
func serve(t *testing.T, node string) {
	t.Helper()
	const server = `use IO::Socket::IP; my $s = IO::Socket::IP->new(LocalHost => "::", LocalPort => 7001, Listen => 5, V6Only => 0, ReuseAddr => 1) or die; $| = 1; print "up\n"; my @c; while (1) { my $c = $s->accept; $c->syswrite("hello\n"); push @c, $c }`
	lines := background(t, node, "perl", "-e", server)
	if line := <-lines; line != "up" {
		t.Fatalf("the server said %q", line)
	}
}

// connected connects from a node's host, and returns how that ends, once it has.
func connected(t *testing.T, from, address string) <-chan string {
	t.Helper()
	const client = `use IO::Socket::IP; $| = 1; my $c = IO::Socket::IP->new(PeerHost => shift, PeerPort => 7001) or die; while (1) { my $n = $c->sysread(my $b, 100); if (!defined $n) { print "$!\n"; last } if (!$n) { print "closed\n"; last } print $b }`
	lines := background(t, from, "perl", "-e", client, address)
	if line := <-lines; line != "hello" {
		t.Fatalf("the client of %s said %q", address, line)
	}
	return lines
}

// background runs a program on a node's host until the test ends, and returns its lines.
func background(t *testing.T, node string, argv ...string) <-chan string {
	t.Helper()
	if netns := map[string]string{db1: "1", db2: "2"}[node]; netns != "" {
		argv = append([]string{"ip", "netns", "exec", netns}, argv...)
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := make(chan string, 10)
	go func() {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	return lines
}
