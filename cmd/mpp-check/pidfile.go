package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// pidFile follows the convention of BIG-IP's external monitors: an instance that still runs
// when the next one starts is ended by it. The zero value is none.
type pidFile struct{ path string }

// take ends the instance before and writes this one's pid. A folder that cannot be written
// is no reason not to answer.
func (f *pidFile) take(o options) {
	monitor := filepath.Base(os.Getenv("MON_TMPL_NAME"))
	if monitor == "." || monitor == "/" {
		monitor = o.name
	}
	path := filepath.Join(o.pidDir, clean(monitor)+"."+clean(o.node.Host)+"_"+o.node.Port+".pid")
	if old, err := read(path); err == nil {
		endBefore(strings.TrimSpace(string(old)))
	}
	if os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644) == nil {
		f.path = path
	}
}

// endBefore kills a process, if it is an mpp-check: the number may long be another's.
func endBefore(pid string) {
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 1 || n == os.Getpid() {
		return
	}
	mine, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	if other, err := os.Readlink("/proc/" + pid + "/exe"); err == nil && strings.TrimSuffix(other, " (deleted)") == mine {
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
}

// remove deletes the pid file.
func (f *pidFile) remove() {
	if f.path != "" {
		_ = os.Remove(f.path)
	}
}

// clean makes a text fit for a file's name.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' {
			return '_'
		}
		return r
	}, text)
}
