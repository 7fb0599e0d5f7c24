package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/gallery"
)

// problem is an RFC 9457 problem detail. Every text in it is a constant of the
// program or of the schema.
type problem struct {
	Type   string      `json:"type" doc:"Stable identifier of the kind of problem: urn:tamga:problem: and the code." format:"uri"`
	Title  string      `json:"title" doc:"What the code means, in one sentence."`
	Status int         `json:"status" doc:"The HTTP status."`
	Detail string      `json:"detail,omitempty" doc:"What it means here. Never a submitted value."`
	Code   string      `json:"code" doc:"Code from the registry; tamga help CODE explains it." pattern:"^TMG-[A-Z]{3}-[0-9]{4}$"`
	Next   string      `json:"next" doc:"What to do now."`
	Errors []violation `json:"errors,omitempty" nullable:"false" doc:"Where the request breaks the schema, and which rule. At most 32 are listed."`
}

// violation is one broken rule.
type violation struct {
	Pointer string `json:"pointer" doc:"JSON Pointer (RFC 6901) into the request body; empty for the whole of it, or for what is not in the body."`
	Rule    string `json:"rule" doc:"The rule that is broken, in words. Never a submitted value."`
}

// maxViolations bounds a problem: more would not help anybody mend a request.
const maxViolations = 32

const problemType = "application/problem+json"

func newProblem(status int, code protocol.Code, detail string, errs ...violation) *problem {
	e, _ := protocol.Lookup(code)
	return &problem{
		Type: "urn:tamga:problem:" + string(code), Title: e.Title, Status: status, Detail: detail,
		Code: string(code), Next: e.Next, Errors: errs[:min(len(errs), maxViolations)],
	}
}

// invalid is the problem of a request that breaks one rule of the schema.
func invalid(pointer, rule string) *problem {
	return newProblem(http.StatusUnprocessableEntity, protocol.CodeRequest, "", violation{pointer, rule})
}

// ofStore is the problem of an error of the gallery; detail says it of one that has no
// code of its own.
func ofStore(err error, detail string) *problem {
	switch {
	case errors.Is(err, gallery.ErrFull), errors.Is(err, ledger.ErrNoSpace):
		return newProblem(http.StatusInsufficientStorage, protocol.CodeStoreFull, "")
	case errors.Is(err, gallery.ErrReopen):
		return newProblem(http.StatusServiceUnavailable, protocol.CodeStoreInDoubt, "Restart the node, then send the same again: nothing is stored or erased before.")
	case errors.Is(err, gallery.ErrInDoubt):
		return newProblem(http.StatusServiceUnavailable, protocol.CodeStoreInDoubt, "")
	case errors.Is(err, gallery.ErrOutdated):
		return newProblem(http.StatusServiceUnavailable, protocol.CodeRotation, "Another node of the same store has rotated to a key that this one lacks: give it the keystore of that node.")
	case errors.Is(err, gallery.ErrOlderKeys):
		return newProblem(http.StatusServiceUnavailable, protocol.CodeOlderKeys, "")
	case errors.Is(err, pseudonym.ErrHolders):
		return newProblem(http.StatusServiceUnavailable, protocol.CodePseudonymHolder, "")
	case errors.Is(err, gallery.ErrUnavailable):
		return newProblem(http.StatusServiceUnavailable, protocol.CodeStoreAway, detail)
	}
	return newProblem(http.StatusInternalServerError, protocol.CodeInternal, detail)
}

func (p *problem) Error() string { return p.Code }

// GetStatus makes a problem an error that huma writes as it is.
func (p *problem) GetStatus() int { return p.Status }

// ContentType is the media type of a problem.
func (p *problem) ContentType(string) string { return problemType }

func (p *problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = marshal(w, p)
}

// rulebook puts huma's findings into words of the schema. huma's own error repeats
// the submitted value, the member names it did not know, and texts of encoding/json
// that quote the input, so nothing of it is passed on but a place, looked up in the
// schema step by step. It is a transformer, not a replacement of huma.NewError,
// because that is a variable of the whole process.
type rulebook struct {
	registry huma.Registry
	bodies   map[string]*huma.Schema // by operation ID; fixed before the first request
}

func (r *rulebook) transform(ctx huma.Context, status string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	n, err := strconv.Atoi(status)
	if err != nil {
		return nil, fmt.Errorf("reading status: %w", err)
	}
	if n >= http.StatusInternalServerError {
		return newProblem(n, protocol.CodeInternal, ""), nil
	}
	var errs []violation
	for _, d := range e.Errors {
		if d == nil {
			continue
		}
		if v := r.violation(ctx.Operation(), d); !slices.Contains(errs, v) {
			errs = append(errs, v)
		}
	}
	return newProblem(n, protocol.CodeRequest, "", errs...), nil
}

// violation explains d by the schema at the place it names. A step that the schema
// does not have ends the walk: its name is the caller's.
func (r *rulebook) violation(op *huma.Operation, d *huma.ErrorDetail) violation {
	root, steps := path(d.Location)
	if root != "body" {
		for _, p := range op.Parameters {
			if root == p.In && len(steps) == 1 && steps[0] == p.Name {
				return violation{"", p.In + " " + p.Name + " " + describe(p.Schema)}
			}
		}
		return violation{"", "takes no other parameters"}
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
		return violation{"", "must be as the OpenAPI document says"}
	}
	for _, name := range s.Required {
		if d.Message == fmt.Sprintf(validation.MsgExpectedRequiredProperty, name) {
			return violation{pointer + "/" + name, "is required"}
		}
	}
	return violation{pointer, describe(s)}
}

func (r *rulebook) step(s *huma.Schema, step string) (*huma.Schema, string) {
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

func (r *rulebook) resolve(s *huma.Schema) *huma.Schema {
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
