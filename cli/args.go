package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mpp"
)

// completionTimeout bounds what the Tab key may cost; a daemon that is away completes
// nothing, in silence.
const completionTimeout = 300 * time.Millisecond

// exactly wants one argument a name and says which is missing.
func exactly(names ...string) cobra.PositionalArgs {
	return between(len(names), names...)
}

// between wants the first least of the named arguments, and no more than named.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "usage: " + cmd.UseLine()
		if len(args) < least {
			return usagef(hint, "%s needs a %s", wordsOf(cmd), names[len(args)])
		}
		if len(args) > len(names) {
			return usagef(hint, "%s does not take %q", wordsOf(cmd), args[len(names)])
		}
		return nil
	}
}

// wordsOf is a command as it is typed after mpp.
func wordsOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	each := func(f *pflag.Flag) { names = append(names, f.Name) }
	cmd.Flags().VisitAll(each)
	cmd.InheritedFlags().VisitAll(each)
	return names
}

type completer = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective)

// fixed completes a flag with fixed words.
func fixed(cmd *cobra.Command, flag string, words ...string) {
	completes(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completes sets a flag's completion. It fails only for a flag that is not there, which is a
// programmer's error.
func completes(cmd *cobra.Command, flag string, f completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

// suggestions asks the daemon for what could be meant.
func (e *env) suggestions(ctx context.Context, of func(*mpp.View) []cobra.Completion) ([]cobra.Completion, cobra.ShellCompDirective) {
	if ctx == nil {
		ctx = context.Background()
	}
	e.timeout = min(e.timeout, completionTimeout)
	v, err := e.view(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return of(v), cobra.ShellCompDirectiveNoFileComp
}

func poolWords(v *mpp.View) []cobra.Completion {
	words := make([]cobra.Completion, 0, len(v.Pools))
	for i := range v.Pools {
		p := &v.Pools[i]
		words = append(words, cobra.CompletionWithDesc(p.Name, clean("pool, "+p.Status.String()+", "+writers(p))))
	}
	return words
}

// nodeWords offers each node by its label, which is short and has no colon to trouble a
// shell, and by its address when it has none, when another node has the same, or when the
// word typed so far is the beginning of an address.
func nodeWords(v *mpp.View, typed string) []cobra.Completion {
	labels := map[string]int{}
	for i := range v.Pools {
		for j := range v.Pools[i].Nodes {
			labels[label(&v.Pools[i].Nodes[j])]++
		}
	}
	var words []cobra.Completion
	for i := range v.Pools {
		for j := range v.Pools[i].Nodes {
			n := &v.Pools[i].Nodes[j]
			word := label(n)
			if word == "" || labels[word] > 1 || (typed != "" && startsWith(n.Address, typed)) {
				word = n.Address
			}
			words = append(words, cobra.CompletionWithDesc(word, string(n.Type)+", "+n.State.Text(n.Reason)+", pool "+clean(n.Pool)))
		}
	}
	return words
}

// completePools completes any number of pools.
func (e *env) completePools(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return e.suggestions(cmd.Context(), poolWords)
}

// first completes the first argument only.
func first(f completer) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, word)
	}
}

// completeNodes completes nodes, those that suit only; suits may be nil.
func (e *env) completeNodes(suits func(*mpp.NodeView) bool) completer {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return e.suggestions(cmd.Context(), func(v *mpp.View) []cobra.Completion {
			return nodeWords(suitable(v, suits), typed)
		})
	}
}

func (e *env) completeBoth(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return e.suggestions(cmd.Context(), func(v *mpp.View) []cobra.Completion {
		return append(poolWords(v), nodeWords(v, typed)...)
	})
}

// suitable is the view with only the nodes that suit.
func suitable(v *mpp.View, suits func(*mpp.NodeView) bool) *mpp.View {
	if suits == nil {
		return v
	}
	out := &mpp.View{}
	for i := range v.Pools {
		p := mpp.PoolView{Name: v.Pools[i].Name}
		for j := range v.Pools[i].Nodes {
			if n := &v.Pools[i].Nodes[j]; suits(n) {
				p.Nodes = append(p.Nodes, *n)
			}
		}
		out.Pools = append(out.Pools, p)
	}
	return out
}

// poolFlag adds --pool with completion.
func (e *env) poolFlag(cmd *cobra.Command, into *string, usage string) {
	cmd.Flags().StringVar(into, "pool", "", usage)
	completes(cmd, "pool", e.completePools)
}
