package worker

import (
	"context"
	"errors"
	"net"
	"os"
)

// servePackets runs a service that gets datagrams. Its process is one
// client's worth: master starts at most one.
func (p *process) servePackets() {
	h, ok := p.handler.(PacketHandler)
	if !ok {
		panic("worker: the handler of a datagram service is no PacketHandler")
	}
	f := os.NewFile(uintptr(p.listen.fd), "datagrams")
	pc, err := net.FilePacketConn(f)
	if err != nil {
		p.env.Log.Error("cannot read datagrams: " + sysText(err))
		p.drain("", exitOS)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(context.Canceled)
	done := make(chan error, 1)
	go func() { done <- h.ServePackets(ctx, pc) }()
	select {
	case <-p.ended:
	case err := <-done:
		if !quietEnd(err) {
			p.env.Log.Error("reading datagrams", "error", err)
		}
		p.drain("", exitOS)
		return
	}
	cancel(errors.New("the process ends"))
	_ = pc.SetReadDeadline(past)
	<-done
	_ = pc.Close()
}
