package strictjson

// text reads a string literal and returns it with its quotes, and whether it
// has escapes. Surrogates must come in pairs: Go turns a lone one into U+FFFD,
// others keep it, and the two would then read different text.
func (s *scanner) text() (raw []byte, escaped bool, err error) {
	start := s.pos
	s.pos++ // opening quote
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return s.data[start:s.pos], escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < 0x20:
			return nil, false, s.fail("control character in a string")
		default:
			s.pos++
		}
	}
	return nil, false, s.fail("unterminated string")
}

func (s *scanner) escape() error {
	s.pos++ // backslash
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	case 'u':
		s.pos++
	default:
		return s.fail("unknown escape")
	}
	unit, ok := s.hex4()
	if !ok {
		return s.fail("unknown escape")
	}
	switch {
	case 0xDC00 <= unit && unit <= 0xDFFF:
		return s.fail("lone surrogate")
	case 0xD800 <= unit && unit <= 0xDBFF:
		if s.pos+1 >= len(s.data) || s.data[s.pos] != '\\' || s.data[s.pos+1] != 'u' {
			return s.fail("lone surrogate")
		}
		s.pos += 2
		if low, ok := s.hex4(); !ok || low < 0xDC00 || low > 0xDFFF {
			return s.fail("lone surrogate")
		}
	}
	return nil
}

func (s *scanner) hex4() (unit uint32, ok bool) {
	if len(s.data)-s.pos < 4 {
		return 0, false
	}
	for _, c := range s.data[s.pos : s.pos+4] {
		switch {
		case '0' <= c && c <= '9':
			unit = unit<<4 | uint32(c-'0')
		case 'a' <= c && c <= 'f':
			unit = unit<<4 | uint32(c-'a'+10)
		case 'A' <= c && c <= 'F':
			unit = unit<<4 | uint32(c-'A'+10)
		default:
			return 0, false
		}
	}
	s.pos += 4
	return unit, true
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case '1' <= c && c <= '9':
		s.digits()
	default:
		return s.fail("malformed number")
	}
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			return s.fail("malformed number")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			return s.fail("malformed number")
		}
	}
	return nil
}

func (s *scanner) digits() (n int) {
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.pos++
		n++
	}
	return n
}
