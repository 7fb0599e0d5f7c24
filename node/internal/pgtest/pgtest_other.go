//go:build !linux

// Package pgtest runs a PostgreSQL cluster for the length of a test, on Linux.
package pgtest
