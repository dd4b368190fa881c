package perform

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// The levels of lines, as MHA spells them.
const (
	info    = "info"
	warning = "warning"
	failed  = "error"
)

// journal writes lines in the manner of MHA's log.
type journal struct {
	mu   sync.Mutex
	w    io.Writer
	name string
}

// say writes one line. What cannot be written is lost: no failover waits for a log.
func (j *journal) say(level, format string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _ = fmt.Fprintf(j.w, "%s - [%s] mpp %s: %s\n", time.Now().Format("Mon Jan 02 15:04:05.000 2006"), level, j.name, text)
}
