package worker

import "golang.org/x/sys/unix"

// Peer is what is known of the other end of a connection.
type Peer uint8

// The states of a client. One that will send nothing more may still read, or
// have closed the connection: that shows only when something is sent.
const (
	PeerThere Peer = iota
	PeerSilent
	PeerGone
)

// Peer looks, without waiting, whether the client is still there.
func (c *Conn) Peer() Peer {
	state := PeerThere
	err := c.wire.raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		if n, err := unix.Poll(p, 0); n <= 0 || err != nil {
			return
		}
		switch e := p[0].Revents; {
		case e&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0:
			state = PeerGone
		case e&unix.POLLRDHUP != 0:
			state = PeerSilent
		}
	})
	if err != nil {
		return PeerGone // closed by us
	}
	return state
}
