package remote

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Check implements Host: it logs in anew, because a connection that is open says nothing of a key that was
// removed since, and tries a command and root's rights.
func (h *SSH) Check(ctx context.Context) []string {
	ctx, cancel := bounded(ctx, 2*h.o.Timeout)
	defer cancel()
	var wrong []string
	if info, err := os.Stat(h.o.KeyFile); err == nil && info.Mode().Perm()&0o077 != 0 {
		wrong = append(wrong, fmt.Sprintf("%s: others than its owner can use it; chmod 600 would do", h.o.KeyFile))
	}
	l, err := h.connect(ctx)
	if err != nil {
		return append(wrong, err.Error())
	}
	l.close()
	return append(wrong, checkRoot(ctx, h, fmt.Sprintf("user %s is not root there: sudo = true would do it", h.o.User))...)
}

// checkRoot tries a command, and whether it runs as root.
func checkRoot(ctx context.Context, h Host, advice string) []string {
	out, err := h.Run(ctx, "id -u")
	switch id := strings.TrimSpace(out.Stdout); {
	case err != nil:
		return []string{err.Error()}
	case out.Exit != 0:
		return []string{fmt.Sprintf("%s: commands do not work: %s", h, out.LastLine())}
	case id != "0":
		return []string{fmt.Sprintf("%s: commands do not run as root; %s", h, advice)}
	}
	return nil
}
