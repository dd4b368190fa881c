package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"mpp"
	"mpp/demo"
)

func newDemo(e *env) *cobra.Command {
	var (
		o      demo.Options
		engine string
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "a real replicated pool on this machine, to try MPP on",
		Long: `demo starts three real MariaDB (or MySQL) servers in replication, a writer, and an mppd
that watches them; "make demo" runs it. As root each server has a host of its own, made of a
network namespace, and MPP promotes and moves a virtual address (engine native). Elsewhere the
servers listen on loopback addresses, and the demo plays the load balancer that moves the
writes (engine none). The other commands break and mend its servers, numbered 1 to 3, from
another terminal; with hosts, "mpp lab --dir FOLDER" does the same and more.`,
		Example: `  mpp demo up
  mpp demo kill 1`,
	}
	group(cmd, "mpp demo up | down | kill N | freeze N | thaw N | start N | stop-sql N | start-sql N")
	cmd.PersistentFlags().StringVar(&o.Dir, "dir", "", "the demo's `FOLDER`; default mpp-demo-UID in the temporary folder")
	up := &cobra.Command{
		Use: "up", Short: "start the demo; Ctrl-C ends it and removes everything", Args: between(0),
		Long:    "up starts the demo and holds it until Ctrl-C, which removes everything.",
		Example: "  mpp demo up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out, o.Engine = e.sys.Out, mpp.Engine(engine)
			if engine != "" && o.Engine != mpp.EngineNative && o.Engine != mpp.EngineNone {
				return usagef("it may be native or none", "--engine is %q", engine)
			}
			return demo.Up(cmd.Context(), o)
		},
	}
	up.Flags().StringVar(&engine, "engine", "", "`ENGINE` to show: native, which needs root, or none; native where that is possible")
	fixed(up, "engine", "native", "none")
	down := &cobra.Command{
		Use: "down", Short: "remove what a demo left behind that was killed", Args: between(0),
		Long:    "down ends and removes a demo whose \"mpp demo up\" is no longer there to do it.",
		Example: "  mpp demo down",
		RunE: func(*cobra.Command, []string) error {
			o.Out = e.sys.Out
			return demo.Down(o)
		},
	}
	cmd.AddCommand(up, down)
	for _, each := range []struct {
		deed  demo.Deed
		short string
	}{
		{demo.Kill, "kill a server with -9"},
		{demo.Freeze, "stop a server's process, so that it connects and never answers"},
		{demo.Thaw, "let a frozen server go on"},
		{demo.Start, "start a server again, as a replica of the ACTIVE node"},
		{demo.StopSQL, "stop a replica's SQL thread"},
		{demo.StartSQL, "start a replica's threads"},
	} {
		cmd.AddCommand(newDeed(e, &o, each.deed, each.short))
	}
	return cmd
}

func newDeed(e *env, o *demo.Options, deed demo.Deed, short string) *cobra.Command {
	return &cobra.Command{
		Use: string(deed) + " N", Short: short, Args: between(0, "N"),
		Long:      fmt.Sprintf("%s: %s.\nN is its number in the demo, 1 to 3.", deed, short),
		Example:   fmt.Sprintf("  mpp demo %s 1", deed),
		ValidArgs: []string{"1", "2", "3"},
		RunE: func(cmd *cobra.Command, args []string) error {
			usage := "usage: mpp demo " + string(deed) + " N"
			if len(args) == 0 {
				return usagef(usage, "demo %s needs N, a server's number from 1 to %d", deed, demo.Servers)
			}
			number, err := strconv.Atoi(args[0])
			if err != nil || number < 1 || number > demo.Servers {
				return usagef(usage, "%q is no server's number from 1 to %d", args[0], demo.Servers)
			}
			o.Out = e.sys.Out
			return demo.Do(cmd.Context(), *o, deed, number)
		},
	}
}
