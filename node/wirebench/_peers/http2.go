package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"
)

func serveHTTP2(s spec, own identity) (offer, error) {
	config, err := own.tls()
	if err != nil {
		return offer{}, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return offer{}, err
	}
	config.NextProtos = []string{"h2"}
	reply := make([]byte, s.Reply)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := make([]byte, s.Request)
		if _, err := io.ReadFull(r.Body, request); err != nil || r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write(reply)
	})}
	server.TLSConfig = config
	go func() { _ = server.ServeTLS(l, "", "") }() // ends with the process
	return offer{[]string{l.Addr().String()}, "net/http HTTP/2 of " + runtime.Version()}, nil
}

func connectHTTP2(_ context.Context, s spec, own identity, to offer) (exchange, error) {
	config, err := own.tls()
	if err != nil {
		return nil, err
	}
	config.ClientAuth = tls.NoClientCert
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
	request := make([]byte, s.Request)
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+to.Addresses[0]+"/", bytes.NewReader(request))
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		reply, err := io.ReadAll(resp.Body)
		if err == nil && (resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK || len(reply) != s.Reply) {
			err = errors.New("another reply than asked for")
		}
		return err
	}, nil
}
