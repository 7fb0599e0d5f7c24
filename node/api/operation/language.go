package operation

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/protocol/sentences"
	"github.com/tamga-id/tamga/node/api/problem"
)

// Spoken is a body with sentences of the registry in it.
type Spoken interface {
	// In returns the body with these in the language.
	In(language string) any
}

// Say puts the sentences of a code into the language; without a code nothing changes.
func Say(language, code string, title, next *string) {
	if e, ok := protocol.Lookup(protocol.Code(code)); ok {
		e = sentences.In(language, e)
		*title, *next = e.Title, e.Next
	}
}

// inLanguage puts the registry's sentences in what is answered into the language that the guard found to be wanted.
func inLanguage(ctx huma.Context, _ string, v any) (any, error) {
	language := ctx.Header("Accept-Language")
	if language != sentences.Russian {
		return v, nil
	}
	switch b := v.(type) {
	case *problem.Problem:
		return b.In(language), nil
	case Spoken:
		return b.In(language), nil
	}
	return v, nil
}
