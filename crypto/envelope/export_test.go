package envelope

import "bytes"

// DEKBytes shows the key, for redaction tests.
func DEKBytes(d DEK) (key []byte) {
	_ = d.use(func(k []byte) error { key = bytes.Clone(k); return nil })
	return key
}

// RingBytes shows the current KEK, for redaction tests.
func RingBytes(r *Ring) []byte { return bytes.Clone(r.open().keys[r.current].Bytes()) }
