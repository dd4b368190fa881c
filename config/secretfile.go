package config

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	faults "mpp/fault"
)

// maxSecretFile bounds a file that holds a password, token or option group.
const maxSecretFile = 64 << 10

// readRegular reads a regular file of bounded size; it never waits for a pipe or a device.
func readRegular(path string) (string, *fault) {
	content, _, f := readWithMode(path, maxFileSize)
	return content, f
}

func readWithMode(path string, limit int64) (string, fs.FileMode, *fault) {
	opened, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", 0, faultf("create it, or mend its name, and let the user that mppd runs as read it", "cannot open %s: %s", path, faults.Reason(err))
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return "", 0, faultf("look at the file system", "cannot look at %s: %s", path, faults.Reason(err))
	}
	if !info.Mode().IsRegular() {
		return "", 0, faultf("name a file", "%s is not a regular file", path)
	}
	content, err := io.ReadAll(io.LimitReader(opened, limit+1))
	if err != nil {
		return "", 0, faultf("look at the file system", "cannot read %s: %s", path, faults.Reason(err))
	}
	if int64(len(content)) > limit {
		return "", 0, faultf(fmt.Sprintf("use at most %d KiB", limit/kib), "%s is too large", path)
	}
	return string(content), info.Mode(), nil
}

// readPrivate reads a file that others must not read or write.
func readPrivate(path string) (string, *fault) {
	if _, err := os.Stat(path); err != nil { // not named: it may be a password, put where it does not belong
		return "", faultf("create it, or mend its name (a relative one counts from the folder of this file), and let the user that mppd runs as read it", "cannot open the file that it names: %s", faults.Reason(err))
	}
	content, mode, f := readWithMode(path, maxSecretFile)
	if f != nil {
		return "", f
	}
	if open := mode.Perm() & 0o007; open != 0 {
		return "", faultf(fmt.Sprintf("run: chmod %04o %s", mode.Perm()&^0o007&0o640, path), "%s is open to every user (mode %04o)", path, mode.Perm())
	}
	return content, nil
}

// readSecret reads a file that holds one secret and nothing else but one line end.
func readSecret(path string) (Secret, *fault) {
	content, f := readPrivate(path)
	if f != nil {
		return Secret{}, f
	}
	content = strings.TrimSuffix(strings.TrimSuffix(content, "\n"), "\r")
	switch {
	case content == "":
		return Secret{}, faultf("write the secret into it", "%s is empty", path)
	case strings.ContainsAny(content, "\n\r\x00"):
		return Secret{}, faultf("leave nothing but the secret in it", "%s holds more than one line", path)
	}
	return NewSecret(content), nil
}
