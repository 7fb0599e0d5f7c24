package exchange_test

import (
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

func ExampleDecodeFinger() {
	record, err := exchange.EncodeFinger([]finger.Sample{{
		Position: 2, Width: 360, Height: 480, ResX: 197, ResY: 197,
		Minutiae: []finger.Minutia{{X: 100, Y: 120, Angle: 32, Type: 1}},
	}})
	if err != nil {
		panic(err)
	}
	samples, err := exchange.DecodeFinger(record)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(samples), "view of", len(record), "octets")

	_, err = exchange.DecodeFinger(record[:30])
	var f *exchange.FormatError
	if errors.As(err, &f) {
		fmt.Println(f)
	}
	// Output:
	// 1 view of 36 octets
	// checking iso-19794-2-2005: offset 8: length field differs from the record's length
}

func ExampleDecodeEmbedding() {
	vector := make([]float32, 128)
	vector[0] = 2
	b, err := exchange.EncodeEmbedding("mobilefacenet-128", vector)
	if err != nil {
		panic(err)
	}
	template, err := exchange.DecodeEmbedding(b)
	if err != nil {
		panic(err)
	}
	defer template.Wipe()
	fmt.Println(template.Model(), template.Dims(), template)
	// Output: mobilefacenet-128 128 template(redacted)
}
