// Command mpp is the DBA's command line: it asks mppd how the pools are and tells it what to
// do. Everything is in package cli.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"mpp/cli"
)

func main() { os.Exit(run()) }

func run() int {
	log.SetOutput(io.Discard) // net/http complains there of servers that are none; cli words that itself
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what does not heed the first
	return cli.Run(ctx, cli.OS(), cli.Arguments(os.Args))
}
