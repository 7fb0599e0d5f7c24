package finger39794

// element is one element of BER within b. Contents are b[at:end].
type element struct {
	b              []byte
	tag            byte // identifier octet: class, whether constructed, number up to 30
	start, at, end int
}

// Identifier octets, and what they are made of.
const (
	tagRecord   = 0x62 // [APPLICATION 2], constructed
	tagWrapper  = 0xa1 // [1], constructed
	tagSequence = 0x30

	classContext = 0x80
	constructed  = 0x20
	maxTag       = 30 // higher numbers have more octets; no part of the series has as many fields
)

// fault is a broken rule at an offset. The zero value means that nothing is wrong.
type fault struct {
	offset int
	rule   string
}

// next reads the element at an offset and gives the one behind it.
//
//	element = OCTET length *OCTET
//	length  = %x00-7F / %x81 OCTET / %x82 2OCTET / %x83 3OCTET ; not necessarily the shortest
func next(b []byte, at, end int) (e element, f fault) {
	e = element{b: b, start: at}
	if at+2 > end {
		return e, fault{end, ruleShort}
	}
	e.tag = b[at]
	if e.tag&0x1f > maxTag {
		return e, fault{at, ruleTag}
	}
	n := int(b[at+1])
	at += 2
	if n > 0x7f {
		octets := n & 0x7f
		if octets < 1 || octets > 3 {
			return e, fault{at - 1, ruleLength}
		}
		if at+octets > end {
			return e, fault{end, ruleShort}
		}
		n = 0
		for _, o := range b[at : at+octets] {
			n = n<<8 | int(o)
		}
		at += octets
	}
	if n > end-at {
		return e, fault{end, ruleShort}
	}
	e.at, e.end = at, at+n
	return e, fault{}
}

// field finds the child with a context-specific tag. ok is false when there is none. Children must
// be elements up to the end, and the one that is sought must not be there twice.
func (e element) field(number uint8) (found element, ok bool, f fault) {
	if e.tag&constructed == 0 {
		return element{}, false, fault{e.start, ruleConstructed}
	}
	for at := e.at; at < e.end; {
		c, f := next(e.b, at, e.end)
		if f.rule != "" {
			return element{}, false, f
		}
		if c.tag&^constructed == classContext|number {
			if ok {
				return element{}, false, fault{c.start, ruleTwice}
			}
			found, ok = c, true
		}
		at = c.end
	}
	return found, ok, fault{}
}

// follow goes along a path.
func (e element) follow(p Path) (found element, ok bool, f fault) {
	for i, n := range p {
		if e, ok, f = e.field(n); !ok || f.rule != "" {
			return element{}, false, f
		}
		if i == len(p)-1 {
			return e, true, fault{}
		}
	}
	return element{}, false, fault{}
}

// children lists the elements of a SEQUENCE OF sequences, at most a number of them. Encoders that
// leave out the sequence of a single child are not followed.
func (e element) children(most int, many string) (out []element, f fault) {
	if e.tag&constructed == 0 {
		return nil, fault{e.start, ruleConstructed}
	}
	for at := e.at; at < e.end; {
		c, f := next(e.b, at, e.end)
		switch {
		case f.rule != "":
			return nil, f
		case c.tag != tagSequence:
			return nil, fault{c.start, ruleTag}
		case len(out) == most:
			return nil, fault{c.start, many}
		}
		out = append(out, c)
		at = c.end
	}
	return out, fault{}
}

// integer reads an INTEGER or ENUMERATED, or the code of a choice of code and extension, that is
// not negative and at most a number.
func (e element) integer(most int) (v int, f fault) {
	if e.tag&constructed != 0 {
		code, ok, f := e.field(0)
		switch {
		case f.rule != "":
			return 0, f
		case !ok || code.tag&constructed != 0:
			return 0, fault{e.start, ruleCode}
		}
		e = code
	}
	octets := e.b[e.at:e.end]
	switch {
	case len(octets) < 1 || len(octets) > 4 || octets[0] > 0x7f:
		return 0, fault{e.start, ruleInteger}
	case len(octets) > 1 && octets[0] == 0 && octets[1] < 0x80:
		return 0, fault{e.start, ruleInteger} // BER too wants the shortest form
	}
	for _, o := range octets {
		v = v<<8 | int(o)
	}
	if v > most {
		return 0, fault{e.start, ruleRange}
	}
	return v, fault{}
}
