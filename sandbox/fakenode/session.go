package fakenode

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// session is one connection. Its goroutine runs serve.
type session struct {
	node *Node
	conn *net.TCPConn
	in   *bufio.Reader
	buf  []byte
	id   uint32
	// hanging says that the goroutine waits for the client to go; it belongs to node.mu.
	hanging bool
}

func newSession(n *Node, conn *net.TCPConn) *session {
	return &session{node: n, conn: conn, in: bufio.NewReaderSize(conn, 512)}
}

// reset ends the connection at once.
func (s *session) reset() {
	_ = s.conn.SetLinger(0)
	_ = s.conn.Close()
}

// serve speaks with one client until it or the node goes.
func (s *session) serve() {
	defer s.node.gone(s)
	defer s.conn.Close()
	if s.willing() && s.login() {
		for s.command() {
		}
	}
}

// willing waits until the node is in the mood to answer. It returns false when the client or
// the node has gone meanwhile.
func (s *session) willing() bool {
	for {
		behaviour, changed := s.node.now()
		switch behaviour {
		case Healthy:
			return true
		case Slow:
			return s.pause(s.node.slowBy)
		case Hung:
			if !s.hang(changed) {
				return false
			}
		default:
			return false
		}
	}
}

// hang waits until the behaviour changes, or the client goes. When the client has said
// something more, only for the change.
func (s *session) hang(changed <-chan struct{}) bool {
	if s.in.Buffered() > 0 {
		select {
		case <-changed:
			return true
		case <-s.node.ctx.Done():
			return false
		}
	}
	if !s.node.hangs(s) {
		return true
	}
	_, err := s.in.Peek(1)
	s.node.wakes(s)
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

// pause waits for d, unless the node is closed meanwhile.
func (s *session) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.node.ctx.Done():
		return false
	}
}

// read reads a packet.
func (s *session) read() (payload []byte, sequence byte, err error) {
	payload, sequence, err = readPacket(s.in, s.buf)
	s.buf = payload
	return payload, sequence, err
}

// login greets and lets the client in, or not.
func (s *session) login() bool {
	scramble := make([]byte, 20)
	_, _ = rand.Read(scramble) // never fails
	for i := range scramble {
		scramble[i] = scramble[i]&0x7f | 1 // no NUL, as the protocol wants
	}
	var w writer
	w.begin()
	w.byte(10)
	w.text(s.node.greeting)
	w.byte(0)
	w.uint32(s.id)
	w.bytes(scramble[:8]...)
	w.byte(0)
	w.uint16(capabilities & 0xffff)
	w.byte(charsetUTF8MB4)
	w.uint16(statusAutocommit)
	w.uint16(capabilities >> 16)
	w.byte(21)
	w.zeros(10)
	w.bytes(scramble[8:]...)
	w.byte(0)
	w.text("mysql_native_password")
	w.byte(0)
	w.end()
	if _, err := s.conn.Write(w.out); err != nil {
		return false
	}
	payload, sequence, err := s.read()
	if err != nil || !s.willing() {
		return false
	}
	w = writer{sequence: sequence + 1}
	user, proof, ok := credentials(payload)
	ok = ok && s.node.admits(user, proof, scramble)
	if ok {
		w.ok(statusAutocommit)
	} else {
		w.problem(&Error{1045, "28000", fmt.Sprintf("Access denied for user '%s'@'localhost' (using password: YES)", user)})
	}
	if _, err := s.conn.Write(w.out); err != nil || !ok {
		return false
	}
	s.node.mu.Lock()
	s.node.logins++
	s.node.mu.Unlock()
	return true
}

// credentials reads a handshake response: flags (4), largest packet (4), charset (1), 23
// bytes of nothing, user, NUL, length of the proof, proof.
func credentials(payload []byte) (user string, proof []byte, ok bool) {
	const head = 32
	if len(payload) < head {
		return "", nil, false
	}
	name, rest, found := bytes.Cut(payload[head:], []byte{0})
	if !found || len(rest) == 0 || len(rest) < 1+int(rest[0]) {
		return "", nil, false
	}
	return string(name), rest[1 : 1+int(rest[0])], true
}

// admits checks a proof: SHA1(password) XOR SHA1(scramble + SHA1(SHA1(password))).
func (n *Node) admits(user string, proof, scramble []byte) bool {
	if n.user == "" {
		return true
	}
	if user != n.user {
		return false
	}
	if n.password == "" {
		return len(proof) == 0
	}
	once := sha1.Sum([]byte(n.password))
	twice := sha1.Sum(once[:])
	mask := sha1.Sum(append(scramble[:len(scramble):len(scramble)], twice[:]...))
	for i := range mask {
		mask[i] ^= once[i]
	}
	return subtle.ConstantTimeCompare(mask[:], proof) == 1
}

// command answers one command and returns whether there may be another.
func (s *session) command() bool {
	payload, sequence, err := s.read()
	if err != nil || len(payload) == 0 || payload[0] == comQuit || !s.willing() {
		return false
	}
	w := writer{sequence: sequence + 1}
	switch payload[0] {
	case comQuery:
		r := s.node.reply(payload[1:])
		if !s.pause(r.delay) {
			return false
		}
		w.out = r.packets
	case comPing:
		w.ok(statusAutocommit)
	default:
		w.problem(&Error{1047, "08S01", fmt.Sprintf("Unknown command %d", payload[0])})
	}
	_, err = s.conn.Write(w.out)
	return err == nil
}
