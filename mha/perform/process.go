package perform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is one process, told from a later one of the same number by when it began.
type process struct {
	PID   int    `json:"pid,omitempty"`
	Began string `json:"began,omitempty"` // in the kernel's clock ticks since boot
}

// self is this process.
func self() process { return processOf(os.Getpid()) }

func processOf(pid int) process {
	_, fields, err := statOf(pid)
	if err != nil {
		return process{}
	}
	return process{pid, fields[statBegan]}
}

// Of /proc/PID/stat, counted from behind the name.
const (
	statState  = 0
	statParent = 1
	statBegan  = 19
)

// statOf reads a process's name and what follows it in /proc/PID/stat.
func statOf(pid int) (name string, fields []string, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", nil, err
	}
	open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if open < 0 || end < open {
		return "", nil, errors.New("not as the kernel writes it")
	}
	fields = strings.Fields(string(text[end+1:]))
	if len(fields) <= statBegan {
		return "", nil, errors.New("not as the kernel writes it")
	}
	return string(text[open+1 : end]), fields, nil
}

// alive reports whether the process still runs.
func (p process) alive() bool {
	if p.PID == 0 {
		return false
	}
	_, fields, err := statOf(p.PID)
	return err == nil && fields[statBegan] == p.Began && fields[statState] != "Z" && fields[statState] != "X"
}

// maxAncestors bounds the way up.
const maxAncestors = 20

// caller is the process of MHA that has called: the nearest ancestor with MHA's name, or else the
// nearest that is no shell.
func caller() process {
	other := 0
	pid := os.Getppid()
	for range maxAncestors {
		name, fields, err := statOf(pid)
		if err != nil || pid <= 1 {
			break
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(line), "masterha_") && !isShell(name) {
			return process{pid, fields[statBegan]}
		}
		if other == 0 && !isShell(name) {
			other = pid
		}
		parent, _ := strconv.Atoi(fields[statParent])
		pid = parent
	}
	if other == 0 {
		other = os.Getppid()
	}
	return processOf(other)
}

func isShell(name string) bool {
	return slices.Contains([]string{"sh", "dash", "bash", "ksh", "zsh", "busybox", "timeout", "sudo", "nice"}, name)
}

// lookEvery is how often somebody looks whether the other call has come meanwhile.
const lookEvery = 200 * time.Millisecond

// ended waits until the process has ended, the wait is over, or stop says so.
func (p process) ended(ctx context.Context, limit time.Duration, stop func() bool) bool {
	end := time.Now().Add(limit)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for p.alive() {
		if !time.Now().Before(end) || stop() {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}
