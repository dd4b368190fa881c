package native

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"mpp"
	"mpp/replication"
)

// saver writes the wanted transactions of a binary log's text, for people to read and for the
// client program to execute: without their GTIDs, since the writer has gone on with others.
type saver struct {
	w       *wanted
	out     *bufio.Writer
	mariaDB bool

	state          carry
	isolation      []byte
	domain, server uint32
	on             bool // the present transaction is wanted
}

func (x *saver) header(step mpp.Step) {
	// Errors stay with the writer until it is flushed.
	_, _ = fmt.Fprintf(x.out, "-- Transactions that only %s has: %s\n"+
		"-- They are written down without their GTIDs: executed on the writer by the client program,\n"+
		"-- with --binary-mode, they become new transactions. Read them first: what they do may have\n"+
		"-- been done again since.\nDELIMITER /*!*/;\n", step.Node, step.GTID)
}

// run reads a text to its end.
func (x *saver) run(r io.Reader) error {
	text := newSplitter(r)
	text.keep = true
	for {
		statement, err := text.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		x.take(classify(statement), text.comments)
	}
}

// take takes one statement with the comments before it.
func (x *saver) take(e event, comments []byte) {
	switch e.kind {
	case kindClient:
	case kindFormat:
		x.write(e.text)
		if !x.mariaDB {
			x.write([]byte(replication.AutomaticSQL))
		}
	case kindState:
		if !bytes.Contains(e.text, []byte("original_")) && !bytes.Contains(e.text, []byte("immediate_")) {
			x.state.add(e.text) // but for who committed it first, and when
		}
	case kindIsolation:
		x.isolation = e.text
	case kindGTID:
		x.next(e)
	case kindRollback:
		if x.on {
			x.write(e.text)
		}
	default:
		if x.on {
			x.statement(e, comments)
		}
	}
}

// next begins a transaction.
func (x *saver) next(e event) {
	if e.next == "AUTOMATIC" {
		return
	}
	seq := uint64(0)
	if e.gtid != nil {
		x.domain, x.server = part(e, "gtid_domain_id", x.domain), part(e, "server_id", x.server)
		n, is := e.gtid["gtid_seq_no"]
		if !is {
			return
		}
		seq, e.next = n, fmt.Sprintf("%d-%d-%d", x.domain, x.server, n)
	}
	if x.on = x.w.has(e, x.domain, x.server, seq); !x.on {
		x.isolation = nil
		return
	}
	_, _ = fmt.Fprintf(x.out, "\n-- GTID %s\n", e.next)
}

// statement writes a statement of a wanted transaction, after what was set for it.
func (x *saver) statement(e event, comments []byte) {
	if x.isolation != nil {
		x.write(x.isolation)
		x.isolation = nil
	}
	for _, text := range x.state.take() {
		x.write(text)
	}
	_, _ = x.out.Write(comments)
	x.write(e.text)
}

func (x *saver) write(text []byte) {
	_, _ = x.out.Write(text)
	_, _ = x.out.WriteString("\n/*!*/;\n")
}
