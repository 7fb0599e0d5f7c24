package problem

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/tamga-id/tamga/federation/protocol"
)

// Rulebook puts huma's findings into words of the schema. huma's own error repeats
// the submitted value, the member names it did not know, and texts of encoding/json
// that quote the input, so nothing of it is passed on but a place, looked up in the
// schema step by step. It is a transformer, not a replacement of huma.NewError,
// because that is a variable of the whole process.
type Rulebook struct {
	registry huma.Registry
	bodies   map[string]*huma.Schema // by operation ID; fixed before the first request
}

// NewRulebook explains by the schemas of registry.
func NewRulebook(registry huma.Registry) *Rulebook {
	return &Rulebook{registry: registry, bodies: make(map[string]*huma.Schema)}
}

// Body has faults in the JSON body of op explained. It is called before the first request.
func (r *Rulebook) Body(op *huma.Operation) {
	r.bodies[op.OperationID] = r.resolve(op.RequestBody.Content["application/json"].Schema)
}

// Transform is a huma.Transformer.
func (r *Rulebook) Transform(ctx huma.Context, status string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	n, err := strconv.Atoi(status)
	if err != nil {
		return nil, fmt.Errorf("reading status: %w", err)
	}
	if n >= http.StatusInternalServerError {
		return New(n, protocol.CodeInternal, ""), nil
	}
	var errs []Violation
	for _, d := range e.Errors {
		if d == nil {
			continue
		}
		if v := r.violation(ctx.Operation(), d); !slices.Contains(errs, v) {
			errs = append(errs, v)
		}
	}
	return New(n, protocol.CodeRequest, "", errs...), nil
}

// violation explains d by the schema at the place it names. A step that the schema
// does not have ends the walk: its name is the caller's.
func (r *Rulebook) violation(op *huma.Operation, d *huma.ErrorDetail) Violation {
	root, steps := path(d.Location)
	if root != "body" {
		for _, p := range op.Parameters {
			if root == p.In && len(steps) == 1 && steps[0] == p.Name {
				return Violation{"", p.In + " " + p.Name + " " + describe(p.Schema)}
			}
		}
		return Violation{"", "takes no other parameters"}
	}
	s, pointer := r.bodies[op.OperationID], ""
	for _, step := range steps {
		next, name := r.step(s, step)
		if next == nil {
			break
		}
		s, pointer = next, pointer+"/"+name
	}
	if s == nil {
		return Violation{"", "must be as the OpenAPI document says"}
	}
	for _, name := range s.Required {
		if d.Message == fmt.Sprintf(validation.MsgExpectedRequiredProperty, name) {
			return Violation{pointer + "/" + name, "is required"}
		}
	}
	return Violation{pointer, describe(s)}
}

func (r *Rulebook) step(s *huma.Schema, step string) (*huma.Schema, string) {
	if s == nil {
		return nil, ""
	}
	if i, err := strconv.ParseUint(step, 10, 16); err == nil && s.Items != nil {
		return r.resolve(s.Items), strconv.FormatUint(i, 10)
	}
	for name, p := range s.Properties {
		if name == step {
			return r.resolve(p), name
		}
	}
	return nil, ""
}

func (r *Rulebook) resolve(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = r.registry.SchemaFromRef(s.Ref)
	}
	return s
}

// path splits a huma location such as body.probes[0].data.
func path(location string) (root string, steps []string) {
	all := strings.FieldsFunc(location, func(c rune) bool { return c == '.' || c == '[' || c == ']' })
	if len(all) == 0 {
		return "", nil
	}
	return all[0], all[1:]
}

// describe says what the schema asks for, all of it: which part was broken can be
// seen by whoever has the value.
func describe(s *huma.Schema) string {
	switch s.Type {
	case huma.TypeObject:
		names := make([]string, 0, len(s.Properties))
		for name := range s.Properties {
			names = append(names, name)
		}
		slices.Sort(names)
		return "must be an object with no members but " + strings.Join(names, ", ")
	case huma.TypeArray:
		return "must be an array" + bounds(s.MinItems, s.MaxItems, "items")
	case huma.TypeInteger:
		return fmt.Sprintf("must be an integer from %v to %v", value(s.Minimum), value(s.Maximum))
	case huma.TypeString:
		if len(s.Enum) > 0 {
			words := make([]string, len(s.Enum))
			for i, e := range s.Enum {
				words[i] = fmt.Sprint(e)
			}
			return "must be one of " + strings.Join(words, ", ")
		}
		text := "must be a string" + bounds(s.MinLength, s.MaxLength, "characters")
		if s.ContentEncoding != "" {
			text += " in " + s.ContentEncoding
		}
		if s.Pattern != "" {
			text += " that matches " + s.Pattern
		}
		return text
	}
	return "must be as the OpenAPI document says"
}

func bounds(low, high *int, what string) string {
	switch {
	case low != nil && high != nil && *low == *high:
		return fmt.Sprintf(" of %d %s", *low, what)
	case low != nil && high != nil:
		return fmt.Sprintf(" of %d to %d %s", *low, *high, what)
	case high != nil:
		return fmt.Sprintf(" of at most %d %s", *high, what)
	case low != nil:
		return fmt.Sprintf(" of at least %d %s", *low, what)
	}
	return ""
}

func value(f *float64) string {
	if f == nil {
		return "any"
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}
