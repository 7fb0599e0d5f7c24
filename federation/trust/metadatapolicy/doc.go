// Package metadatapolicy merges and applies the metadata policies of a Trust Chain:
// OpenID Federation 1.0 (Final, February 2026) section 6.1 with all standard
// operators, value, add, default, one_of, subset_of, superset_of and essential.
//
// [Parse] each metadata_policy claim, [Policy.Merge] them from the Trust Anchor down,
// and [Policy.Apply] the result to the subject's metadata after the immediate
// superior's metadata was applied. [CheckCritical] goes first, over every statement.
//
// It knows no additional operators: they are ignored, as the specification requires,
// and refused where metadata_policy_crit names one. Objects are supported as values
// wherever they are optional to support. The parameter scope, a string of values
// separated by spaces, is treated as an array (section 6.1.3.1.8).
//
// Invariants: a Policy that was parsed or merged holds only combinations of operators
// that are allowed; merging never makes a policy more permissive; no output is null.
package metadatapolicy
