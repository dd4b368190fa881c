package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mpp/gtid"
	"mpp/replication"
)

// The reasons to read the binary log from the beginning of its file.
var (
	// errMiddle says that the text begins in the middle of a transaction, as where a receiver
	// stopped in one.
	errMiddle = errors.New("the binary log was read from the middle of a transaction on")
	// errGap says that transactions are missing between what the node has and the text.
	errGap = errors.New("the binary log goes on after what the node has")
)

// applier executes the text of a binary log on a node: the transactions that it does not have,
// each with its GTID.
type applier struct {
	s      *session
	packet int // the longest statement that is sent
	// has is what MySQL has executed; seqs and servers are the last GTID of each domain of MariaDB.
	has     gtid.Set
	seqs    map[uint32]uint64
	servers map[uint32]uint32
	// seen are the domains of which the text had a transaction.
	seen map[uint32]bool

	state     carry
	once      [][]byte
	isolation []byte
	// The present transaction.
	id             string // its GTID, "" before the first
	domain, server uint32
	seq            uint64
	skip           bool // the node has it
	begun          bool // by BEGIN: it ends with COMMIT
	announced      bool // its GTID is in the batch, or was sent
	sent           bool // some of it was sent
	batch          [][]byte
	size           int

	taken int
	last  string
}

// batchLimit is how much is sent at once, in bytes.
const batchLimit = 1 << 20

// newApplier reads what the node has.
func newApplier(ctx context.Context, s *session, p replication.Position) (*applier, error) {
	a := &applier{s: s, seqs: map[uint32]uint64{}, servers: map[uint32]uint32{}, seen: map[uint32]bool{}}
	packet, err := s.count(ctx, replication.PacketSQL)
	if err != nil {
		return nil, err
	}
	a.packet = int(min(max(packet/2, 4096), maxStatement))
	if err := s.exec(ctx, replication.PatientSQL); err != nil {
		return nil, err
	}
	if s.dialect.Flavour == replication.MySQL {
		a.has, err = gtid.Parse(s.dialect.Flavour, p.Executed)
		return a, err
	}
	// What was taken before has the old server's id, and is in gtid_binlog_pos only.
	for _, text := range []string{p.Executed, p.Binlog} {
		for one := range strings.SplitSeq(text, ",") {
			var d, server uint32
			var seq uint64
			if _, err := fmt.Sscanf(one, "%d-%d-%d", &d, &server, &seq); err == nil && seq > a.seqs[d] {
				a.seqs[d], a.servers[d] = seq, server
			}
		}
	}
	return a, nil
}

// run executes a text until its end. What is not a whole transaction at its end is given up.
func (a *applier) run(ctx context.Context, r io.Reader) error {
	text := newSplitter(r)
	for {
		statement, err := text.next()
		if errors.Is(err, io.EOF) {
			return a.giveUp(ctx)
		}
		if err == nil {
			err = a.take(ctx, classify(statement))
		}
		if err != nil {
			return errors.Join(err, a.giveUp(ctx))
		}
	}
}

// take takes one statement.
func (a *applier) take(ctx context.Context, e event) error {
	switch e.kind {
	case kindClient:
		return nil
	case kindFormat:
		return a.format(ctx, e.text)
	case kindGTID:
		return a.next(e)
	case kindState:
		a.state.add(e.text)
		return nil
	case kindIsolation:
		a.isolation = e.text
		return nil
	case kindRollback:
		if !a.begun {
			return nil
		}
		if bytes.Contains(e.text, []byte("added by")) {
			return a.giveUp(ctx)
		}
	default:
		if a.id == "" {
			return errMiddle
		}
	}
	if a.skip {
		a.begun = e.kind == kindBegin || a.begun && e.kind != kindCommit && e.kind != kindRollback
		return nil
	}
	return a.execute(ctx, e)
}

// format tells the server how the rows that follow are written: each file begins with it.
func (a *applier) format(ctx context.Context, text []byte) error {
	if a.s.dialect.Flavour == replication.MySQL {
		if err := a.s.exec(ctx, replication.AutomaticSQL); err != nil { // it may follow neither a GTID nor another format
			return err
		}
	}
	return a.s.exec(ctx, string(text))
}

// next begins a transaction.
func (a *applier) next(e event) error {
	if e.next == "AUTOMATIC" {
		return nil
	}
	if e.gtid != nil {
		a.domain, a.server = part(e, "gtid_domain_id", a.domain), part(e, "server_id", a.server)
		seq, is := e.gtid["gtid_seq_no"]
		if !is {
			return nil // the rest follows
		}
		a.seq, e.next = seq, fmt.Sprintf("%d-%d-%d", a.domain, a.server, seq)
	}
	a.once, a.begun, a.announced, a.sent, a.batch, a.size = nil, false, false, false, nil, 0
	a.id = e.next
	if a.s.dialect.Flavour == replication.MariaDB {
		return a.order()
	}
	one, err := gtid.Parse(a.s.dialect.Flavour, a.id)
	if err != nil {
		return fmt.Errorf("transaction %q has no GTID: %w", a.id, err)
	}
	if a.skip = a.has.Contains(one); a.skip {
		a.isolation = nil
	}
	return nil
}

func part(e event, name string, otherwise uint32) uint32 {
	if n, is := e.gtid[name]; is {
		return uint32(n)
	}
	return otherwise
}

// order decides whether the node has a transaction of MariaDB: it has those up to its last one of
// the domain. One that does not follow on that shows that some are missing.
func (a *applier) order() error {
	have, known := a.seqs[a.domain]
	a.skip = known && a.seq <= have
	switch {
	case a.seq == have && a.servers[a.domain] != a.server:
		return fmt.Errorf("histories part: the node has %d-%d-%d, the binary log %s", a.domain, a.servers[a.domain], have, a.id)
	case !a.skip && !a.seen[a.domain] && a.seq != have+1:
		return fmt.Errorf("%w: %s follows on %d", errGap, a.id, have)
	}
	a.seen[a.domain] = true
	return nil
}

// execute puts a statement into the batch, and sends it when the transaction is whole.
func (a *applier) execute(ctx context.Context, e event) error {
	if why := a.impossible(e); why != "" {
		return fmt.Errorf("transaction %s %s", a.id, why)
	}
	if e.kind == kindOnce {
		a.once = append(a.once, e.text)
		return nil
	}
	a.announce()
	list := [][]byte{e.text}
	if e.kind == kindRows {
		var err error
		if list, err = pieces(e.text, a.packet); err != nil {
			return err
		}
	}
	for _, text := range list {
		if err := a.add(ctx, text, e.kind); err != nil {
			return err
		}
	}
	switch {
	case e.kind == kindBegin:
		a.begun = true
	case e.kind == kindCommit, e.kind == kindRollback, !a.begun && e.kind == kindQuery:
		return a.end(ctx)
	}
	return nil
}

// impossible says why a statement cannot be executed by its text.
func (a *applier) impossible(e event) string {
	if e.kind != kindQuery {
		return ""
	}
	words := strings.Fields(strings.ToUpper(string(e.text[:min(len(e.text), 100)])))
	switch {
	case len(words) > 0 && words[0] == "XA":
		return "belongs to an XA transaction, which cannot be taken over"
	case a.begun && a.s.dialect.Flavour == replication.MariaDB && len(words) > 1 && words[0] == "CREATE" && (words[1] == "TABLE" || words[1] == "OR"):
		return "is CREATE TABLE ... SELECT, which MariaDB executes by its applier only"
	default:
		return ""
	}
}

// announce puts what the statements set before, and the transaction's GTID, into the batch.
func (a *applier) announce() {
	for _, text := range append(a.state.take(), a.once...) {
		a.append(text)
	}
	a.once = nil
	if a.announced {
		return
	}
	a.announced = true
	if a.isolation != nil {
		a.append(a.isolation)
		a.isolation = nil
	}
	if a.s.dialect.Flavour == replication.MariaDB {
		a.append([]byte(replication.TransactionSQL(a.domain, a.server, a.seq)))
		return
	}
	a.append([]byte(replication.NextSQL(a.id)))
}

func (a *applier) append(text []byte) {
	a.batch = append(a.batch, text)
	a.size += len(text)
}

// add puts one statement into the batch. One that somebody wrote goes alone: it might end in a
// comment, or in another set of characters. Rows are the last: servers forget after them that the
// text goes on.
func (a *applier) add(ctx context.Context, text []byte, k kind) error {
	if k == kindQuery || a.size+len(text) > min(batchLimit, a.packet) {
		if err := a.send(ctx); err != nil {
			return err
		}
	}
	a.append(text)
	if k == kindQuery || k == kindRows {
		return a.send(ctx)
	}
	return nil
}

// send executes the batch.
func (a *applier) send(ctx context.Context) error {
	if len(a.batch) == 0 {
		return nil
	}
	text := string(bytes.Join(a.batch, []byte("\n;\n")))
	a.batch, a.size, a.sent = nil, 0, true
	if err := a.s.exec(ctx, text); err != nil {
		return fmt.Errorf("transaction %s: %w", a.id, err)
	}
	return nil
}

// end sends the rest of a transaction, which is whole now.
func (a *applier) end(ctx context.Context) error {
	if err := a.send(ctx); err != nil {
		return err
	}
	a.taken++
	a.last, a.begun, a.sent = a.id, false, false
	if a.s.dialect.Flavour == replication.MariaDB {
		a.seqs[a.domain], a.servers[a.domain] = a.seq, a.server
	}
	return nil
}

// giveUp gives up what was begun and not ended.
func (a *applier) giveUp(ctx context.Context) error {
	a.batch, a.size = nil, 0
	if !a.sent || a.s.broken {
		return nil
	}
	a.sent, a.begun = false, false
	return a.s.exec(ctx, replication.RollbackSQL)
}

// told says in words what was taken.
func (a *applier) told() string {
	switch a.taken {
	case 0:
		return "there was nothing that the node does not have"
	case 1:
		return "took 1 transaction: " + a.last
	default:
		return "took " + strconv.Itoa(a.taken) + " transactions, the last is " + a.last
	}
}
