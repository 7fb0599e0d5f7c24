package protocol

import (
	"bytes"
	"errors"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

var errNotDeterministic = errors.New("encoding is not deterministic")

// codec is deterministic CBOR, RFC 8949 section 4.2.1, both ways.
var codec = sync.OnceValues(func() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode()
	if err != nil {
		panic("protocol: CBOR encoding options: " + err.Error())
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   8,
		MaxArrayElements:  256,
		MaxMapPairs:       32,
	}.DecMode()
	if err != nil {
		panic("protocol: CBOR decoding options: " + err.Error())
	}
	return enc, dec
})

func encodeCBOR(v any) ([]byte, error) {
	enc, _ := codec()
	return enc.Marshal(v)
}

// decodeCBOR accepts only the one deterministic encoding of a value, so that two
// implementations can never disagree on what was hashed or sealed. The library's
// error is dropped: it may quote the data.
func decodeCBOR[T any](b []byte) (T, error) {
	var v, zero T
	_, dec := codec()
	if err := dec.Unmarshal(b, &v); err != nil {
		return zero, errors.New("not the CBOR map that PROTOCOL.md defines")
	}
	again, err := encodeCBOR(v)
	if err != nil || !bytes.Equal(again, b) {
		return zero, errNotDeterministic
	}
	return v, nil
}
