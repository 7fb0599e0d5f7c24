package signature2007_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/signature"
)

// octets reads hex up to the comment on each line.
func octets(t testing.TB, text string) (out []byte) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		fields := strings.Fields(line)
		for _, f := range fields {
			b, err := hex.DecodeString(f)
			if err != nil {
				break // the comment has begun
			}
			out = append(out, b...)
		}
	}
	return out
}

// golden has X, Y, a constant DT, F and S, as tablets write them.
func golden(t testing.TB) []byte {
	return octets(t, `
53444900      "SDI"
20313000      " 10"
c0e0          X Y DT F S
80 b7d0       scaling: exponent 22-16, fraction 2000: 64 * 4048/2048 = 126.5
e0 a000 7f9c 8064   scaling 16, min -100, max 100
84 afa0       is constant, scaling 32 * (1 + 1952/2048) = 62.5
78 0000 03ff 0200 0010   min 0, max 1023, mean 512, std 16
00            nothing of S
00            =
80            with extended data
000002        two of points
8001 7fff 0007 01   X 1, Y -1, F 7, S 1
0000 ffff 0000 00   X -32768, Y 32767, F 0, S 0
0003 61 62 63 !
`)
}

func TestGolden(t *testing.T) {
	b := golden(t)
	r, err := signature2007.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	want := signature2007.Record{
		Channels: []signature2007.Description{
			{Channel: signature2007.X, Attributes: signature2007.HasScaling, Scaling: 0xb7d0},
			{Channel: signature2007.Y, Attributes: 0xe0, Scaling: 0xa000, Min: -100, Max: 100},
			{Channel: signature2007.DT, Attributes: signature2007.HasScaling | signature2007.Constant, Scaling: 0xafa0},
			{Channel: signature2007.F, Attributes: 0x78, Max: 1023, Mean: 512, Std: 16},
			{Channel: signature2007.S},
		},
		Values:   []int32{1, -1, 7, 1, -32768, 32767, 0, 0},
		Extended: []byte("abc"),
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %#v", r.Channels)
	}
	if again, err := r.Encode(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("encodes to %x, %v", again, err)
	}
	s, err := signature2007.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	points := []signature.Point{
		{X: 1 / 126.5, Y: -1.0 / 16, T: 0, Pressure: 7},
		{X: -32768 / 126.5, Y: 32767.0 / 16, T: 16, Pressure: 0, Up: true},
	}
	if !s.HasPressure || s.HasAngles || !reflect.DeepEqual(s.Points, points) {
		t.Errorf("got %d points, pressure %v", len(s.Points), s.HasPressure)
	}
}

func TestScaling(t *testing.T) {
	for _, c := range []struct {
		s signature2007.Scaling
		v float64
	}{{0, 0x1p-16}, {0x8000, 1}, {0x8400, 1.5}, {0xcfa0, 1000}, {0xffff, 0x1p15 * 4095 / 2048}} {
		if got := c.s.Value(); got != c.v {
			t.Errorf("%x: %v, want %v", c.s, got, c.v)
		}
		if got := signature2007.Scale(c.v); got != c.s {
			t.Errorf("%v: %x, want %x", c.v, got, c.s)
		}
	}
	for v, want := range map[float64]signature2007.Scaling{0: 0, -1: 0, math.NaN(): 0, math.Inf(1): 0xffff, 1e9: 0xffff} {
		if got := signature2007.Scale(v); got != want {
			t.Errorf("%v: %x, want %x", v, got, want)
		}
	}
	for s := range 1 << 16 {
		if got := signature2007.Scale(signature2007.Scaling(s).Value()); got != signature2007.Scaling(s) {
			t.Fatalf("%x comes back as %x", s, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	put := func(at int, v ...byte) []byte { b := golden(t); copy(b[at:], v); return b }
	g := golden(t)
	const x, y, dt, f, s, body, points, extended = 10, 13, 20, 23, 32, 34, 38, 52
	inverted := put(y+3, 0x80, 0x65)
	onlyY := put(8, 0x40, 0xe0)
	allConstant := octets(t, "53444900 20313000 c000 04 04 00 00 000001")
	for name, c := range map[string]struct {
		b      []byte
		offset int
		rule   string
	}{
		"empty":          {nil, 0, "record ends early"},
		"magic":          {put(1, 'X'), 0, "wrong format identifier"},
		"version":        {put(5, '2'), 4, "wrong version"},
		"no-x":           {onlyY, 8, "channels X and Y are not both included"},
		"reserved-bit":   {put(s, 1), s, "reserved bit of a channel's preamble is not zero"},
		"min-above-max":  {inverted, y, "least value of a channel is above its greatest"},
		"reserved":       {put(body-1, 1), body - 1, "reserved octet is not zero"},
		"body":           {put(body, 0xc0), body, "reserved bits of the body's preamble are not zero"},
		"body-low":       {put(body, 0x01), body, "reserved bits of the body's preamble are not zero"},
		"no-points":      {put(body+1, 0, 0, 0), body + 1, "number of sample points out of range"},
		"2049":           {put(body+1, 0, 8, 1), body + 1, "number of sample points out of range"},
		"16-million":     {put(body+1, 0xff, 0xff, 0xff), body + 1, "number of sample points out of range"},
		"more-points":    {put(body+1, 0, 0, 4), len(g), "record ends early"},
		"switch":         {put(points+6, 2), points + 6, "tip switch is neither 0 nor 1"},
		"extended-long":  {put(extended, 0, 4), len(g), "record ends early"},
		"extended-short": {put(extended, 0, 2), len(g) - 1, "octets after the record"},
		"trailing":       {append(golden(t), 0), len(g), "octets after the record"},
		"all-constant":   {allConstant, 8, "all channels are constant"},
		"large":          {make([]byte, signature2007.Max+1), 0, "record exceeds the size limit"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := signature2007.Parse(c.b)
			var e *exchange.FormatError
			if !errors.As(err, &e) || e.Format != signature2007.Format || e.Offset != c.offset || e.Rule != c.rule {
				t.Errorf("got %v, want offset %d: %s", err, c.offset, c.rule)
			}
			if r.Channels != nil || r.Values != nil || r.Extended != nil {
				t.Error("a refused record is not zero")
			}
			if s, err := signature2007.Decode(c.b); err == nil || s.Points != nil {
				t.Error("Decode takes what Parse refuses")
			}
		})
	}
	for n := range g { // cut anywhere it ends early, and says where
		_, err := signature2007.Parse(g[:n])
		var e *exchange.FormatError
		if !errors.As(err, &e) || e.Offset != n || e.Rule != "record ends early" {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	_, _, _ = x, dt, f
}

func TestDecodeNeedsTimeAndPositions(t *testing.T) {
	for name, text := range map[string]string{
		"no-time":  "53444900 20313000 c000 00 00 00 00 000001 8000 8000",
		"linear-x": "53444900 20313000 c080 02 00 84 afa0 00 00 000001 8000 8000",
		"linear-y": "53444900 20313000 c080 00 02 84 afa0 00 00 000001 8000 8000",
	} {
		b := octets(t, text)
		if _, err := signature2007.Parse(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var e *exchange.FormatError
		if s, err := signature2007.Decode(b); !errors.As(err, &e) || e.Offset != 8 || s.Points != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Varying differences add up; the first is not counted. Without scaling they are milliseconds.
	s, err := signature2007.Decode(octets(t, "53444900 20313000 c080 00 00 00 00 00 000003 8000 8000 0005 8000 8000 000a 8000 8000 000b"))
	if err != nil || s.Points[0].T != 0 || s.Points[1].T != 10 || s.Points[2].T != 21 {
		t.Errorf("%v", err)
	}
}

func TestEncodeRecordRefuses(t *testing.T) {
	good := func() signature2007.Record {
		r, err := signature2007.Parse(golden(t))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, change := range map[string]func(*signature2007.Record){
		"no-channels":   func(r *signature2007.Record) { r.Channels = nil },
		"no-y":          func(r *signature2007.Record) { r.Channels = append(r.Channels[:1:1], r.Channels[2:]...) },
		"order":         func(r *signature2007.Record) { r.Channels[0], r.Channels[1] = r.Channels[1], r.Channels[0] },
		"unknown":       func(r *signature2007.Record) { r.Channels[4].Channel = 16 },
		"reserved":      func(r *signature2007.Record) { r.Channels[4].Attributes = 1 },
		"scaling-stray": func(r *signature2007.Record) { r.Channels[4].Scaling = 1 },
		"min-stray":     func(r *signature2007.Record) { r.Channels[4].Min = 1 },
		"min-range":     func(r *signature2007.Record) { r.Channels[1].Min = -32769 },
		"values":        func(r *signature2007.Record) { r.Values = r.Values[:7] },
		"none":          func(r *signature2007.Record) { r.Values = nil },
		"x-high":        func(r *signature2007.Record) { r.Values[0] = 32768 },
		"f-negative":    func(r *signature2007.Record) { r.Values[2] = -1 },
		"s-two":         func(r *signature2007.Record) { r.Values[3] = 2 },
		"extended":      func(r *signature2007.Record) { r.Extended = make([]byte, 1<<16) },
	} {
		r := good()
		change(&r)
		var e *exchange.FormatError
		if b, err := r.Encode(); b != nil || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// drawn has n points; whole says that all values are whole numbers.
func drawn(seed uint64, n int, whole bool) signature.Sample {
	r := rand.New(rand.NewPCG(seed, 2))
	s := signature.Sample{HasPressure: seed%2 == 0, HasAngles: seed%3 == 0}
	for i := range n {
		v := func(size float64) float64 {
			x := size * r.Float64()
			if whole {
				return math.Round(x)
			}
			return x
		}
		p := signature.Point{X: v(9000) - 4000, Y: v(9000), T: 1e6 + float64(10*i), Up: r.IntN(9) == 0}
		if s.HasPressure {
			p.Pressure = v(1023)
		}
		if s.HasAngles {
			p.Azimuth, p.Altitude = v(3600), v(900)
		}
		s.Points = append(s.Points, p)
	}
	return s
}

func TestSamplesComeBack(t *testing.T) {
	for seed := range uint64(12) {
		for _, whole := range []bool{true, false} {
			s := drawn(seed, 1+int(seed)*60, whole)
			b, err := signature2007.Encode(s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := signature2007.Decode(b)
			if err != nil || len(got.Points) != len(s.Points) || got.HasPressure != s.HasPressure || got.HasAngles != s.HasAngles {
				t.Fatalf("%d points, %v", len(got.Points), err)
			}
			for i, p := range got.Points {
				q := s.Points[i]
				q.T -= s.Points[0].T
				loss := 0.0
				if !whole {
					loss = 9000.0 / 16384 // half a step of the greatest channel
				}
				for _, d := range []float64{p.X - q.X, p.Y - q.Y, p.T - q.T, p.Pressure - q.Pressure, p.Azimuth - q.Azimuth, p.Altitude - q.Altitude} {
					if math.Abs(d) > loss {
						t.Fatalf("seed %d point %d: off by %v", seed, i, d)
					}
				}
				if p.Up != q.Up {
					t.Fatalf("seed %d point %d: tip switch", seed, i)
				}
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	change := func(f func(p []signature.Point)) signature.Sample {
		s := drawn(6, 20, true)
		f(s.Points)
		return s
	}
	for name, s := range map[string]signature.Sample{
		"empty":     {},
		"too-many":  drawn(6, signature.MaxPoints+1, true),
		"nan":       change(func(p []signature.Point) { p[3].X = math.NaN() }),
		"huge":      change(func(p []signature.Point) { p[3].Y = 1e10 }),
		"early":     change(func(p []signature.Point) { p[3].T = 0 }),
		"long":      change(func(p []signature.Point) { p[19].T += 65536 }),
		"pressure":  change(func(p []signature.Point) { p[3].Pressure = -1 }),
		"elevation": change(func(p []signature.Point) { p[3].Altitude = -0.5 }),
	} {
		var e *exchange.FormatError
		if b, err := signature2007.Encode(s); b != nil || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLargest(t *testing.T) {
	r := signature2007.Record{Extended: make([]byte, math.MaxUint16)}
	for c := signature2007.X; c <= signature2007.R; c++ {
		r.Channels = append(r.Channels, signature2007.Description{Channel: c, Attributes: 0xfa})
	}
	r.Values = make([]int32, 16*signature.MaxPoints)
	b, err := r.Encode()
	if err != nil || len(b) != signature2007.Max {
		t.Fatalf("%d octets, %v, want %d", len(b), err, signature2007.Max)
	}
	if _, err := signature2007.Parse(b); err != nil {
		t.Error(err)
	}
}

func TestRedacts(t *testing.T) {
	r, err := signature2007.Parse(golden(t))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("r", r))
	for _, got := range []string{fmt.Sprintf("%v", r), fmt.Sprintf("%+v", &r), fmt.Sprintf("%#v", struct{ R signature2007.Record }{r}), log.String()} {
		if !strings.Contains(got, "signature record(redacted)") || strings.Contains(got, "32768") {
			t.Errorf("printed %.80q", got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(golden(f))
	f.Add(golden(f)[:34])
	f.Add(octets(f, "53444900 20313000 ffff"+strings.Repeat(" 00", 16)+" 00 00 000001"+strings.Repeat(" 80", 31)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := signature2007.Parse(b)
		if err != nil {
			var e *exchange.FormatError
			if r.Channels != nil || r.Values != nil || !errors.As(err, &e) || e.Offset > len(b) {
				t.Fatal(err)
			}
			return
		}
		again, err := r.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encodes differently: %v", err)
		}
		s, err := r.Sample()
		if err != nil {
			return
		}
		if p, err := signature.Prepare(s); err == nil {
			p.Wipe()
		}
	})
}

func ExampleDecode() {
	s := signature.Sample{HasPressure: true}
	for i := range 20 {
		s.Points = append(s.Points, signature.Point{X: float64(i * i), Y: float64(i), T: float64(10 * i), Pressure: 300})
	}
	record, err := signature2007.Encode(s)
	if err != nil {
		panic(err)
	}
	back, err := signature2007.Decode(record)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(record), "octets,", len(back.Points), "points,", back.Points[3] == s.Points[3])
	binary.BigEndian.PutUint16(record[8:], 0)
	_, err = signature2007.Decode(record)
	fmt.Println(err)
	// Output:
	// 202 octets, 20 points, true
	// checking iso-19794-7-2007: offset 8: channels X and Y are not both included
}
