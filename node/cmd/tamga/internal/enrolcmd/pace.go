package enrolcmd

import (
	"fmt"
	"time"
)

// pace says how far an import is, at every tenth when it is known how much there is,
// and else ever so often. Short ones are not worth a word.
type pace struct {
	total int // 0: not known
	first int // done when the clock started: what an earlier run settled is skipped at another rate
	since time.Time
	next  int // when to say something
}

// worth is from how many records on an import is worth a word, and how many more of
// an unknown number are worth the next.
const (
	worthFirst = 1000
	worthNext  = 10_000
)

// line is what to say now that so much is done, or empty.
func (p *pace) line(done int, now time.Time) string {
	if p.since.IsZero() {
		p.first, p.since = done, now
	}
	if p.total > 0 && p.total < worthFirst || done < p.due() {
		return ""
	}
	p.pass(done)
	rate := float64(done-p.first) / now.Sub(p.since).Seconds()
	if p.total == 0 {
		if done == p.first {
			return fmt.Sprintf("enrolling: %d", done)
		}
		return fmt.Sprintf("enrolling: %d, %.0f a second", done, rate)
	}
	text := fmt.Sprintf("enrolling: %d %% (%d of %d", done*100/p.total, done, p.total)
	if done > p.first {
		text += fmt.Sprintf(", %.0f a second", rate)
		if left := float64(p.total-done) / rate; done < p.total {
			text += fmt.Sprintf(", %s left", time.Duration(left*float64(time.Second)).Round(time.Second))
		}
	}
	return text + ")"
}

// due is how much must be done for the next line.
func (p *pace) due() int {
	switch {
	case p.next > 0:
		return p.next
	case p.total > 0:
		return (p.total + 9) / 10
	}
	return worthFirst
}

// pass sets when the line after this one is due.
func (p *pace) pass(done int) {
	if p.total > 0 {
		tenth := done * 10 / p.total
		p.next = ((tenth+1)*p.total + 9) / 10
		return
	}
	p.next = (done/worthNext + 1) * worthNext
}
