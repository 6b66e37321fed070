// interop SOCKET: gRPC's interoperability cases by a stock grpc-go client, over a Unix socket.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	pb "ackd.test/grpc_testing"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const special = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"

var socket = os.Args[1]

// A client with an :authority of its own, or with what grpc-go sends by itself.
func dial(authority string) (*grpc.ClientConn, pb.TestServiceClient) {
	dialer := func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	options := []grpc.DialOption{grpc.WithInsecure(), grpc.WithContextDialer(dialer)}
	if authority != "" {
		options = append(options, grpc.WithAuthority(authority))
	}
	conn, err := grpc.Dial("passthrough:///"+socket, options...)
	if err != nil {
		panic(err)
	}
	return conn, pb.NewTestServiceClient(conn)
}

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

func want(err error, code codes.Code) error {
	if status.Code(err) != code {
		return fmt.Errorf("%v, not %v", err, code)
	}
	return nil
}

func payload(size int) *pb.Payload {
	return &pb.Payload{Body: make([]byte, size)}
}

func largeUnary() error {
	conn, client := dial("")
	defer conn.Close()
	ctx, cancel := soon()
	defer cancel()
	response, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: 314159, Payload: payload(271828)})
	if err == nil && len(response.GetPayload().GetBody()) != 314159 {
		err = fmt.Errorf("%d bytes came", len(response.GetPayload().GetBody()))
	}
	return err
}

func pingPong() error {
	conn, client := dial("")
	defer conn.Close()
	ctx, cancel := soon()
	defer cancel()
	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	for _, sizes := range [][2]int{{31415, 27182}, {9, 8}, {2653, 1828}, {58979, 45904}} {
		request := &pb.StreamingOutputCallRequest{Payload: payload(sizes[1]),
			ResponseParameters: []*pb.ResponseParameters{{Size: int32(sizes[0])}}}
		if err := stream.Send(request); err != nil {
			return err
		}
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if n := len(response.GetPayload().GetBody()); n != sizes[0] {
			return fmt.Errorf("%d bytes came", n)
		}
	}
	stream.CloseSend()
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("%v at the end", err)
	}
	return nil
}

func cancelAfterBegin() error {
	conn, client := dial("")
	defer conn.Close()
	ctx, cancel := soon()
	stream, err := client.StreamingInputCall(ctx)
	if err != nil {
		cancel()
		return err
	}
	cancel()
	_, err = stream.CloseAndRecv()
	return want(err, codes.Canceled)
}

func timeoutOnSleepingServer() error {
	conn, client := dial("")
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	stream, err := client.FullDuplexCall(ctx)
	if err == nil {
		stream.Send(&pb.StreamingOutputCallRequest{Payload: payload(27182)})
		_, err = stream.Recv()
	}
	return want(err, codes.DeadlineExceeded)
}

func specialStatusMessage() error {
	conn, client := dial("")
	defer conn.Close()
	ctx, cancel := soon()
	defer cancel()
	_, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: 2, Message: special}})
	if s, _ := status.FromError(err); s.Code() == codes.Unknown && s.Message() != special {
		return fmt.Errorf("%q", s.Message())
	}
	return want(err, codes.Unknown)
}

func unimplementedMethod() error {
	conn, client := dial("")
	defer conn.Close()
	ctx, cancel := soon()
	defer cancel()
	_, err := client.UnimplementedCall(ctx, &pb.Empty{})
	return want(err, codes.Unimplemented)
}

func withAuthority(authority string) func() error {
	return func() error {
		conn, client := dial(authority)
		defer conn.Close()
		ctx, cancel := soon()
		defer cancel()
		_, err := client.EmptyCall(ctx, &pb.Empty{})
		return err
	}
}

// grpc-go always sends one, so the request is made of frames.
func authorityNone() error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/grpc.testing.TestService/EmptyCall"},
		{"content-type", "application/grpc"}, {"te", "trailers"}} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	framer.WriteData(1, true, make([]byte, 5))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		headers, ok := frame.(*http2.MetaHeadersFrame)
		if !ok {
			continue
		}
		for _, field := range headers.RegularFields() {
			if field.Name == "grpc-status" && field.Value != "0" {
				return fmt.Errorf("status %s", field.Value)
			}
		}
		if headers.StreamEnded() {
			return nil
		}
	}
}

func main() {
	failed := 0
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"large_unary", largeUnary},
		{"ping_pong", pingPong},
		{"cancel_after_begin", cancelAfterBegin},
		{"timeout_on_sleeping_server", timeoutOnSleepingServer},
		{"special_status_message", specialStatusMessage},
		{"unimplemented_method", unimplementedMethod},
		{"authority_localhost", withAuthority("localhost")},
		{"authority_path", withAuthority(socket)},
		{"authority_percent_encoded", withAuthority(strings.ReplaceAll(socket, "/", "%2F"))},
		{"authority_none", authorityNone},
	} {
		if err := c.run(); err != nil {
			failed++
			fmt.Printf("not ok go %s: %s\n", c.name, strings.Join(strings.Fields(err.Error()), " "))
		} else {
			fmt.Printf("ok go %s\n", c.name)
		}
	}
	if failed > 0 {
		os.Exit(1)
	}
}
