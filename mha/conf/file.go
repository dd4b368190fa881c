package conf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"mpp/fault"
)

// maxFileSize bounds what is read.
const maxFileSize = 1 << 20

// read reads a file, and never waits for a pipe or a device.
func (r *reporter) read(file string) string {
	content, err := readRegular(file)
	if err != nil {
		r.fail(fault.Origin{File: file}, "", err.Error(), "name MHA's file of an application, and let this user read it")
	}
	return content
}

func readRegular(file string) (string, error) {
	opened, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", errors.New(fault.Reason(err))
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return "", errors.New(fault.Reason(err))
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	content, err := io.ReadAll(io.LimitReader(opened, maxFileSize+1))
	if err != nil {
		return "", errors.New(fault.Reason(err))
	}
	if len(content) > maxFileSize {
		return "", fmt.Errorf("it is larger than %d KiB", maxFileSize>>10)
	}
	return string(content), nil
}
