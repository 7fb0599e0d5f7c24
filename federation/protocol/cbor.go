package protocol

import (
	"bytes"
	"errors"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/federation/internal/strictcbor"
)

var errNotDeterministic = errors.New("encoding is not deterministic")

// codec is deterministic CBOR, RFC 8949 section 4.2.1, both ways. The encoder writes
// to buffers of ours: the library's own are pooled and never wiped.
var codec = sync.OnceValues(func() (cbor.UserBufferEncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
	}.UserBufferEncMode()
	if err != nil {
		panic("protocol: CBOR encoding options: " + err.Error())
	}
	return enc, strictcbor.NewDecoder(strictcbor.Limits{Nesting: 8, Elements: 256, Pairs: 32})
})

func encodeCBOR(v any) ([]byte, error) { return encodeSized(v, 512) }

// encodeSized encodes without leaving a second copy behind, if size is enough.
func encodeSized(v any, size int) ([]byte, error) { return encodeInto(make([]byte, size), v) }

func encodeInto(room []byte, v any) ([]byte, error) {
	enc, _ := codec()
	buf := bytes.NewBuffer(room[:0])
	if err := enc.MarshalToBuffer(v, buf); err != nil {
		clear(room) // what was written by then, of which buf does not know
		return nil, err
	}
	return buf.Bytes(), nil
}

// decodeCBOR accepts only the one deterministic encoding of a value, so that two
// implementations can never disagree on what was hashed or sealed. The library's
// error is dropped: it may quote the data. A refused value that can be wiped is.
func decodeCBOR[T any](b []byte) (T, error) {
	var v, zero T
	_, dec := codec()
	refuse := func(err error) (T, error) {
		if w, ok := any(&v).(interface{ wipe() }); ok {
			w.wipe()
		}
		return zero, err
	}
	if err := dec.Unmarshal(b, &v); err != nil {
		return refuse(errors.New("not the CBOR map that PROTOCOL.md defines"))
	}
	again, err := encodeSized(v, len(b)+64)
	same := err == nil && bytes.Equal(again, b)
	clear(again)
	if !same {
		return refuse(errNotDeterministic)
	}
	return v, nil
}
