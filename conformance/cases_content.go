package conformance

import (
	"bytes"
	"context"
	"strings"

	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/federation/protocol"
)

// contentCases break what is sealed, TMG-Q-011 to TMG-Q-015.
func contentCases() []Case {
	const hint = "Accept the deterministic encoding of sealed-query and nothing else."
	bad := func(id, title, requirement string, f func(d *draft)) Case {
		return Case{ID: id, Title: title, Negative: true, Requirements: []string{requirement, "TMG-Q-013"}, Hint: hint,
			steps: answers(func(_ *session, d *draft) error { f(d); return nil }, protocol.CodeSealedContent)}
	}
	return []Case{
		bad("TMG-CONF-S-020", "a sealed part that is no CBOR is refused", "TMG-Q-011", plain(func([]byte) []byte { return []byte("{}") })),
		bad("TMG-CONF-S-021", "a length that is not in shortest form is refused", "TMG-Q-011", plain(longForm)),
		bad("TMG-CONF-S-022", "a map of indefinite length is refused", "TMG-Q-011", plain(func(b []byte) []byte {
			return append(append([]byte{0xbf}, b[1:]...), 0xff)
		})),
		bad("TMG-CONF-S-023", "bytes behind the sealed part are refused", "TMG-Q-011", plain(func(b []byte) []byte { return append(bytes.Clone(b), 0) })),
		bad("TMG-CONF-S-024", "an unknown key in the sealed part is refused", "TMG-Q-011", func(d *draft) { d.Content[9] = "x" }),
		bad("TMG-CONF-S-025", "a key of text in place of a number is refused", "TMG-Q-011", plain(func(b []byte) []byte {
			return append([]byte{b[0] + 1}, append(bytes.Clone(b[1:]), 0x61, 'x', 0x01)...)
		})),
		bad("TMG-CONF-S-026", "a tag is refused", "TMG-Q-011", plain(func(b []byte) []byte { return append([]byte{0xd9, 0xd9, 0xf7}, b...) })),
		bad("TMG-CONF-S-027", "a Query without a probe is refused", "TMG-Q-011", func(d *draft) { d.Content[wire.KeyProbes] = []any{} }),
		bad("TMG-CONF-S-028", "eleven probes are refused", "TMG-Q-011", func(d *draft) {
			d.Content[wire.KeyProbes] = repeat(d.Probe(0), 11)
		}),
		bad("TMG-CONF-S-029", "an empty record is refused", "TMG-Q-011", func(d *draft) { d.Probe(0)[wire.KeyRecord] = []byte{} }),
		bad("TMG-CONF-S-030", "a record of 65,537 bytes is refused", "TMG-Q-011", func(d *draft) { d.Probe(0)[wire.KeyRecord] = make([]byte, 65_537) }),
		bad("TMG-CONF-S-031", "finger position 11 is refused", "TMG-Q-011", func(d *draft) { d.Probe(0)[wire.KeyPosition] = 11 }),
		bad("TMG-CONF-S-032", "quality 101 is refused", "TMG-Q-011", func(d *draft) { d.Probe(0)[wire.KeyQuality] = 101 }),
		bad("TMG-CONF-S-033", "a quality of zero in place of none is refused", "TMG-Q-011", func(d *draft) { d.Probe(0)[wire.KeyQuality] = 0 }),
		bad("TMG-CONF-S-034", "a consent of 8,193 bytes is refused", "TMG-Q-013", func(d *draft) { d.Content[wire.KeyConsent] = strings.Repeat("a", 8193) }),
		bad("TMG-CONF-S-035", "an identifier in lower case is refused", "TMG-Q-012", func(d *draft) { d.Subject()[3] = strings.ToLower("x1" + d.Subject()[3].(string)) }),
		bad("TMG-CONF-S-036", "an identifier with a space is refused", "TMG-Q-012", func(d *draft) { d.Subject()[3] = "X1 234567" }),
		bad("TMG-CONF-S-037", "an identifier with a Cyrillic letter is refused", "TMG-Q-012", func(d *draft) { d.Subject()[3] = "Х1234567" }),
		bad("TMG-CONF-S-038", "an identifier type that does not exist is refused", "TMG-Q-012", func(d *draft) { d.Subject()[2] = "name" }),
		{ID: "TMG-CONF-S-040", Title: "a subject of another country's register is refused", Negative: true, Requirements: []string{"TMG-Q-014", "TMG-R-009"},
			Hint: "A node speaks for its own register only.", steps: answers(foreign, protocol.CodeJurisdiction)},
		{ID: "TMG-CONF-S-041", Title: "a record that does not parse is refused", Negative: true, Requirements: []string{"TMG-Q-015"},
			Hint: "A broken record is the sender's fault, not a no.", steps: answers(garbage, protocol.CodeProbe)},
		{ID: "TMG-CONF-S-042", Title: "a record with bytes behind its end is refused", Negative: true, Requirements: []string{"TMG-Q-015"},
			Hint: "A broken record is the sender's fault, not a no.", steps: answers(func(_ *session, d *draft) error {
				d.Probe(0)[wire.KeyRecord] = append(bytes.Clone(d.Probe(0)[wire.KeyRecord].([]byte)), 0)
				return nil
			}, protocol.CodeProbe)},
		{ID: "TMG-CONF-S-043", Title: "a format that is not served is refused", Negative: true, Requirements: []string{"TMG-Q-015"},
			steps: answers(func(_ *session, d *draft) error { d.Probe(0)[wire.KeyFormat] = "no-such-format"; return nil }, protocol.CodeModality)},
		{ID: "TMG-CONF-S-044", Title: "a modality that is not served is refused", Negative: true, Requirements: []string{"TMG-Q-015"},
			Hint:  "The law may name the modalities it allows; then the refusal may be the law's.",
			steps: answers(func(_ *session, d *draft) error { d.Probe(0)[wire.KeyModality] = "no-such-modality"; return nil }, protocol.CodeModality, protocol.CodeLaw)},
		{ID: "TMG-CONF-S-045", Title: "a record that does not parse is refused whoever it is about", Negative: true, Requirements: []string{"TMG-Q-015"},
			Hint: "Look at the records before the register: otherwise a broken record tells who is in it.", steps: garbageOfUnknown},
	}
}

func plain(edit func([]byte) []byte) func(*draft) { return func(d *draft) { d.Plain = edit } }

// longForm writes the first key of the map, 1, in two bytes.
func longForm(b []byte) []byte { return append([]byte{b[0], 0x18, 0x01}, b[2:]...) }

func repeat(v any, n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// foreign asks about somebody of another register.
func foreign(s *session, d *draft) error {
	d.Subject()[1] = "KAZ"
	if s.Target.Jurisdiction == "KAZ" {
		d.Subject()[1] = "KGZ"
	}
	return nil
}

func garbageOfUnknown(ctx context.Context, s *session) error {
	p, err := s.Stranger()
	if err != nil {
		return err
	}
	d, err := s.About(p, s.Target.Ground())
	if err != nil {
		return err
	}
	if err := garbage(s, d); err != nil {
		return err
	}
	_, err = s.Answered(ctx, d, protocol.CodeProbe)
	return err
}

func garbage(_ *session, d *draft) error {
	d.Probe(0)[wire.KeyRecord] = bytes.Repeat([]byte{0xa5}, 200)
	return nil
}
