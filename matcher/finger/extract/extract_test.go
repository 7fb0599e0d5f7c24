package extract_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/finger/extract"
)

// turn is a place where the phase of drawn ridges turns once, one way or the other.
type turn struct {
	x, y float64
	sign float64
}

// draw makes a picture of ridges a given distance apart with minutiae exactly where the phase is
// told to turn, after the FM model of Larkin and Fletcher: horizontal ridges, the whole turned
// about the middle.
func draw(width, height int, period, angle float64, turns []turn) extract.Image {
	m := extract.Image{Pix: make([]uint8, width*height), Width: width, Height: height, DPI: 500}
	sin, cos := math.Sincos(angle)
	cx, cy := float64(width)/2, float64(height)/2
	for y := range height {
		for x := range width {
			u, v := float64(x)-cx, float64(y)-cy
			u, v = u*cos+v*sin, v*cos-u*sin
			phase := 2 * math.Pi * v / period
			for _, t := range turns {
				phase += t.sign * math.Atan2(v-t.y, u-t.x)
			}
			m.Pix[y*width+x] = uint8(128 - 90*math.Cos(phase))
		}
	}
	return m
}

// TestKnownMinutiae: minutiae come out where they were put, within a pixel, with the direction
// of ISO/IEC 19794-2 clause 6.3 (into the ridge that ends, into the valley that a fork encloses)
// and of the right kind, whatever way the ridges run and however far apart they are.
func TestKnownMinutiae(t *testing.T) {
	for _, period := range []float64{7, 9, 12} {
		turns := []turn{
			{-60, -5 * period, 1}, {60, -5 * period, -1}, {-60, 4.5 * period, -1}, {60, 4.5 * period, 1},
		}
		for angle := -1.5; angle < 1.6; angle += 0.5 {
			m := draw(300, 320, period, angle, turns)
			r, err := extract.Extract(m)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("period %v angle %.1f", period, angle)
			if len(r.Sample.Minutiae) != len(turns) {
				t.Errorf("%s: %d minutiae, want %d", name, len(r.Sample.Minutiae), len(turns))
				continue
			}
			sin, cos := math.Sincos(angle)
			for _, want := range turns {
				x, y := 150+want.x*cos-want.y*sin, 160+want.y*cos+want.x*sin
				direction := -angle
				if want.sign < 0 {
					direction += math.Pi
				}
				// What begins there is a ridge if the picture is dark ahead.
				ahead := func(d float64) uint8 {
					return m.Pix[int(y-d*math.Sin(direction)+0.5)*300+int(x+d*math.Cos(direction)+0.5)]
				}
				kind := uint8(1)
				if ahead(4) > ahead(-4) {
					kind = 2
				}
				check(t, name, r.Sample.Minutiae, x, y, direction, kind)
			}
		}
	}
}

// check looks for one minutia.
func check(t *testing.T, name string, got []finger.Minutia, x, y, direction float64, kind uint8) {
	t.Helper()
	for _, m := range got {
		if math.Hypot(float64(m.X)-x, float64(m.Y)-y) > 1.5 {
			continue
		}
		off := math.Remainder(float64(m.Angle)*math.Pi/128-direction, 2*math.Pi)
		if math.Abs(off) > 0.1 {
			t.Errorf("%s: direction off by %.2f", name, off)
		}
		if m.Type != kind {
			t.Errorf("%s: type %d, want %d", name, m.Type, kind)
		}
		if m.Quality < 1 || m.Quality > 100 {
			t.Errorf("%s: quality %d", name, m.Quality)
		}
		return
	}
	t.Errorf("%s: no minutia at %.1f, %.1f", name, x, y)
}

// TestResolution: minutiae are in pixels of the image that was given.
func TestResolution(t *testing.T) {
	for _, dpi := range []int{400, 569, 1000} {
		scale := float64(dpi) / 500
		m := draw(int(300*scale), int(320*scale), 9*scale, 0, []turn{{-20 * scale, -36 * scale, 1}})
		m.DPI = dpi
		r, err := extract.Extract(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Sample.Minutiae) != 1 {
			t.Fatalf("%d dpi: %d minutiae, want 1", dpi, len(r.Sample.Minutiae))
		}
		got := r.Sample.Minutiae[0]
		dx, dy := float64(got.X)-130*scale, float64(got.Y)-124*scale
		if math.Hypot(dx, dy) > 1.5*max(1, scale) {
			t.Errorf("%d dpi: off by %.1f, %.1f", dpi, dx, dy)
		}
		if want := uint16(math.Round(float64(dpi) / 2.54)); r.Sample.ResX != want || r.Sample.ResY != want {
			t.Errorf("%d dpi: resolution %d, want %d", dpi, r.Sample.ResX, want)
		}
		if int(r.Sample.Width) != m.Width || int(r.Sample.Height) != m.Height {
			t.Errorf("%d dpi: size %dx%d", dpi, r.Sample.Width, r.Sample.Height)
		}
	}
}

// fill makes a picture of a rule.
func fill(width, height int, rule func(x, y int) uint8) extract.Image {
	m := extract.Image{Pix: make([]uint8, width*height), Width: width, Height: height, DPI: 500}
	for i := range m.Pix {
		m.Pix[i] = rule(i%width, i/width)
	}
	return m
}

// TestNoFinger: pictures of no finger have next to no minutiae and a low quality.
func TestNoFinger(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		rule func(x, y int) uint8
		most int
	}{
		{"black", func(int, int) uint8 { return 0 }, 0},
		{"white", func(int, int) uint8 { return 255 }, 0},
		{"slope", func(x, y int) uint8 { return uint8((x + y) / 3) }, 0},
		{"edge", func(x, _ int) uint8 { return uint8(x / 150 * 255) }, 2},
		{"stripes", func(x, _ int) uint8 { return uint8(x / 4 % 2 * 255) }, 0},
		{"fine-stripes", func(x, _ int) uint8 { return uint8(x % 2 * 255) }, 2},
		{"checks", func(x, y int) uint8 { return uint8((x/8 + y/8) % 2 * 255) }, 5},
		{"dot", func(x, y int) uint8 { return uint8(boolean(x == 150 && y == 150) * 255) }, 2},
		{"noise", func(int, int) uint8 { return uint8(noise.IntN(256)) }, 5},
	} {
		r, err := extract.Extract(fill(300, 300, c.rule))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if n := len(r.Sample.Minutiae); n > c.most {
			t.Errorf("%s: %d minutiae, want at most %d", c.name, n, c.most)
		}
		if r.Sample.Quality > 30 {
			t.Errorf("%s: quality %d", c.name, r.Sample.Quality)
		}
		if r.Sample.Quality < 50 && len(r.Reasons) == 0 {
			t.Errorf("%s: quality %d without a reason", c.name, r.Sample.Quality)
		}
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestReasons: the reason given is the fault that was made.
func TestReasons(t *testing.T) {
	spots := []turn{}
	for i := range 30 {
		spots = append(spots, turn{float64(i%6*40 - 100), float64(i/6*45 - 90), float64(1 - i%2*2)})
	}
	good := draw(300, 300, 9, 0.4, spots)
	r, err := extract.Extract(good)
	if err != nil || len(r.Reasons) != 0 || r.Sample.Quality < 80 {
		t.Fatalf("a good picture: quality %d, %v, %v", r.Sample.Quality, r.Reasons, err)
	}
	faint := fill(300, 300, func(x, y int) uint8 { return 128 + good.Pix[y*300+x]/16 })
	small := fill(300, 300, func(x, y int) uint8 {
		if x < 90 && y < 90 {
			return good.Pix[y*300+x]
		}
		return 255
	})
	for _, c := range []struct {
		name  string
		image extract.Image
		want  extract.Reason
	}{
		{"faint", faint, extract.LowContrast},
		{"small", small, extract.SmallArea},
		{"plain", draw(300, 300, 9, 0.4, nil), extract.FewMinutiae},
		{"blank", fill(300, 300, func(int, int) uint8 { return 200 }), extract.NoFinger},
	} {
		r, err := extract.Extract(c.image)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, reason := range r.Reasons {
			found = found || reason == c.want
		}
		if !found {
			t.Errorf("%s: reasons %v, want %s among them", c.name, r.Reasons, c.want)
		}
	}
}

// TestRefusals: an image of the wrong shape is refused before any work.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name               string
		width, height, dpi int
		pixels             int
		want               error
	}{
		{"narrow", 1, 300, 500, 300, extract.ErrSize},
		{"low", 300, 99, 500, 29700, extract.ErrSize},
		{"wide", 4001, 300, 500, 0, extract.ErrSize},
		{"area", 2001, 2000, 500, 0, extract.ErrSize},
		{"coarse", 4000, 4000, 250, 0, extract.ErrSize},
		{"negative", -300, -300, 500, 90000, extract.ErrSize},
		{"coarse", 300, 300, 249, 90000, extract.ErrResolution},
		{"fine", 300, 300, 1201, 90000, extract.ErrResolution},
		{"plate", 3000, 3000, 700, 0, extract.ErrSize},
		{"short", 300, 300, 500, 89999, extract.ErrPixels},
		{"zero", 0, 0, 0, 0, extract.ErrSize},
	} {
		_, err := extract.Extract(extract.Image{Pix: make([]uint8, c.pixels), Width: c.width, Height: c.height, DPI: c.dpi})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

// TestSmallestAndOddest: the ends of what is accepted do not fail.
func TestSmallestAndOddest(t *testing.T) {
	for _, c := range []extract.Image{
		{Width: 100, Height: 100, DPI: 1200},
		{Width: 100, Height: 4000, DPI: 250},
		{Width: 101, Height: 103, DPI: 500},
		{Width: 1001, Height: 100, DPI: 777},
	} {
		c.Pix = draw(c.Width, c.Height, 9, 1, nil).Pix
		if _, err := extract.Extract(c); err != nil {
			t.Errorf("%dx%d: %v", c.Width, c.Height, err)
		}
	}
}

// TestDeterminism: used memory, the order of images and other goroutines change nothing.
func TestDeterminism(t *testing.T) {
	spots := []turn{{-60, -45, 1}, {40, 30, -1}, {10, 81, 1}}
	images := []extract.Image{draw(300, 320, 9, 0.3, spots), draw(200, 240, 8, 1.3, spots), draw(310, 260, 11, -1, spots)}
	var want [3]extract.Result
	for i, m := range images {
		want[i], _ = extract.Extract(m)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for k := range 6 {
				got, err := extract.Extract(images[k%3])
				if err != nil || !reflect.DeepEqual(got, want[k%3]) {
					t.Errorf("image %d: another result the second time", k%3)
				}
			}
		})
	}
	group.Wait()
}

// TestRedaction: an image does not print.
func TestRedaction(t *testing.T) {
	m := extract.Image{Pix: []uint8{201, 202}, Width: 2, Height: 1, DPI: 500}
	for _, s := range []string{fmt.Sprintf("%v", m), fmt.Sprintf("%+v", m), fmt.Sprintf("%#v", m), fmt.Sprint(&m), m.LogValue().String()} {
		if strings.Contains(s, "201") || !strings.Contains(s, "redacted") {
			t.Errorf("printed %q", s)
		}
	}
}
