package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mpp"
)

const (
	// followEvery is how often an operation is looked at while it is watched.
	followEvery = 100 * time.Millisecond
	// followTimeout bounds one look, so that a daemon that is stuck is told soon.
	followTimeout = 2 * time.Second
	// followPatience is for how long a daemon may be away: long enough for its restart, after
	// which it finishes or undoes what was under way.
	followPatience = time.Minute
)

// operating is a command that starts an operation and watches it.
type operating struct {
	*env
	json, noWait bool
}

// flags adds what every such command has.
func (o *operating) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "return as soon as it has started")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the outcome as JSON, and no progress")
}

// run has an operation started and tells it until it ends.
func (o *operating) run(ctx context.Context, v *mpp.View, ord order) error {
	result, err := o.hand(ctx, ord)
	if err != nil {
		return err
	}
	d := o.drawing(v, false)
	watch := result.Done && result.Operation != 0 && !o.noWait
	switch {
	case o.json && !watch:
		err = o.printJSON(result)
	case result.Plan != nil:
		err = o.print(d.plan(result.Plan, result.Statements))
	case result.Done && !watch:
		err = o.print(resultText(result) + started(ord, result))
	}
	if err != nil {
		return err
	}
	if !result.Done {
		return refusal(ord, result)
	}
	if !watch {
		return nil
	}
	p, err := poolOf(v, ord.pool)
	if err != nil {
		return err
	}
	return o.follow(ctx, newProgress(d, p), &mpp.Operation{ID: result.Operation, Kind: mpp.OperationKind(ord.command.Verb), Pool: ord.pool})
}

// started says how to see what a command has started, "" when it started nothing.
func started(ord order, r mpp.Result) string {
	if r.Operation == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d is under way: mpp failovers show %d --pool %s\n", ord.command.Verb, r.Operation, r.Operation, ord.pool)
}

// follow tells an operation until it ends. With the end of ctx it stops to watch; the operation
// goes on.
func (o *operating) follow(ctx context.Context, t *progress, op *mpp.Operation) error {
	o.timeout = min(o.timeout, followTimeout)
	var away time.Time // since when the daemon does not answer
	for {
		now, err := asked(ctx, o.env, func(ctx context.Context, c Client) (*mpp.Operation, error) {
			return c.Operation(ctx, op.Pool, op.ID)
		})
		switch {
		case ctx.Err() != nil:
			return goesOn(op, "interrupted")
		case err == nil:
			op, away = now, time.Time{}
			if err := o.tell(t, op); err != nil || !op.Ended.IsZero() {
				return err
			}
		case away.IsZero():
			away = time.Now()
			fmt.Fprintf(o.sys.Err, "mpp: lost sight of %s, looking again: %s\n", title(op), clean(o.judge(err).text))
		case time.Since(away) > followPatience:
			f := *o.judge(err)
			f.hint = "how " + title(op) + " goes on or ended is not known: " + howToSee(op)
			return &f
		}
		if !pause(ctx, followEvery) {
			return goesOn(op, "interrupted")
		}
	}
}

// tell prints what is new, and the outcome when it has ended; an operation that was not
// completed is exit code 1.
func (o *operating) tell(t *progress, op *mpp.Operation) error {
	over := !op.Ended.IsZero()
	var err error
	switch {
	case o.json && over:
		err = o.printJSON(op)
	case o.json:
	case over:
		err = o.print(t.news(op) + t.end(op))
	default:
		err = o.print(t.news(op))
	}
	if err == nil && over && op.Outcome != mpp.Completed {
		err = notOK()
	}
	return err
}

// goesOn ends the watching of an operation that has not ended.
func goesOn(op *mpp.Operation, why string) error {
	return &failure{
		code: ExitInterrupted, text: fmt.Sprintf("%s: nobody watches any more; %s goes on", why, title(op)),
		hint: "how it is: " + howToSee(op) + ", or mpp status " + op.Pool,
	}
}
