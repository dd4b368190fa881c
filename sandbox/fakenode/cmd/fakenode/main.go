// Command fakenode runs many fake MariaDB servers on loopback addresses, for trying out MPP
// with more nodes than a machine has room for. It prints one line a node, and ends with Ctrl-C.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"mpp/sandbox/fakenode"
)

func main() { os.Exit(run()) }

func run() int {
	var o fakenode.FleetOptions
	flag.IntVar(&o.Nodes, "nodes", 10, "how many nodes in all")
	flag.IntVar(&o.Dead, "dead", 0, "how many of them refuse connections")
	flag.IntVar(&o.Hung, "hung", 0, "how many of them accept connections and never answer")
	flag.IntVar(&o.Slow, "slow", 0, "how many of them answer 100 ms late")
	flag.StringVar(&o.Source, "source", "", "host:port that every node says it replicates from (default: none)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f, err := fakenode.StartFleet(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer f.Close()
	for _, m := range f.Members() {
		fmt.Println(m.Address, m.Behaviour)
	}
	<-ctx.Done()
	return 0
}
