// peer_gvisor INTERFACE ADDRESS: gVisor's netstack serving echo, discard and chargen on a packet socket of INTERFACE, with the
// segmentation offload of the kernel both ways: how gVisor's runsc is joined to a network. (On a TAP its link endpoint knows no offload.)
// Prints "ready"; ends with its parent.
package main

import (
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	nic       = 1
	gsoSize   = 65535
	backlog   = 4096
	chunk     = 256 * 1024
	period    = 95 * 74
	bufferMax = 4 << 20
)

func fail(what string, err interface{}) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(1)
}

func packetSocket(name string) int {
	link, err := net.InterfaceByName(name)
	if err != nil {
		fail(name, err)
	}
	const all = (unix.ETH_P_ALL&0xff)<<8 | unix.ETH_P_ALL>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, all)
	if err != nil {
		fail("packet socket", err)
	}
	for _, option := range []int{unix.PACKET_VNET_HDR, unix.PACKET_IGNORE_OUTGOING} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1); err != nil {
			fail("packet socket", err)
		}
	}
	for _, option := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 16*bufferMax) // as large as we may
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}); err != nil {
		fail("bind", err)
	}
	return fd
}

func netstack(name, address string) *stack.Stack {
	link, err := net.InterfaceByName(name)
	if err != nil {
		fail(name, err)
	}
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	endpoint, err := fdbased.New(&fdbased.Options{
		FDs:                []int{packetSocket(name)},
		MTU:                uint32(link.MTU),
		EthernetHeader:     true,
		Address:            tcpip.LinkAddress(link.HardwareAddr),
		PacketDispatchMode: fdbased.RecvMMsg,
		GSOMaxSize:         gsoSize,
		RXChecksumOffload:  true,
	})
	if err != nil {
		fail("link endpoint", err)
	}
	if err := s.CreateNIC(nic, endpoint); err != nil {
		fail("interface", err)
	}
	us := tcpip.Address(net.ParseIP(address).To4())
	err1 := s.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: us, PrefixLen: 24},
	}, stack.AddressProperties{})
	if err1 != nil {
		fail(address, err1)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack)
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &moderate)
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: bufferMax})
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: bufferMax})
	return s
}

func listen(s *stack.Stack, port uint16) net.Listener {
	var queue waiter.Queue
	endpoint, err := s.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, &queue)
	if err != nil {
		fail("endpoint", err)
	}
	if err := endpoint.Bind(tcpip.FullAddress{Port: port}); err != nil {
		fail("bind", err)
	}
	if err := endpoint.Listen(backlog); err != nil {
		fail("listen", err)
	}
	return gonet.NewTCPListener(s, &queue, endpoint)
}

func serve(l net.Listener, service func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			fail("accept", err)
		}
		go func() {
			service(c)
			c.Close()
		}()
	}
}

func echo(c net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := c.Read(buffer)
		if n > 0 {
			if _, err := c.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func discard(c net.Conn) {
	buffer := make([]byte, chunk)
	for {
		if _, err := c.Read(buffer); err != nil {
			return
		}
	}
}

func chargen(c net.Conn) {
	pattern := make([]byte, period+chunk)
	for i := range pattern {
		line, column := i%period/74, i%74
		pattern[i] = byte(32 + (line+column)%95)
		if column >= 72 {
			pattern[i] = "\r\n"[column-72]
		}
	}
	for sent := 0; ; {
		at := sent % period
		n, err := c.Write(pattern[at : at+chunk])
		if err != nil {
			return
		}
		sent += n
	}
}

func main() {
	if len(os.Args) != 3 {
		fail("usage", "peer_gvisor INTERFACE ADDRESS")
	}
	unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	s := netstack(os.Args[1], os.Args[2])
	go serve(listen(s, 7), echo)
	go serve(listen(s, 9), discard)
	go serve(listen(s, 19), chargen)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	select {}
}
