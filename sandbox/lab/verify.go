package lab

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// verifyLimit bounds how long one server of a pool may take to say what it has.
const verifyLimit = 5 * time.Second

// missingMost bounds how many missing rows are named; all are counted.
const missingMost = 100

// Verdict is what the present writer says of the rows that were acknowledged.
type Verdict struct {
	// Server is the host that answered through the address.
	Server string `json:"server"`
	// Lost is the number of acknowledged rows that it does not have; Missing are the
	// first of them.
	Lost    int       `json:"lost"`
	Missing []Missing `json:"missing,omitempty"`
	// Unasked are the hosts that could not say whether they have what is missing.
	Unasked []string `json:"unasked,omitempty"`
}

// Missing is an acknowledged row that the present writer does not have.
type Missing struct {
	Writer int   `json:"writer"`
	Seq    int64 `json:"seq"`
	// Server is the host that acknowledged it, OnlyOn those that have it.
	Server string   `json:"server"`
	OnlyOn []string `json:"only_on"`
}

// rowKey names a row of a run.
type rowKey struct {
	writer int
	seq    int64
}

// Verify asks the server that is behind the address now which of the acknowledged rows it
// has, and the other servers for those that it lacks. Nobody behind the address is an
// error: then it is not known what is lost.
func (w *Writer) Verify(ctx context.Context) (Verdict, error) {
	patient, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	s, err := w.dialPatiently(patient, w.o.From[0])
	if err != nil {
		return Verdict{}, fmt.Errorf("verify what was written: %w", err)
	}
	defer s.close()
	rows, err := s.query(ctx, w.rowsQuery())
	if err != nil {
		return Verdict{}, fmt.Errorf("verify what was written: %w", err)
	}
	v := Verdict{Server: w.serverName(s.server)}
	there := rowSet(rows)
	for _, span := range w.tally.acknowledgedSpans() {
		for seq := span.from; seq <= span.to; seq++ {
			if there[rowKey{span.writer, seq}] {
				continue
			}
			v.Lost++
			if len(v.Missing) < missingMost {
				v.Missing = append(v.Missing, Missing{Writer: span.writer, Seq: seq, Server: w.serverName(span.server)})
			}
		}
	}
	if v.Lost > 0 {
		w.searchElsewhere(ctx, &v)
	}
	return v, nil
}

func (w *Writer) rowsQuery() string {
	return "SELECT writer, seq FROM app.lab_writes WHERE run = " + strconv.FormatInt(w.run, 10)
}

func rowSet(rows [][]string) map[rowKey]bool {
	there := make(map[rowKey]bool, len(rows))
	for _, r := range rows {
		writer, _ := strconv.Atoi(r[0]) // integer columns
		seq, _ := strconv.ParseInt(r[1], 10, 64)
		there[rowKey{writer, seq}] = true
	}
	return there
}

// searchElsewhere asks the pool's other servers for what is missing.
func (w *Writer) searchElsewhere(ctx context.Context, v *Verdict) {
	for _, h := range w.o.Pool.Hosts {
		if h.Name == v.Server {
			continue
		}
		there, err := h.rowsOf(ctx, w.rowsQuery())
		if err != nil {
			v.Unasked = append(v.Unasked, h.Name)
			continue
		}
		for i, m := range v.Missing {
			if there[rowKey{m.Writer, m.Seq}] {
				v.Missing[i].OnlyOn = append(v.Missing[i].OnlyOn, h.Name)
			}
		}
	}
}

// rowsOf asks a server on its socket, whatever became of its link.
func (h *Host) rowsOf(ctx context.Context, query string) (map[rowKey]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	rows, err := h.server.Root().QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("ask %s for its rows: %w", h.Name, err)
	}
	defer rows.Close()
	there := map[rowKey]bool{}
	for rows.Next() {
		var k rowKey
		if err := rows.Scan(&k.writer, &k.seq); err != nil {
			return nil, fmt.Errorf("ask %s for its rows: %w", h.Name, err)
		}
		there[k] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ask %s for its rows: %w", h.Name, err)
	}
	return there, nil
}
