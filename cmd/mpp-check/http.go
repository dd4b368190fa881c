package main

import (
	"net/netip"
	"strings"
	"syscall"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// askHTTP asks a daemon on another host. The sockets block: the deadline of the program ends
// them.
func askHTTP(o options) reply {
	at, err := netip.ParseAddrPort(o.http)
	if err != nil {
		return reply{reason: "--http needs an IP address with a port, such as 10.0.0.5:9102: " + short(o.http)}
	}
	answer, err := exchange(at, request(o))
	if err != nil {
		return reply{reason: "ask mppd at " + o.http + ": " + err.Error()}
	}
	head, body, whole := strings.Cut(answer, "\r\n\r\n")
	status, _, _ := strings.Cut(head, "\r\n")
	body = oneLine(body)
	yes := strings.HasPrefix(status, "HTTP/1.0 200 ") || strings.HasPrefix(status, "HTTP/1.1 200 ")
	no := strings.HasPrefix(status, "HTTP/1.0 503 ") || strings.HasPrefix(status, "HTTP/1.1 503 ")
	switch {
	case whole && yes && strings.HasPrefix(body, "UP "):
		return reply{up: true, reason: body[len("UP "):]}
	case whole && no && strings.HasPrefix(body, "DOWN "):
		return reply{reason: body[len("DOWN "):]}
	default:
		return reply{reason: "what answers at " + o.http + " is not mppd: " + oneLine(status)}
	}
}

// request is the question. HTTP 1.0 keeps the answer in one piece.
func request(o options) string {
	query := ""
	if o.pool != "" {
		query = "?pool=" + escape(o.pool)
	}
	return "GET /v1/check/" + o.role + "/" + escape(o.nodeText) + query + " HTTP/1.0\r\nHost: mppd\r\nConnection: close\r\n\r\n"
}

// escape writes what could end the request or the path as %XX.
func escape(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_:[]", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// exchange sends a request and returns everything that comes back.
func exchange(at netip.AddrPort, request string) (string, error) {
	family, to := sockaddr(at)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Connect(fd, to); err != nil {
		return "", err
	}
	for out := []byte(request); len(out) > 0; {
		n, err := syscall.Write(fd, out)
		if err != nil {
			return "", err
		}
		out = out[n:]
	}
	var answer []byte
	for len(answer) < maxAnswer {
		var part [4096]byte
		n, err := syscall.Read(fd, part[:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return "", err
		}
		if n <= 0 {
			break
		}
		answer = append(answer, part[:n]...)
	}
	return string(answer), nil
}

func sockaddr(at netip.AddrPort) (family int, to syscall.Sockaddr) {
	if ip := at.Addr().Unmap(); ip.Is4() {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: ip.As4()}
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}

// oneLine keeps what came over the network from being more than a line.
func oneLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, line)
	return line[:min(len(line), 500)]
}
