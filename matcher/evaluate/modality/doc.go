// Package modality evaluates the templates of one modality: it makes them ready, says
// which are whose, and has package evaluate compare all of a set and report.
//
// Start with [Finger], [Face] or [Iris]; [FingerAgainst] is for probes and references from
// two extractors. Signatures, which are compared with an enrolled writer and not with one
// another, are [evaluate.Signature].
//
// What comes without a template is a failure that is counted and never dropped. The package
// reads no files and keeps nothing; templates that it made ready are wiped.
package modality
