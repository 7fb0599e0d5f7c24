package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"runtime/debug"
	"time"
)

// identity is one end's certificate for mutual TLS, and who may be at the other.
type identity struct {
	Authority []byte `json:"authority"` // DER
	Own       []byte `json:"own"`
	Key       []byte `json:"key"` // PKCS #8
}

// identities makes those of both ends, under an authority made for the run.
func identities() (client, server identity, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return client, server, err
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authority, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return client, server, err
	}
	issue := func(serial int64) (identity, error) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return identity{}, err
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: root.NotBefore, NotAfter: root.NotAfter,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
		der, err := x509.CreateCertificate(rand.Reader, c, root, own.Public(), key)
		if err != nil {
			return identity{}, err
		}
		text, err := x509.MarshalPKCS8PrivateKey(own)
		return identity{authority, der, text}, err
	}
	client, err1 := issue(2)
	server, err2 := issue(3)
	return client, server, errors.Join(err1, err2)
}

// tls is a configuration for either end: TLS 1.3, both prove who they are.
func (i identity) tls() (*tls.Config, error) {
	root, err := x509.ParseCertificate(i.Authority)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(i.Key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{i.Own}, PrivateKey: key}}}, nil
}

// version is that of a module this program was built with.
func version(of string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == of {
				return m.Version
			}
		}
	}
	return "of unknown version"
}
