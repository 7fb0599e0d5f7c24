package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Frame is one frame of the stream inside the age file.
func Frame(kind byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body))), body...)
}

// Magic begins the stream of a file of the kind.
func Magic(kind Kind) string { return kind.magic() }

// Again reads a stream to its end and returns it as a writer frames what was read,
// with the manifest that was reached.
func Again(kind Kind, stream []byte) (again []byte, err error) {
	r, err := readPlain(bytes.NewReader(stream), kind)
	if err != nil {
		return nil, err
	}
	again = []byte(kind.magic())
	for {
		name, err := r.part()
		if err != nil {
			return nil, err
		}
		if name == "" {
			return append(again, Frame(kindManifest, string(r.token))...), nil
		}
		again = append(again, Frame(kindPart, name)...)
		for b, err := range r.records() {
			if err != nil {
				return nil, err
			}
			if _, err := splitRow(b); err != nil && !errors.Is(err, ErrDamaged) {
				return nil, err
			}
			again = append(again, Frame(kindRecord, string(b))...)
		}
	}
}

// Labelled is a file with a label behind it.
func Labelled(file, token string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte(file+token), uint32(len(token))), labelEnd...)
}

// Before is how many bytes are before a label, and Token its JWS.
func Before(u UnverifiedLabel) int64 { return u.at }
func Token(u UnverifiedLabel) string { return u.token }

// Inspect is what [Survey] does with one file.
func Inspect(file string, by Signer) (l Label, former string, err error) {
	s, keys, err := by.parse()
	if err == nil {
		l, former, err = inspect(file, s, keys)
	}
	if err != nil {
		return Label{}, "", err
	}
	return l, former, nil
}
