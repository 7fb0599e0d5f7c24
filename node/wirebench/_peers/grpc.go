package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const (
	methodUnary  = "/bench.Bench/Exchange"
	methodStream = "/bench.Bench/Exchanges"
)

// bytesCodec sends bytes as they are: what protobuf takes is not the transport's.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "bytes" }

func (bytesCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("cannot send a %T", v)
	}
	return *b, nil
}

func (bytesCodec) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("cannot receive a %T", v)
	}
	*b = append((*b)[:0], data...)
	return nil
}

func serveGRPC(s spec, own identity) (offer, error) {
	config, err := own.tls()
	if err != nil {
		return offer{}, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return offer{}, err
	}
	answer := func(request []byte) (*[]byte, error) {
		if len(request) != s.Request {
			return nil, errors.New("a request of another size")
		}
		reply := make([]byte, s.Reply)
		return &reply, nil
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)), grpc.ForceServerCodec(bytesCodec{}))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "bench.Bench", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Exchange", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var request []byte
			if err := decode(&request); err != nil {
				return nil, err
			}
			return answer(request)
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Exchanges", ServerStreams: true, ClientStreams: true, Handler: func(_ any, st grpc.ServerStream) error {
			var request []byte
			for {
				if err := st.RecvMsg(&request); err != nil {
					return err
				}
				reply, err := answer(request)
				if err != nil {
					return err
				}
				if err := st.SendMsg(reply); err != nil {
					return err
				}
			}
		}}},
	}, struct{}{})
	go func() { _ = server.Serve(l) }() // ends with the process
	return offer{[]string{l.Addr().String()}, "gRPC " + version("google.golang.org/grpc")}, nil
}

func dialGRPC(own identity, to offer) (*grpc.ClientConn, error) {
	config, err := own.tls()
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(to.Addresses[0], grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})))
}

// connectGRPC makes a call of each exchange.
func connectGRPC(_ context.Context, s spec, own identity, to offer) (exchange, error) {
	c, err := dialGRPC(own, to)
	if err != nil {
		return nil, err
	}
	request := make([]byte, s.Request)
	return func(ctx context.Context) error {
		var reply []byte
		if err := c.Invoke(ctx, methodUnary, &request, &reply); err != nil {
			return err
		}
		if len(reply) != s.Reply {
			return errors.New("a reply of another size")
		}
		return nil
	}, nil
}

// connectStreams keeps streams for the next exchange.
func connectStreams(ctx context.Context, s spec, own identity, to offer) (exchange, error) {
	c, err := dialGRPC(own, to)
	if err != nil {
		return nil, err
	}
	request := make([]byte, s.Request)
	p := pool[grpc.ClientStream]{open: func(context.Context) (grpc.ClientStream, error) {
		return c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, methodStream)
	}}
	return func(ctx context.Context) error {
		return p.with(ctx, func(st grpc.ClientStream) error {
			if err := st.SendMsg(&request); err != nil {
				return err
			}
			var reply []byte
			if err := st.RecvMsg(&reply); err != nil {
				return err
			}
			if len(reply) != s.Reply {
				return errors.New("a reply of another size")
			}
			return nil
		})
	}, nil
}
