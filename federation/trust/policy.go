package trust

import (
	"encoding/json"

	"github.com/tamga-id/tamga/federation/trust/metadatapolicy"
)

// resolve is the subject's metadata as the chain leaves it: its own, the immediate
// superior's over it, Entity Types that constraints do not allow removed, and the
// merged metadata policies applied (sections 6.1.4 and 6.2.3). The policies are merged
// from the Anchor down; what they must not ask for was refused when each statement was
// parsed.
func resolve(statements []statement) (rawMetadata, *ChainError) {
	leaf, superior := statements[0], statements[1]
	var policy metadatapolicy.Policy
	for j := len(statements) - 1; j > 0; j-- {
		merged, err := policy.Merge(statements[j].policy)
		if err != nil {
			f := statements[j].fault(rulePolicy, j)
			f.Err = err
			return nil, f
		}
		policy = merged
	}
	out, err := policy.Apply(leaf.metadata.overriddenBy(superior.metadata).allowedTypes(statements))
	if err != nil {
		f := leaf.fault(ruleCompliance, 0)
		f.Err = err
		return nil, f
	}
	return out, nil
}

func parsePolicy(claim, critical json.RawMessage) (metadatapolicy.Policy, *ChainError) {
	if err := metadatapolicy.CheckCritical(critical); err != nil {
		return metadatapolicy.Policy{}, broken(rulePolicy, err)
	}
	if claim == nil {
		return metadatapolicy.Policy{}, nil
	}
	p, err := metadatapolicy.Parse(claim)
	if err != nil {
		return metadatapolicy.Policy{}, broken(rulePolicy, err)
	}
	return p, nil
}
