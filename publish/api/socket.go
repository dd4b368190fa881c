package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxSocketPath is what fits into sockaddr_un of Linux, without the closing zero.
const maxSocketPath = 107

// boundSocket is a unix socket that knows who connects.
type boundSocket struct {
	*net.UnixListener
	path string
	id   os.FileInfo // of the socket file that is ours
}

// bindSocket creates the socket in a private folder, gives it its mode and group, and only
// then moves it into place: there is no moment at which others could connect. A socket that
// nobody listens on is replaced.
func bindSocket(ctx context.Context, o Options) (*boundSocket, error) {
	if err := vacate(ctx, o.Socket); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(filepath.Dir(o.Socket), ".")
	if err != nil {
		return nil, fmt.Errorf("create socket %s: %w", o.Socket, err)
	}
	defer func() { _ = os.RemoveAll(private) }()
	temporary := filepath.Join(private, "s")
	if longest := max(len(temporary), len(o.Socket)); longest > maxSocketPath {
		return nil, fmt.Errorf("create socket %s: the path is too long, at most about %d bytes are possible", o.Socket, maxSocketPath-14)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("create socket %s: %w", o.Socket, err)
	}
	l.SetUnlinkOnClose(false)
	id, err := place(temporary, o)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return &boundSocket{UnixListener: l, path: o.Socket, id: id}, nil
}

// place gives the socket its mode and group and moves it to its path.
func place(temporary string, o Options) (os.FileInfo, error) {
	if o.SocketGroup != "" {
		gid, err := groupID(o.SocketGroup)
		if err != nil {
			return nil, fmt.Errorf("give socket to group: %w", err)
		}
		if err := os.Chown(temporary, -1, gid); err != nil {
			return nil, fmt.Errorf("give socket to group %s: %w", o.SocketGroup, err)
		}
	}
	if err := os.Chmod(temporary, o.SocketMode.Perm()); err != nil {
		return nil, fmt.Errorf("set mode of socket: %w", err)
	}
	id, err := os.Lstat(temporary)
	if err != nil {
		return nil, fmt.Errorf("create socket: %w", err)
	}
	if err := os.Rename(temporary, o.Socket); err != nil {
		return nil, fmt.Errorf("create socket %s: %w", o.Socket, err)
	}
	return id, nil
}

func groupID(group string) (int, error) {
	if n, err := strconv.Atoi(group); err == nil {
		return n, nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// vacate makes sure that the path is free or holds a socket that nobody listens on.
func vacate(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("create socket %s: there is something else than a socket; remove it or change api.socket", path)
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("create socket %s: somebody listens there already; is another mppd running?", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("create socket %s: %w", path, err)
	}
	return nil // replaced by the rename
}

// remove deletes the socket's file unless somebody else has put another one there.
func (b *boundSocket) remove() error {
	info, err := os.Lstat(b.path)
	if err != nil {
		return err
	}
	if !os.SameFile(info, b.id) {
		return nil
	}
	return os.Remove(b.path)
}

// Close closes the listener and removes the file.
func (b *boundSocket) Close() error {
	_ = b.remove()
	return b.UnixListener.Close()
}

// ours reports whether the path still names this socket.
func (b *boundSocket) ours() bool {
	info, err := os.Lstat(b.path)
	return err == nil && os.SameFile(info, b.id)
}

// socketEvery is how often is looked whether the socket is still there.
const socketEvery = time.Second

// keepSocket listens again when somebody has removed the socket, or its folder, until Stop. A
// socket on which another one answers is left to it.
func (s *Server) keepSocket(one served, bound *boundSocket) {
	look := time.NewTicker(socketEvery)
	defer look.Stop()
	failed := ""
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-look.C:
		}
		if bound.ours() {
			failed = ""
			continue
		}
		next, err := bindSocket(s.ctx, s.o)
		if err != nil {
			if err.Error() != failed {
				s.o.Log.Error().Err(err).Msg("the API's socket is gone, and it cannot listen there again")
			}
			failed = err.Error()
			continue
		}
		s.o.Log.Warn().Str("socket", s.o.Socket).Msg("the API's socket was gone; it listens there again")
		failed = ""
		s.accept(one, next) // after Stop it is closed at once
		_ = bound.UnixListener.Close()
		bound = next
	}
}

// Accept returns a connection whose remote address names the peer's user.
func (b *boundSocket) Accept() (net.Conn, error) {
	c, err := b.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return peerConn{c, peerAddr(peerOf(c))}, nil
}

type peerConn struct {
	*net.UnixConn
	peer peerAddr
}

func (c peerConn) RemoteAddr() net.Addr { return c.peer }

// peerAddr is the user at the other end, such as "uid 1000".
type peerAddr string

func (peerAddr) Network() string  { return "unix" }
func (a peerAddr) String() string { return string(a) }

// uidPrefix marks the peers whose user is known.
const uidPrefix = "uid "

func peerOf(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return "unknown user"
	}
	peer := "unknown user"
	_ = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			peer = uidPrefix + strconv.FormatUint(uint64(cred.Uid), 10)
		}
	})
	return peer
}

// userName turns a peer's address into a user's name, where there is one.
func userName(remote string) string {
	uid, isUser := strings.CutPrefix(remote, uidPrefix)
	if !isUser {
		return remote
	}
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return remote
}
