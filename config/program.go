package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/crypto/ssh"

	faults "mpp/fault"
)

// once looks at a file that many nodes may share, and remembers what is wrong with it.
func (j *judge) once(key string, look func() *fault) *fault {
	f, known := j.looked[key]
	if !known {
		f = look()
		j.looked[key] = f
	}
	if f == nil {
		return nil
	}
	own := *f // whoever reports it may add to its text
	return &own
}

// program says what is wrong with a program that is to be run; an empty path is no program.
func (j *judge) program(path string) *fault {
	return j.once("program "+path, func() *fault { return programFault(path) })
}

// accessRun is X_OK of access(2).
const accessRun = 1

func programFault(path string) *fault {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return faultf("create it, or mend its name (a relative one counts from the folder of this file)", "cannot run %s: %s", path, faults.Reason(err))
	case !info.Mode().IsRegular():
		return faultf("name a program", "%s is not a regular file", path)
	case syscall.Access(path, accessRun) != nil:
		return faultf("run: chmod +x "+path+", and let the user that mppd runs as execute it", "%s is not executable", path)
	case info.Mode().Perm()&0o002 != 0:
		return faultf("run: chmod o-w "+path, "every user of this host may change %s", path)
	}
	return nil
}

// keyFault says what is wrong with a private key of ssh; an empty path is no key.
func keyFault(path string) *fault {
	if path == "" {
		return nil
	}
	content, f := readPrivate(path)
	if f != nil {
		return f
	}
	_, err := ssh.ParseRawPrivateKey([]byte(content))
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return faultf("take it off with ssh-keygen -p -N '' -f "+path+", or name another key", "%s has a passphrase, which nobody can type at night", path)
	case err != nil: // what the library says might quote the file
		return faultf("name a private key, such as one made by ssh-keygen -t ed25519", "%s is not a private key of ssh", path)
	}
	return nil
}

// knownFault says what is wrong with a file of known hosts; an empty path is none.
func knownFault(path string) *fault {
	if path == "" {
		return nil
	}
	content, f := readRegular(path)
	if f != nil {
		return f
	}
	const hint = "write it with ssh-keyscan, and compare the fingerprints with those on the hosts"
	rest := []byte(content)
	for hosts := 0; ; hosts++ {
		_, _, _, _, after, err := ssh.ParseKnownHosts(rest)
		switch {
		case errors.Is(err, io.EOF) && hosts == 0:
			return faultf(hint, "%s holds no host", path)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			line := 1 + bytes.Count([]byte(content[:len(content)-len(rest)]), []byte("\n"))
			return faultf(hint, "%s cannot be read from line %d on", path, line)
		}
		rest = after
	}
}
