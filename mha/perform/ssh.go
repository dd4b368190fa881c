package perform

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mpp/action/remote"
	"mpp/mha/hook"
)

// askLimit bounds asking ssh for its settings, which it reads from files.
const askLimit = 2 * time.Second

// sshOf is how MHA reaches a server's host, so that what works for MHA works here: ssh itself is
// asked what it would do, with MHA's options and the user's and system's ssh_config.
func sshOf(ctx context.Context, r *hook.Request, s *hook.Server) (remote.Options, error) {
	target := s.SSHTarget()
	if strings.HasPrefix(target, "-") {
		return remote.Options{}, fmt.Errorf("%q is no host to connect to", target)
	}
	args := append([]string{"-G"}, words(r.SSHOptions)...)
	if s.SSH.Port != "" {
		args = append(args, "-p", s.SSH.Port)
	}
	if s.SSH.User != "" {
		args = append(args, "-l", s.SSH.User)
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ssh", append(args, "--", target)...).Output()
	if err != nil {
		return remote.Options{}, fmt.Errorf("ask ssh how it reaches %s: %w", target, err)
	}
	o := readSettings(string(out))
	o.Timeout = sshLimit
	if r.Options.KeyFile != "" {
		o.KeyFile = r.Options.KeyFile
	}
	if r.Options.KnownHosts != "" {
		o.KnownHosts = r.Options.KnownHosts
	}
	switch {
	case o.KeyFile == "":
		return o, fmt.Errorf("reach %s by ssh: none of the keys that ssh would use is there; make one for MHA's user, or name it by --key-file=FILE", target)
	case o.KnownHosts == "":
		return o, fmt.Errorf("reach %s by ssh: there is no known_hosts; log in once by ssh, or name it by --known-hosts=FILE", target)
	}
	return o, nil
}

// readSettings reads what ssh -G prints: the first key and the first known_hosts that are there.
func readSettings(text string) remote.Options {
	var o remote.Options
	for scanner := bufio.NewScanner(strings.NewReader(text)); scanner.Scan(); {
		name, value, _ := strings.Cut(scanner.Text(), " ")
		switch name {
		case "hostname":
			o.Host = value
		case "port":
			o.Port, _ = strconv.Atoi(value)
		case "user":
			o.User = value
		case "identityfile":
			if o.KeyFile == "" {
				o.KeyFile = firstThere([]string{value})
			}
		case "userknownhostsfile", "globalknownhostsfile":
			if o.KnownHosts == "" {
				o.KnownHosts = firstThere(strings.Fields(value))
			}
		}
	}
	return o
}

// firstThere is the first of the files that is a regular one, "" for none.
func firstThere(files []string) string {
	home, _ := os.UserHomeDir()
	for _, file := range files {
		file = strings.Trim(file, `"`)
		if rest, short := strings.CutPrefix(file, "~/"); short {
			file = filepath.Join(home, rest)
		}
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// words splits options as a shell would that knows blanks and quotes.
func words(text string) []string {
	var all []string
	var word strings.Builder
	quote, begun := rune(0), false
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}
