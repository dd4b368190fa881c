package action

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"mpp/action/remote"
)

// binlogEnd finds the last binary log of a server on its host, and its size in bytes. base is
// log_bin_basename; the server need not run.
func binlogEnd(ctx context.Context, h remote.Host, base string) (log string, size uint64, err error) {
	if base == "" {
		return "", 0, fmt.Errorf("%s: where the binary log is is not known", h)
	}
	out, err := h.Run(ctx, "f=$(ls -1 "+remote.Quote(base)+".[0-9]* | sort -V | tail -n 1) && stat -c '%s %n' \"$f\"")
	if err != nil {
		return "", 0, err
	}
	if out.Exit != 0 {
		return "", 0, fmt.Errorf("%s: find the end of the binary log: %s", h, out.LastLine())
	}
	bytes, name, found := strings.Cut(strings.TrimSpace(out.Stdout), " ")
	size, err = strconv.ParseUint(bytes, 10, 64)
	if err != nil || !found {
		return "", 0, fmt.Errorf("%s: find the end of the binary log: odd answer %q", h, out.Stdout)
	}
	return path.Base(name), size, nil
}
