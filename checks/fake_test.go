package checks_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mpp/checks"
	"mpp/link"
)

// fake is a server that speaks as much of MySQL's protocol as a test lets it, for what no real
// server here can be made to do.
type fake struct {
	t testing.TB
	l net.Listener
	// greet, if set, is all that a connection gets, and then it is closed unless hold is set.
	greet []byte
	hold  bool
	// drop is the beginning of a statement at which the connection is closed.
	drop string
	// answer returns the result of a statement; nil means the statement is never answered.
	answer func(sql string) *answer

	mu    sync.Mutex
	conns []net.Conn
	mute  bool // new connections are accepted and hear nothing
	asked []string
	wg    sync.WaitGroup
}

// answer is the result of a statement: an error, or columns with rows. "NULL" is NULL.
type answer struct {
	raw     []byte // sent as it is
	errno   uint16
	message string
	columns []string
	rows    [][]string
}

// start listens on a loopback port until the test ends.
func (f *fake) start(t testing.TB) *fake {
	t.Helper()
	f.t = t
	var err error
	if f.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.wg.Go(func() {
		for {
			c, err := f.l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			f.wg.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(f.stop)
	return f
}

func (f *fake) stop() {
	_ = f.l.Close()
	f.mu.Lock()
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

// options are those of a prober of the fake.
func (f *fake) options() checks.Options {
	o := checks.Default()
	o.Address, o.User, o.Password = f.l.Addr().String(), "mpp", monitorPassword
	o.TLS.Mode = link.TLSDisabled
	return o
}

// statements returns what was asked since the last call.
func (f *fake) statements() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

// silence makes the server accept new connections and say nothing to them, or ends that.
func (f *fake) silence(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mute = on
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	f.mu.Lock()
	mute := f.mute
	f.mu.Unlock()
	if mute {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	if f.greet != nil {
		_, _ = c.Write(f.greet)
		if f.hold {
			_, _ = io.Copy(io.Discard, c)
		}
		return
	}
	w := &packets{Conn: c, r: bufio.NewReader(c)}
	w.send(greeting("5.7.44-log"))
	if _, err := w.read(); err != nil {
		return
	}
	w.send([]byte{0, 0, 0, 2, 0, 0, 0})
	for {
		p, err := w.read()
		if err != nil || len(p) == 0 || p[0] == 1 { // COM_QUIT
			return
		}
		if !f.query(w, string(p[1:])) {
			_, _ = io.Copy(io.Discard, c)
			return
		}
	}
}

// query answers the statements of a text one after the other, up to the first error.
func (f *fake) query(w *packets, text string) bool {
	list := strings.Split(text, "\n;")
	for i, sql := range list {
		f.mu.Lock()
		f.asked = append(f.asked, sql)
		f.mu.Unlock()
		if f.drop != "" && strings.HasPrefix(sql, f.drop) {
			_ = w.Close()
			return false
		}
		a := f.answer(sql)
		switch {
		case a != nil && a.raw != nil:
			w.send(a.raw)
			return true
		case a == nil:
			return false
		case a.errno != 0:
			w.send(errorPacket(a.errno, a.message))
			return true
		}
		w.result(a, i+1 < len(list))
	}
	return true
}

// packets frames a connection.
type packets struct {
	net.Conn
	r   *bufio.Reader
	seq byte
}

func (w *packets) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return nil, err
	}
	w.seq = head[3] + 1
	p := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(w.r, p)
	return p, err
}

func (w *packets) send(p []byte) {
	n := len(p)
	_, _ = w.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), w.seq}, p...))
	w.seq++
}

// result sends a result set, or an OK for one without columns.
func (w *packets) result(a *answer, more bool) {
	status := byte(2)
	if more {
		status |= 8
	}
	if len(a.columns) == 0 {
		w.send([]byte{0, 0, 0, status, 0, 0, 0})
		return
	}
	eof := []byte{0xfe, 0, 0, status, 0}
	w.send([]byte{byte(len(a.columns))})
	for _, c := range a.columns {
		p := lenenc(nil, "def")
		for _, part := range []string{"", "", "", c, c} {
			p = lenenc(p, part)
		}
		w.send(append(p, 0x0c, 33, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0))
	}
	w.send(eof)
	for _, row := range a.rows {
		var p []byte
		for _, v := range row {
			if v == "NULL" {
				p = append(p, 0xfb)
			} else {
				p = lenenc(p, v)
			}
		}
		w.send(p)
	}
	w.send(eof)
}

// lenenc appends a text of up to 65535 bytes.
func lenenc(p []byte, s string) []byte {
	if len(s) < 251 {
		return append(append(p, byte(len(s))), s...)
	}
	return append(append(p, 0xfc, byte(len(s)), byte(len(s)>>8)), s...)
}

// greeting is the first packet of a server of a version.
func greeting(version string) []byte {
	// CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION | MULTI_STATEMENTS,
	// MULTI_RESULTS, PLUGIN_AUTH, LONG_PASSWORD
	const capabilities = uint32(1 | 1<<3 | 1<<9 | 1<<13 | 1<<15 | 1<<16 | 1<<17 | 1<<19)
	p := append([]byte{10}, version...)
	p = append(p, 0, 42, 0, 0, 0)
	p = append(p, "12345678\x00"...)
	p = binary.LittleEndian.AppendUint16(p, uint16(capabilities&0xffff))
	p = append(p, 33, 2, 0)
	p = binary.LittleEndian.AppendUint16(p, uint16(capabilities>>16))
	p = append(p, 21)
	p = append(p, make([]byte, 10)...)
	p = append(p, "123456789012\x00"...)
	return append(p, "mysql_native_password\x00"...)
}

func errorPacket(number uint16, message string) []byte {
	p := binary.LittleEndian.AppendUint16([]byte{0xff}, number)
	return append(append(p, "#HY000"...), message...)
}

// framed is a packet as the first of a connection.
func framed(p []byte) []byte {
	return append([]byte{byte(len(p)), byte(len(p) >> 8), 0, 0}, p...)
}

// mysql57 answers as a replica of MySQL 5.7 would; other answers go first.
func mysql57(others map[string]*answer) func(string) *answer {
	variables := &answer{columns: []string{"Variable_name", "Value"}, rows: [][]string{
		{"version", "5.7.44-log"},
		{"server_uuid", "u-1"},
		{"super_read_only", "ON"},
		{"offline_mode", "OFF"},
		{"innodb_read_only", "OFF"},
		{"gtid_executed", ""},
		{"max_execution_time", "0"},
	}}
	status := &answer{
		columns: []string{
			"Slave_IO_State", "Master_Host", "Master_Port", "Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master",
			"Last_IO_Errno", "Last_IO_Error", "Last_SQL_Errno", "Last_SQL_Error", "Master_Server_Id", "Master_UUID", "Channel_Name",
		},
		rows: [][]string{{"Waiting", "10.0.0.1", "3306", "Yes", "Yes", "0", "0", "", "0", "", "1", "u-0", ""}},
	}
	return func(sql string) *answer {
		for start, a := range others {
			if strings.HasPrefix(sql, start) {
				return a
			}
		}
		switch {
		case strings.HasPrefix(sql, "SHOW GLOBAL VARIABLES"):
			return variables
		case strings.HasPrefix(sql, "SHOW GLOBAL STATUS"):
			return &answer{columns: []string{"Variable_name", "Value"}, rows: [][]string{{"Uptime", "100"}}}
		case strings.HasPrefix(sql, "SET SESSION"):
			return &answer{}
		case strings.HasPrefix(sql, "SELECT @@global.server_id"):
			return &answer{columns: []string{"a", "b", "c", "d", "e", "f"}, rows: [][]string{{"2", "1", "1", "0", "0", "u-1:1-5"}}}
		case sql == "SELECT 1":
			return &answer{columns: []string{"1"}, rows: [][]string{{"1"}}}
		case sql == "SHOW SLAVE STATUS":
			return status
		case sql == "SHOW GRANTS":
			return &answer{columns: []string{"Grants"}, rows: [][]string{{"GRANT REPLICATION CLIENT ON *.* TO 'mpp'@'%'"}}}
		case strings.HasPrefix(sql, "SELECT COMMAND, STATE"):
			return &answer{columns: []string{"COMMAND", "STATE", "n"}, rows: [][]string{{"Query", "executing", "0"}}}
		case strings.HasPrefix(sql, "SELECT IS_USED_LOCK"):
			return &answer{columns: []string{"holder", "self"}, rows: [][]string{{"7", "7"}}}
		case strings.HasPrefix(sql, "KILL"):
			return &answer{}
		case strings.HasPrefix(sql, "SELECT"):
			return &answer{columns: []string{"x"}, rows: [][]string{{"1"}}}
		default:
			return &answer{errno: 1064, message: "You have an error in your SQL syntax"}
		}
	}
}

// short is a time limit for polls that are to run into it.
const short = 300 * time.Millisecond
