package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rewrite asks for the transcripts to be rewritten: go test ./cli -update.
func rewrite() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the transcripts in testdata and docs/cli.md")
	os.Exit(m.Run())
}

// stage is what a transcript runs on: directives change it.
type stage struct {
	t    *testing.T
	dial func(Target) (Client, error)
	size Size
	tty  bool
	env  map[string]string
}

func newStage(t *testing.T) *stage {
	return &stage{t: t, dial: dialler(t, "healthy"), env: map[string]string{"USER": "ada"}}
}

// direct applies a directive: "world NAME", "terminal WxH", "pipe", "env K=V".
func (s *stage) direct(line string) {
	s.t.Helper()
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch verb {
	case "world":
		s.dial = dialler(s.t, rest)
	case "terminal":
		if _, err := fmt.Sscanf(rest, "%dx%d", &s.size.Width, &s.size.Height); err != nil {
			s.t.Fatalf("directive %q: %v", line, err)
		}
		s.tty = true
	case "pipe":
		s.tty = false
	case "env":
		key, value, _ := strings.Cut(rest, "=")
		s.env[key] = value
	default:
		s.t.Fatalf("there is no directive %q", line)
	}
}

// system is a System on the stage, with its outputs.
func (s *stage) system() (sys System, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	return System{
		In: strings.NewReader(""), Out: out, Err: err,
		Getenv: func(name string) string { return s.env[name] },
		Now:    moment, Zone: zone(),
		Terminal: func() (Size, bool) { return s.size, s.tty },
		Dial:     s.dial,
		Build:    "go1.26.0, linux/amd64",
	}, out, err
}

// run runs a command line and returns what a person would see.
func (s *stage) run(line string) string {
	s.t.Helper()
	args := split(s.t, line)
	if len(args) == 0 || args[0] != "mpp" {
		s.t.Fatalf("%q does not run mpp", line)
	}
	sys, out, errs := s.system()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	code := Run(ctx, sys, args[1:])
	text := strings.ReplaceAll(out.String()+errs.String(), "\x1b", "␛")
	if code != 0 {
		text += fmt.Sprintf("[exit code %d]\n", code)
	}
	return strings.TrimRight(text, "\n") + "\n"
}

// split splits a command line into words, with single and double quotes.
func split(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for _, m := range regexp.MustCompile(`"[^"]*"|'[^']*'|[^\s"']+(?:["'][^"']*["'])?`).FindAllString(line, -1) {
		words = append(words, strings.NewReplacer(`"`, "", `'`, "").Replace(m))
	}
	return words
}

// play runs every "$ " line of a script and returns the script with the output seen.
// Lines that start with directive change the stage; those that end says end an output.
func play(s *stage, script string, directive func(string) (string, bool), ends func(string) bool) string {
	var b strings.Builder
	running := false
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		command, isCommand := strings.CutPrefix(line, "$ ")
		what, isDirective := directive(line)
		switch {
		case isCommand:
			if running {
				b.WriteByte('\n')
			}
			running = true
			b.WriteString(line + "\n" + s.run(command))
			continue
		case isDirective:
			s.direct(what)
		case !ends(line) && running:
			continue
		}
		if running && !strings.HasPrefix(line, "```") {
			b.WriteByte('\n')
		}
		running = false
		b.WriteString(line + "\n")
	}
	return b.String()
}

func compareFile(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if rewrite() && got != string(want) {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is no longer true (go test ./cli -update rewrites it): -file +now\n%s", name, diff)
	}
}

func TestTranscriptsHold(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("find transcripts: %v, %d files", err, len(files))
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := play(newStage(t), string(script),
				func(line string) (string, bool) { return strings.CutPrefix(line, "> ") },
				func(line string) bool { return strings.HasPrefix(line, "# ") })
			compareFile(t, name, got)
		})
	}
}
