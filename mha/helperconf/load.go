package helperconf

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mpp/fault"
)

// The bounds of what is read.
const (
	maxFileSize = 1 << 20
	maxFiles    = 1000
)

// Load reads every *.conf in and below a folder, by name. The clusters are returned even when
// there is an error, which is of type *fault.Problems and says everything that is wrong in any of
// them. Links to folders are not followed, as MHA Helper did not.
func Load(dir string) ([]Cluster, error) {
	files, problems := find(dir)
	clusters := make([]Cluster, 0, len(files))
	for _, file := range files {
		text, problem := readFile(file)
		if problem != nil {
			clusters = append(clusters, Cluster{File: file, Default: builtIn(file), Problems: []fault.Problem{*problem}})
			continue
		}
		clusters = append(clusters, Read(file, text))
	}
	collide(clusters)
	for i := range clusters {
		problems = append(problems, clusters[i].Problems...)
	}
	return clusters, fault.Join(fault.Sort(problems))
}

// find lists the files, and what is wrong with the folders.
func find(dir string) (files []string, problems []fault.Problem) {
	walk := func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			problems = append(problems, fault.Problem{Origin: fault.Origin{File: path}, Text: fault.Reason(err), Hint: "name the folder of MHA Helper's *.conf files, and let this user read it"})
		case entry.IsDir() || !strings.HasSuffix(entry.Name(), ".conf"):
		case len(files) == maxFiles:
			problems = append(problems, fault.Problem{Origin: fault.Origin{File: dir}, Text: fmt.Sprintf("there are more than %d files", maxFiles), Hint: "one file serves a cluster: take out the others"})
			return fs.SkipAll
		default:
			files = append(files, path)
		}
		return nil
	}
	if err := filepath.WalkDir(dir, walk); err != nil {
		problems = append(problems, fault.Problem{Origin: fault.Origin{File: dir}, Text: fault.Reason(err)})
	}
	if len(files) == 0 && len(problems) == 0 {
		problems = append(problems, fault.Problem{Origin: fault.Origin{File: dir}, Text: "no *.conf file is in it or below it", Hint: "write one for each cluster"})
	}
	return files, problems
}

// readFile reads a regular file of bounded size; it never waits for a pipe or a device.
func readFile(path string) (string, *fault.Problem) {
	at := fault.Origin{File: path}
	opened, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", &fault.Problem{Origin: at, Text: fault.Reason(err), Hint: "let this user read it, or take it away"}
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return "", &fault.Problem{Origin: at, Text: fault.Reason(err)}
	}
	if !info.Mode().IsRegular() {
		return "", &fault.Problem{Origin: at, Text: "it is not a regular file", Hint: "take it away"}
	}
	content, err := io.ReadAll(io.LimitReader(opened, maxFileSize+1))
	switch {
	case err != nil:
		return "", &fault.Problem{Origin: at, Text: fault.Reason(err)}
	case len(content) > maxFileSize:
		return "", &fault.Problem{Origin: at, Text: "it is too large", Hint: fmt.Sprintf("use at most %d KiB", maxFileSize>>10)}
	}
	return string(content), nil
}

// collide warns of hosts that are in two files.
func collide(clusters []Cluster) {
	seen := map[string]*Cluster{}
	for i := range clusters {
		c := &clusters[i]
		for _, h := range c.Hosts {
			first, twice := seen[h.Name]
			if !twice {
				seen[h.Name] = c
				continue
			}
			other, _ := first.Host(h.Name)
			first.Warnings = append(first.Warnings, collision(other, h))
			c.Warnings = append(c.Warnings, collision(h, other))
		}
	}
}

func collision(h, other Host) fault.Problem {
	return fault.Problem{
		Origin: h.At, Key: "[" + h.Name + "]",
		Text: fmt.Sprintf("the host is in %s, too: MHA Helper took the file that it read last; MPP takes the one that has the other hosts of the failover, and none when both have", other.At),
		Hint: "give the two hosts different names, in MHA's configuration, too",
	}
}
