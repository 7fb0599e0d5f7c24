//go:build pkcs11

package main

const hasPKCS11 = true
