package api

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/problem"
)

// inLanguage puts the registry's sentences in what is answered into the language that the guard found to be wanted.
func inLanguage(ctx huma.Context, _ string, v any) (any, error) {
	language := ctx.Header("Accept-Language")
	if language != protocol.Russian {
		return v, nil
	}
	say := func(code string, title, next *string) {
		if e, ok := protocol.Lookup(protocol.Code(code)); ok {
			e = e.In(language)
			*title, *next = e.Title, e.Next
		}
	}
	switch b := v.(type) {
	case *problem.Problem:
		return b.In(language), nil
	case verification:
		say(b.Code, &b.Title, &b.Next)
		return b, nil
	case ledgerReport:
		say(b.Code, &b.Title, &b.Next)
		return b, nil
	case renewal:
		say(b.Code, &b.Title, &b.Next)
		return b, nil
	case check:
		say(b.Code, &b.Title, &b.Next)
		return b, nil
	case keysReport:
		for i := range b.Retirements {
			one := &b.Retirements[i]
			say(one.Code, &one.Title, &one.Next)
		}
		return b, nil
	}
	return v, nil
}
