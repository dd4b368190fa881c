package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp/config"
	"mpp/journal"
	"mpp/policy"
	"mpp/pool"
	"mpp/replay"
)

// replayFlags are what mpp replay can be told.
type replayFlags struct {
	from, config, save string
	verify             bool
}

// recordTimeout bounds the reading of what the daemon kept unless --timeout does: 15 minutes
// of thousands of nodes are many megabytes.
const recordTimeout = time.Minute

func newReplay(e *env) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay FILE... | --from TIME",
		Short: "play polls again through the daemon's own rules",
		Long: `replay feeds polls through the very rules that the daemon runs, and prints what they
decide as JSON lines. What it plays is

  a file of histories, one JSON object a line (docs/replay.md): prints each cycle's states;
  a recording that --save made, or a journal folder (mppd's state_dir): prints each event;
  --from TIME: what the running daemon kept since then, such as --from "10m ago".

--config plays it under the rules of another configuration: what would MPP have done? A
recording in a file and a journal need it, for they hold the polls and not the rules.
--verify prints nothing: it compares with what a history expects, or with the states that the
daemon had. Exit code 1: a difference, said with its place; nothing to play, or to compare.`,
		Example: `  mpp replay --from "10m ago"
  mpp replay --from 02:55 --save incident.jsonl
  mpp replay --config calmer.toml incident.jsonl
  mpp replay --verify histories/*.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				e.timeout = recordTimeout
			}
			return e.replay(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "play what the daemon kept since `TIME`: 10m ago, 02:55, or in full")
	flags.StringVar(&f.config, "config", "", "play under the rules of this configuration `PATH`")
	flags.StringVar(&f.save, "save", "", "with --from: write the recording to `FILE` instead of playing it")
	flags.BoolVar(&f.verify, "verify", false, "compare instead of printing; exit 1 at the first difference")
	return cmd
}

func (e *env) replay(ctx context.Context, f replayFlags, files []string) error {
	hint := "usage: mpp replay FILE... | --from TIME"
	switch {
	case f.from == "" && len(files) == 0:
		return usagef(hint, "replay needs a FILE or --from")
	case f.from != "" && len(files) > 0:
		return usagef(hint, "replay takes files or --from, not both")
	case f.save != "" && f.from == "":
		return usagef(hint, "--save goes with --from")
	case f.save != "" && (f.verify || f.config != ""):
		return usagef(hint, "--save writes the recording and plays nothing: it goes without --verify and --config")
	}
	var rules *config.Config
	if f.config != "" {
		var err error
		if rules, err = config.Load(f.config); err != nil {
			return err
		}
	}
	if f.from != "" {
		return e.replayDaemon(ctx, f, rules)
	}
	for _, name := range files {
		if err := e.replayFile(name, f, rules); err != nil {
			return err
		}
	}
	return nil
}

// replayDaemon plays or saves what the daemon kept.
func (e *env) replayDaemon(ctx context.Context, f replayFlags, rules *config.Config) error {
	from, err := e.parsePast(f.from)
	if err != nil {
		return usagef("", "--from: %v", err)
	}
	c, err := e.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	view, err := c.View(ctx)
	if err != nil {
		return err
	}
	recording, err := c.Record(ctx, from)
	if err != nil {
		return err
	}
	defer recording.Close()
	kept, err := e.keptSince(recording, from, view.Started)
	if err != nil {
		return err
	}
	if f.save != "" {
		return e.saveRecording(f.save, kept)
	}
	policies := map[string]pool.Policy{}
	for i := range view.Pools {
		policies[view.Pools[i].Name] = pool.PolicyOf(&view.Pools[i])
	}
	if rules != nil {
		policies = policiesOf(rules)
	}
	return e.playRecording(journal.NewDecoder(kept), policies, e.replayOptions("the daemon's recording", f), notesAreRegular)
}

// startLimit is how soon after its start mppd has begun to keep polls.
const startLimit = 10 * time.Second

// keptSince says on stderr when a recording begins later than was asked for. It returns the
// recording from its begin.
func (e *env) keptSince(recording io.Reader, from, started time.Time) (io.Reader, error) {
	in := bufio.NewReader(recording)
	head, err := in.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the daemon's recording: %w", err)
	}
	var line journal.Line
	if json.Unmarshal(head, &line) == nil && line.Mark != nil && line.Mark.At.After(from) {
		why := "older ones are dropped: journal.history"
		if line.Mark.At.Sub(started) < startLimit {
			why = "it was started then"
		}
		fmt.Fprintf(e.sys.Err, "mpp: mppd keeps polls since %s only (%s)\n", e.moment(line.Mark.At), why)
	}
	return io.MultiReader(bytes.NewReader(head), in), nil
}

// saveRecording writes a recording to a file that is not there yet.
func (e *env) saveRecording(name string, recording io.Reader) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("save recording: %w", err)
	}
	n, err := io.Copy(file, recording)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("save recording: %w", errors.Join(err, os.Remove(name)))
	}
	return e.print(fmt.Sprintf("%s: %d bytes; play it with: mpp replay --config PATH %s\n", clean(name), n, clean(name)))
}

func (e *env) replayOptions(name string, f replayFlags) replay.Options {
	return replay.Options{Name: name, Verify: f.verify, Out: e.sys.Out}
}

func policiesOf(c *config.Config) map[string]pool.Policy {
	policies := make(map[string]pool.Policy, len(c.Pools))
	for _, p := range c.Pools {
		policies[p.Name] = policy.Of(p)
	}
	return policies
}

// replayFile plays one file or journal folder.
func (e *env) replayFile(name string, f replayFlags, rules *config.Config) error {
	o := e.replayOptions(name, f)
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if info.IsDir() {
		if rules == nil {
			return needsRules(name)
		}
		next, stop := iter.Pull2(journal.Lines(name, journal.Query{}))
		defer stop()
		return e.playRecording(pulled{next}, policiesOf(rules), o, "a journal's are its snapshots, which are rare; a recording of --save has one a minute")
	}
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	defer file.Close()
	in := bufio.NewReader(file)
	if !isRecording(in) {
		return e.playHistories(in, o, rules)
	}
	if rules == nil {
		return needsRules(name)
	}
	return e.playRecording(journal.NewDecoder(in), policiesOf(rules), o, notesAreRegular)
}

func needsRules(name string) error {
	return usagef("such as: mpp replay --config /etc/mpp/mpp.toml "+name, "%s is a recording: it holds polls and not rules; give --config", name)
}

// isRecording tells a recording from histories by the first key of the first line.
func isRecording(in *bufio.Reader) bool {
	start, _ := in.Peek(64)
	text := strings.TrimLeft(string(start), " \t\r\n{")
	return strings.HasPrefix(text, `"mark"`) || strings.HasPrefix(text, `"input"`)
}

// pulled makes replay.Lines of an iterator.
type pulled struct {
	next func() (journal.Line, error, bool)
}

// Next returns the next line, or io.EOF.
func (p pulled) Next() (journal.Line, error) {
	line, err, more := p.next()
	if !more {
		return journal.Line{}, io.EOF
	}
	return line, err
}

func (e *env) playHistories(in io.Reader, o replay.Options, rules *config.Config) error {
	if rules != nil {
		o.Policy = func(p pool.Policy) (pool.Policy, error) { return underRules(p, rules) }
	}
	count, err := replay.Histories(in, o)
	if err != nil {
		return differs(err)
	}
	if count == 0 {
		return nothingToPlay(o)
	}
	if o.Verify {
		return e.print(fmt.Sprintf("%s: histories as expected: %d\n", clean(o.Name), count))
	}
	return nil
}

// underRules puts the rules of a configured pool on a history's nodes: the pool of the same
// name, or the only one there is.
func underRules(p pool.Policy, rules *config.Config) (pool.Policy, error) {
	i := slices.IndexFunc(rules.Pools, func(c config.Pool) bool { return c.Name == p.Name })
	if i < 0 && len(rules.Pools) == 1 {
		i = 0
	}
	if i < 0 {
		return p, fmt.Errorf("%s has no pool %s; name it so, or give a configuration with a single pool", rules.Source, p.Name)
	}
	wanted := policy.Of(rules.Pools[i])
	wanted.Name, wanted.Nodes = p.Name, p.Nodes
	return wanted, nil
}

// notesAreRegular says when a recording holds states to compare with.
const notesAreRegular = "mppd notes them about once a minute: ask again later, or from earlier on"

// playRecording plays a recording; notes says where the states are that it is compared with.
func (e *env) playRecording(lines replay.Lines, policies map[string]pool.Policy, o replay.Options, notes string) error {
	s, err := replay.Recording(lines, policies, o)
	if err != nil {
		return differs(err)
	}
	for _, damage := range s.Damage {
		fmt.Fprintf(e.sys.Err, "mpp: %s: %s\n", clean(o.Name), clean(damage))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Unknown)) {
		fmt.Fprintf(e.sys.Err, "mpp: %s: pool %s is left out: the configuration does not have it\n", clean(o.Name), clean(name))
	}
	switch {
	case s.Inputs == 0:
		return nothingToPlay(o)
	case !o.Verify:
		return nil
	case s.Compared == 0:
		return &failure{
			code: ExitNotOK, text: o.Name + ": nothing was compared: it holds no states that the daemon noted after the first poll",
			hint: notes,
		}
	}
	summary, err := json.Marshal(map[string]any{"inputs": s.Inputs, "events": s.Events, "compared": s.Compared})
	if err != nil {
		return fmt.Errorf("encode summary: %w", err)
	}
	return e.print(fmt.Sprintf("%s: as the daemon decided: %s\n", clean(o.Name), summary))
}

// nothingToPlay is the answer to an input without a poll, or without one of a configured pool.
func nothingToPlay(o replay.Options) error {
	text := "nothing to play in " + o.Name
	if o.Verify {
		text += ": nothing was compared"
	}
	return &failure{code: ExitNotOK, text: text}
}

// differs gives a difference its exit code.
func differs(err error) error {
	if errors.Is(err, replay.ErrDiffers) {
		return &failure{code: ExitNotOK, text: err.Error()}
	}
	return err
}
