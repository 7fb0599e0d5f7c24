package cbeff

// Tags of ISO/IEC 7816-11 and Doc 9303-10.
const (
	tagDG3           = 0x63
	tagGroup         = 0x7f61
	tagInstances     = 0x02
	tagTemplate      = 0x7f60
	tagHeader        = 0xa1
	tagVersion       = 0x80
	tagType          = 0x81
	tagSubtype       = 0x82
	tagCreated       = 0x83
	tagValidity      = 0x85
	tagCreator       = 0x86
	tagOwner         = 0x87
	tagFormat        = 0x88
	tagData          = 0x5f2e
	tagConstructed   = 0x7f2e
	tagDiscretionary = 0x53
)

// Parse reads one template, a group, or the file EF.DG3 with a group; see [Template.Encode] for
// the grammar. A group may be empty: a passport says so of a holder without fingerprints.
// Discretionary data behind a group, which only make files differ, are checked and dropped.
func Parse(b []byte) ([]Template, error) {
	ts, f := parse(b)
	if f.rule != "" {
		for _, t := range ts {
			clear(t.Data)
		}
		return nil, f.err()
	}
	return ts, nil
}

func parse(b []byte) ([]Template, fault) {
	if len(b) > Max {
		return nil, fault{0, ruleSize}
	}
	r := reader{b: b, end: len(b)}
	tag, in, f := r.next()
	if f.rule == "" && tag == tagDG3 {
		if r.at != r.end {
			return nil, fault{r.at, ruleTrailing}
		}
		r = in
		tag, in, f = r.next()
		if f.rule == "" && tag != tagGroup {
			return nil, fault{in.tagAt, ruleTag}
		}
	}
	switch {
	case f.rule != "":
		return nil, f
	case r.at != r.end:
		return nil, fault{r.at, ruleTrailing}
	case tag == tagGroup:
		return in.group()
	case tag == tagTemplate:
		t, f := in.template()
		return []Template{t}, f
	}
	return nil, fault{in.tagAt, ruleTag}
}

func (r *reader) group() (ts []Template, f fault) {
	tag, in, f := r.next()
	switch {
	case f.rule != "":
		return nil, f
	case tag != tagInstances:
		return nil, fault{in.tagAt, ruleTag}
	case in.len() != 1:
		return nil, fault{in.tagAt, ruleElement}
	}
	count, countAt := int(in.bytes()[0]), in.tagAt
	for r.at != r.end {
		tag, in, f := r.next()
		if f.rule != "" {
			return ts, f
		}
		if tag == tagDiscretionary && r.at == r.end {
			break
		}
		if tag != tagTemplate {
			return ts, fault{in.tagAt, ruleTag}
		}
		if len(ts) == count {
			return ts, fault{countAt, ruleInstances}
		}
		t, f := in.template()
		ts = append(ts, t)
		if f.rule != "" {
			return ts, f
		}
	}
	if len(ts) != count {
		return ts, fault{countAt, ruleInstances}
	}
	return ts, fault{}
}

func (r *reader) template() (t Template, f fault) {
	tag, in, f := r.next()
	switch {
	case f.rule != "":
		return t, f
	case tag != tagHeader:
		return t, fault{in.tagAt, ruleTag}
	}
	if t.Header, f = in.header(); f.rule != "" {
		return t, f
	}
	if r.at == r.end {
		return t, fault{r.at, ruleData}
	}
	tag, in, f = r.next()
	switch {
	case f.rule != "":
		return t, f
	case tag != tagData && tag != tagConstructed:
		return t, fault{in.tagAt, ruleTag}
	case in.len() == 0:
		return t, fault{in.tagAt, ruleData}
	case r.at != r.end:
		return t, fault{r.at, ruleTrailing}
	}
	t.Constructed = tag == tagConstructed
	t.Data = append([]byte(nil), in.bytes()...)
	return t, fault{}
}

func (r *reader) header() (h Header, f fault) {
	start, last := r.tagAt, 0
	for r.at != r.end {
		tag, in, f := r.next()
		if f.rule != "" {
			return h, f
		}
		if tag <= last || !h.set(tag, in.bytes(), &f) {
			return h, fault{in.tagAt, ruleTag}
		}
		if f.rule != "" {
			return h, fault{in.tagAt, f.rule}
		}
		last = tag
	}
	if h.Owner == 0 || h.Format == 0 {
		return h, fault{start, ruleFormat}
	}
	return h, fault{}
}

// set stores one element. It reports false for a tag that is none of the header's.
func (h *Header) set(tag int, v []byte, f *fault) bool {
	least, most := lengths(tag)
	if most == 0 {
		return false
	}
	if len(v) < least || len(v) > most {
		f.rule = ruleElement
		return true
	}
	ok := true
	switch tag {
	case tagVersion:
		h.Version = uint16(number(v))
	case tagType:
		h.Type = number(v)
	case tagSubtype:
		h.Subtype = uint8(number(v))
	case tagCreated:
		if h.Created, ok = moment(v); !ok || !h.Created.valid() {
			f.rule = ruleCreated
		}
	case tagValidity:
		from, ok1 := moment(v[:4])
		until, ok2 := moment(v[4:])
		if h.From, h.Until = from.Date, until.Date; !ok1 || !ok2 || !h.From.valid() {
			f.rule = ruleValidity
		}
	case tagCreator:
		h.Creator = number(v)
	case tagOwner:
		h.Owner = uint16(number(v))
	case tagFormat:
		h.Format = uint16(number(v))
	}
	if f.rule == "" && tag < tagOwner {
		// The owner is not known yet, so that its absence is not this element's fault.
		g := *h
		g.Owner, g.Format = 1, 1
		f.rule = g.fault()
	}
	return true
}

// lengths bounds the octets of a header element; most is 0 for a tag that is none.
func lengths(tag int) (least, most int) {
	switch tag {
	case tagVersion, tagOwner, tagFormat:
		return 2, 2
	case tagType:
		return 1, 3
	case tagSubtype:
		return 1, 1
	case tagCreated:
		return 7, 7
	case tagValidity:
		return 8, 8
	case tagCreator:
		return 4, 4
	}
	return 0, 0
}

func number(v []byte) (n uint32) {
	for _, o := range v {
		n = n<<8 | uint32(o)
	}
	return n
}

// moment reads a date, or date and time, in binary coded decimals. It reports false when there is
// something else in them.
func moment(v []byte) (t Time, ok bool) {
	var parts [6]uint16 // year in two octets, the others in one
	for i, o := range v {
		if o>>4 > 9 || o&0xf > 9 {
			return Time{}, false
		}
		at := max(0, i-1)
		parts[at] = parts[at]*100 + uint16(o>>4)*10 + uint16(o&0xf)
	}
	t.Date = Date{parts[0], uint8(parts[1]), uint8(parts[2])}
	t.Hour, t.Minute, t.Second = uint8(parts[3]), uint8(parts[4]), uint8(parts[5])
	return t, true
}

// reader goes through the elements of an interval of b. tagAt is where the element that holds
// the interval begins.
type reader struct {
	b              []byte
	at, end, tagAt int
}

func (r *reader) len() int      { return r.end - r.at }
func (r *reader) bytes() []byte { return r.b[r.at:r.end] }

// next reads the header of an element and gives its tag and contents. Tags here have one octet, or
// two of which the first is 5F or 7F; any other comes out as a number that is none of them.
func (r *reader) next() (tag int, in reader, f fault) {
	in = reader{b: r.b, tagAt: r.at}
	at := r.at
	octet := func() int {
		if at >= r.end {
			f = fault{r.end, ruleShort}
			return 0
		}
		at++
		return int(r.b[at-1])
	}
	tag = octet()
	if tag == 0x5f || tag == 0x7f {
		tag = tag<<8 | octet()
	}
	n := octet()
	if n > 0x7f {
		octets := n & 0x7f
		if octets < 1 || octets > 3 {
			return 0, in, fault{at - 1, ruleLength}
		}
		first := at - 1
		n = 0
		for range octets {
			n = n<<8 | octet()
		}
		if f.rule == "" && (n < 0x80 || n>>(8*(octets-1)) == 0) {
			return 0, in, fault{first, ruleLength}
		}
	}
	if f.rule == "" && n > r.end-at {
		f = fault{r.end, ruleShort}
	}
	if f.rule != "" {
		return 0, in, f
	}
	in.at, in.end = at, at+n
	r.at = in.end
	return tag, in, fault{}
}
