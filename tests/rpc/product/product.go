// product SOCKET: ackd's own services from stock grpc-go, every step one line.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	v1 "ackd/v1"
)

const address, port = "10.9.0.1", 6003

var failures int

func step(name string, body func() error) {
	if err := body(); err != nil {
		failures++
		fmt.Printf("not ok rpc go %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	fmt.Printf("ok rpc go %s\n", name)
}

func want(good bool, what string, values ...interface{}) error {
	if good {
		return nil
	}
	return fmt.Errorf(what, values...)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", os.Args[1]) }
	conn, err := grpc.Dial("passthrough:///localhost", grpc.WithInsecure(), grpc.WithContextDialer(dial))
	if err != nil {
		fmt.Println("not ok rpc go dial:", err)
		os.Exit(1)
	}
	tcp, inspect, daemon := v1.NewTcpClient(conn), v1.NewInspectClient(conn), v1.NewDaemonClient(conn)
	var session v1.Tcp_SessionClient
	var watch v1.Inspect_WatchClient
	var own *v1.Ownership
	var listener, near, far uint64

	step("version", func() error {
		r, err := daemon.GetVersion(ctx, &v1.GetVersionRequest{})
		if err != nil {
			return err
		}
		return want(r.Schema == "ackd.v1", "schema %q", r.Schema)
	})
	step("session", func() error {
		if session, err = tcp.Session(ctx); err != nil {
			return err
		}
		if err = session.Send(&v1.SessionRequest{GraceMs: 1000, Name: "go"}); err != nil {
			return err
		}
		first, err := session.Recv()
		if err != nil {
			return err
		}
		own = &v1.Ownership{Kind: &v1.Ownership_SessionId{SessionId: first.SessionId}, Label: "go"}
		return nil
	})
	step("watch", func() error {
		if watch, err = inspect.Watch(ctx, &v1.WatchRequest{InitialSnapshot: true}); err != nil {
			return err
		}
		for {
			event, err := watch.Recv()
			if err != nil {
				return err
			}
			if event.GetSynced() != nil {
				return nil
			}
		}
	})
	step("listen", func() error {
		r, err := tcp.Listen(ctx, &v1.ListenRequest{Local: &v1.Endpoint{Port: port}, Ownership: own})
		if err != nil {
			return err
		}
		listener = r.Id
		return nil
	})
	step("open", func() error {
		r, err := tcp.Open(ctx, &v1.OpenRequest{Remote: &v1.Endpoint{Address: address, Port: port}, Ownership: own, WaitMs: 5000})
		if err != nil {
			return err
		}
		near = r.Id
		return want(r.State == v1.State_STATE_ESTABLISHED, "state %v", r.State)
	})
	step("accept", func() error {
		r, err := tcp.Accept(ctx, &v1.AcceptRequest{Id: listener, Ownership: own, WaitMs: 5000})
		if err != nil {
			return err
		}
		far = r.Id
		return want(far != 0, "nothing to accept")
	})
	data := bytes.Repeat([]byte("go"), 3000)
	step("send and receive by offsets", func() error {
		for n := 0; n < 2; n++ {
			r, err := tcp.Send(ctx, &v1.SendRequest{Id: near, Data: data})
			if err != nil {
				return err
			}
			if err = want(r.AcceptedUntil == 6000, "accepted until %d", r.AcceptedUntil); err != nil {
				return err
			}
		}
		r, err := tcp.Receive(ctx, &v1.ReceiveRequest{Id: far, MinBytes: 6000, WaitMs: 5000})
		if err != nil {
			return err
		}
		return want(bytes.Equal(r.Data, data), "%d other bytes", len(r.Data))
	})
	step("stream", func() error {
		stream, err := tcp.Stream(ctx)
		if err != nil {
			return err
		}
		if err = stream.Send(&v1.StreamRequest{Id: near, Offset: 6000, Data: []byte("up"), KeepOpen: true}); err != nil {
			return err
		}
		if _, err = tcp.Send(ctx, &v1.SendRequest{Id: far, Data: []byte("down")}); err != nil {
			return err
		}
		var down []byte
		for string(down) != "down" {
			r, err := stream.Recv()
			if err != nil {
				return err
			}
			down = append(down, r.Data...)
		}
		r, err := tcp.Receive(ctx, &v1.ReceiveRequest{Id: far, FromOffset: 6000, MinBytes: 2, WaitMs: 5000})
		if err != nil {
			return err
		}
		if err = want(string(r.Data) == "up", "%q", r.Data); err != nil {
			return err
		}
		return stream.CloseSend()
	})
	step("list", func() error {
		list, err := inspect.List(ctx, &v1.ListRequest{Filter: &v1.Filter{Label: "go"}})
		if err != nil {
			return err
		}
		rows := 0
		for {
			part, err := list.Recv()
			if err != nil {
				break
			}
			rows += len(part.Connections)
		}
		return want(rows == 3, "%d rows", rows)
	})
	step("an error tells errno and reason", func() error {
		_, err := tcp.Open(ctx, &v1.OpenRequest{Remote: &v1.Endpoint{Address: address, Port: 6999}, Ownership: own, WaitMs: 5000})
		s := status.Convert(err)
		if s.Code() == codes.OK || s.Code() == codes.Unavailable || s.Code() == codes.DeadlineExceeded {
			return fmt.Errorf("code %v", s.Code())
		}
		details := fmt.Sprint(s.Proto().Details)
		return want(strings.Contains(details, "ECONNREFUSED") && strings.Contains(details, "RST_IN_SYN_SENT"), "details %q", details)
	})
	step("close and end of stream", func() error {
		if _, err := tcp.Close(ctx, &v1.CloseRequest{Id: near, How: v1.CloseRequest_HOW_SEND}); err != nil {
			return err
		}
		r, err := tcp.Receive(ctx, &v1.ReceiveRequest{Id: far, FromOffset: 6002, MinBytes: 1, WaitMs: 5000})
		if err != nil {
			return err
		}
		return want(r.EndOfStream, "no end of stream")
	})
	step("watch told it all", func() error {
		for {
			event, err := watch.Recv()
			if err != nil {
				return err
			}
			if change := event.GetState(); change != nil && change.Id == near && change.NewState == v1.State_STATE_FIN_WAIT_1 {
				return nil
			}
		}
	})
	if failures > 0 {
		os.Exit(1)
	}
}
