package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	faults "mpp/fault"
)

// The bounds of what is read.
const (
	maxFileSize = 16 << 20
	maxFiles    = 1000
)

// Load reads a file, or every *.toml of a folder in the order of their names, with what they
// include. The error is a *Problems with everything that is wrong; there is no configuration
// then.
func Load(path string) (*Config, error) {
	path = filepath.Clean(path)
	l := &loader{config: Default()}
	l.config.Source = path
	l.readAll(path)
	for _, in := range l.inputs {
		l.decodeTop(l.config, in)
	}
	l.config.settle()
	l.config.Defaults.settle()
	for _, in := range l.inputs {
		l.decodePools(l.config, in)
	}
	found := l.problems
	found = append(found, l.config.fillSecrets()...)
	problems, warnings := l.config.Validate()
	if !l.unread { // what is missing may stand in the file that could not be read
		found = append(found, problems...)
	} else {
		found = append(found, withoutMissing(problems)...)
	}
	if found = tidy(found, l.config.Files); len(found) > 0 {
		return nil, &Problems{List: found}
	}
	l.config.Warnings = tidy(append(l.warnings, warnings...), l.config.Files)
	return l.config, nil
}

// CheckText loads a configuration and says in text for people how it is: every problem, or
// "ok: 3 pools, 9 nodes" after the warnings. It reports whether the configuration can be used.
func CheckText(path string) (text string, ok bool) {
	c, err := Load(path)
	if err != nil {
		return err.Error() + "\n", false
	}
	var b strings.Builder
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	nodes := 0
	for i := range c.Pools {
		nodes += len(c.Pools[i].Nodes)
	}
	fmt.Fprintf(&b, "ok: %s, %s\n", count(len(c.Pools), "pool"), count(nodes, "node"))
	return b.String(), true
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// loader reads files and keeps what was found in them.
type loader struct {
	decoder
	config   *Config
	inputs   []input
	warnings []Problem
	// unread says that a file could not be read or parsed.
	unread bool
}

func (l *loader) fail(o Origin, f *fault) {
	l.unread = true
	l.report(o, f)
}

func (l *loader) readAll(path string) {
	if path == "" { // else it would mean the folder that the program was started in
		l.fail(Origin{}, faultf("name a file or a folder of *.toml files", "the name of the configuration is empty"))
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		l.config.Files = []string{path}
		l.fail(Origin{File: path}, faultf("name a file or a folder of *.toml files", "%s", faults.Reason(err)))
		return
	}
	if !info.IsDir() {
		l.readFile(path, true, Origin{File: path})
		return
	}
	files, err := tomlFiles(path)
	switch {
	case err != nil:
		l.config.Files = []string{path}
		l.fail(Origin{File: path}, faultf("let the user that mppd runs as read the folder", "%s", faults.Reason(err)))
	case len(files) == 0:
		l.config.Files = []string{path}
		l.fail(Origin{File: path}, faultf("put at least one there", "the folder holds no *.toml file"))
	}
	for _, f := range files {
		l.readFile(f, true, Origin{File: f})
	}
}

// tomlFiles lists the *.toml files of a folder by name. Hidden ones (an editor's) do not
// count.
func tomlFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".toml") && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	return files, nil
}

// readFile reads a file, and those that it includes if it may. asked is what named it.
func (l *loader) readFile(path string, mayInclude bool, asked Origin) {
	if slices.Contains(l.config.Files, path) {
		return
	}
	if len(l.config.Files) == maxFiles {
		l.fail(asked, faultf("join some of them", "more than %d files", maxFiles))
		return
	}
	l.config.Files = append(l.config.Files, path)
	content, f := readRegular(path)
	if f != nil {
		l.fail(asked, f)
		return
	}
	raw, m, problem := parse(path, content)
	if problem != nil {
		l.unread = true
		l.problems = append(l.problems, *problem)
		return
	}
	in := input{file: path, folder: filepath.Dir(path), raw: raw, mark: m}
	if absolute, err := filepath.Abs(in.folder); err == nil {
		in.folder = absolute
	}
	l.inputs = append(l.inputs, in)
	if include, given := raw["include"]; given {
		l.include(in, include, mayInclude)
	}
}

// parse takes the text of a file apart.
func parse(path, content string) (map[string]any, *mark, *Problem) {
	const hint = "mend it; the rest of this file was not looked at"
	m, line := scan(content)
	if line > 0 {
		return nil, nil, &Problem{File: path, Line: line, Text: fmt.Sprintf("arrays, tables or dotted keys are nested deeper than %d levels", maxDepth), Hint: hint}
	}
	var raw map[string]any
	_, err := toml.Decode(content, &raw)
	if broken := (toml.ParseError{}); errors.As(err, &broken) {
		p := syntaxProblem(content, broken)
		p.File, p.Hint = path, hint
		return nil, nil, &p
	}
	if err != nil {
		return nil, nil, &Problem{File: path, Text: "not TOML: " + err.Error(), Hint: hint}
	}
	return raw, m, nil
}

// syntaxProblem turns an error of the TOML library into a problem. It quotes nothing of a
// line that may hold a password.
func syntaxProblem(content string, broken toml.ParseError) Problem {
	line := broken.Position.Line
	if strings.Contains(broken.Message, `got '\n'`) { // the library is on the next line already
		line = 1 + strings.Count(content[:min(broken.Position.Start, len(content))], "\n")
	}
	lines := strings.Split(content, "\n")
	text := strings.ToLower(lines[max(0, min(line, len(lines))-1)] + broken.LastKey)
	if strings.Contains(text, "pass") || strings.Contains(text, "token") || strings.Contains(text, "pwd") {
		return Problem{Line: line, Text: "not TOML: a text must stand in quotes, on one line (it is not shown here, as it may be a password)"}
	}
	return Problem{Line: line, Key: broken.LastKey, Text: "not TOML: " + strings.TrimSuffix(broken.Message, ".")}
}

// include reads the files that an include names, each pattern's by name.
func (l *loader) include(in input, raw any, may bool) {
	origin := in.origin("include", in.mark.key("include"))
	patterns, ok := textList(raw)
	switch {
	case !may:
		l.report(origin, faultf("include the file from the main file", "an included file cannot include others"))
		return
	case !ok:
		l.report(origin, faultf(`write a pattern such as "conf.d/*.toml", or a list of them`, "%s is not a pattern", show(raw)))
		return
	}
	for _, pattern := range patterns {
		full := pattern
		if !filepath.IsAbs(full) {
			full = filepath.Join(filepath.Dir(in.file), full)
		}
		files, err := filepath.Glob(full)
		switch wild := strings.ContainsAny(pattern, "*?["); {
		case err != nil || pattern == "":
			l.fail(origin, faultf(`write a pattern such as "conf.d/*.toml"`, "%q is not a pattern", pattern))
		case len(files) == 0 && !wild:
			l.fail(origin, faultf("create the file, or take it out of the list", "%s does not exist", full))
		case len(files) == 0:
			l.warnings = append(l.warnings, Problem{File: origin.File, Line: origin.Line, Key: origin.Key, Text: fmt.Sprintf("%q matches no file", pattern)})
		}
		for _, f := range files {
			if !strings.HasPrefix(filepath.Base(f), ".") {
				l.readFile(f, false, origin)
			}
		}
	}
}

// textList takes a text or a list of texts.
func textList(raw any) ([]string, bool) {
	switch v := raw.(type) {
	case string:
		return []string{v}, true
	case []any:
		list := make([]string, 0, len(v))
		for _, one := range v {
			text, ok := one.(string)
			if !ok {
				return nil, false
			}
			list = append(list, text)
		}
		return list, true
	default:
		return nil, false
	}
}
