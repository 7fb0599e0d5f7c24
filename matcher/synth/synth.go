// Package synth makes people who do not exist: names, numbers, faces, fingers, irises and signatures
// for tests, the demo, the sandbox and conformance.
//
// Start with [New] for a population and [Population.Person] for one of its people; then ask the
// person for references to enrol and probes to verify. References and probes are taken by a patient
// officer: a probe matches the reference of the same person at the thresholds of their calibration,
// and nobody else's more often than the threshold says.
//
// Captures ([Person.FingerCapture], [Person.FaceCapture], [Person.IrisCapture],
// [Person.SignatureCapture], [Person.Forgery]) are for measuring instead: they come good and bad as
// real ones do, so that some fail. "tamga sandbox evaluation-set" writes folders of them for "tamga
// evaluate". Each model is a published one, its constants fitted to aggregates of the real sets
// (counts, spacings, residuals, correlations, moments of scores), never to one person's data.
//
//	                        EER    FNMR in % at FMR
//	                        in %   1e-2   1e-3   1e-4
//	FVC2002, SecuGen        1.69   2.05   4.46
//	  sparse extractor      2.35   2.56   3.36   5.24
//	FVC2002, FingerJetFX    1.78   2.41   3.21
//	  dense extractor       1.73   2.05   3.04   5.15
//	LFW, 128 dimensions     0.98   0.97   2.08   4.39
//	  faces                 1.07   1.17   2.86   5.28
//	CASIA-IrisV1            2.38   2.82   4.59   5.73
//	  irises                1.94   2.20   4.50   7.67
//	SVC2004, skilled        5.33  21.33
//	  signatures            5.50  12.00
//
// They were measured with "tamga evaluate" and the comparators of 2026-11-25 on the sets that the
// command writes by default; matcher/doc has the curves side by side. What is not like real data:
// no ageing, no failure to enrol, forgers who are all of one skill, and no wrong labels, which
// make up the real sets' tails below an FMR of 1e-5.
//
// It does not imitate any real person, document series or camera. Names are invented and numbers
// begin with SYN, which no issuer of the four countries uses, so a synthetic record cannot be taken
// for a real one. Nothing here is secret: who knows the seed knows everything.
//
// Invariants:
//
//   - Everything is a function of seed, jurisdiction, index and, where given, position and number
//     of the capture: the same octets on every platform and in every release. All arithmetic is on
//     integers, but for one division and one square root, both exact in IEEE 754.
//   - Of one index and half the population further on are siblings ([Sibling]); all others are strangers.
//   - National and passport numbers are unique within a population.
//   - A value that changes here is a breaking change: conformance reports quote these people.
package synth

import "fmt"

// MaxPersons is the number of people in a population.
const MaxPersons = 400_000_000

// Population is the people of one jurisdiction under one seed. It holds no memory of them, may be
// used by several goroutines. Make it with New; a nil Population panics.
type Population struct {
	seed         uint64
	jurisdiction string
	national     permutation
	passport     permutation
}

// Jurisdictions lists the countries with name lists of their own, as ISO 3166-1 alpha-3. People
// of any other jurisdiction get mixed names.
func Jurisdictions() []string { return []string{"KAZ", "KGZ", "TJK", "UZB"} }

// New makes the population of a jurisdiction (ISO 3166-1 alpha-3). It costs nothing.
func New(seed uint64, jurisdiction string) *Population {
	p := &Population{seed: seed, jurisdiction: jurisdiction}
	s := newStream(seed, jurisdiction, "numbers", 0)
	p.national = newPermutation(s, nationalNumbers)
	p.passport = newPermutation(s, passportNumbers)
	return p
}

// Person is one synthetic person. It is a plain value; biometrics are computed when asked for.
type Person struct {
	Jurisdiction   string // ISO 3166-1 alpha-3, as given to New
	Index          int    // place in the population
	GivenName      string // Latin letters
	FamilyName     string // Latin letters, begins with Synth
	NationalNumber string // SYN, jurisdiction, ten digits; unique within the population
	PassportNumber string // SYN and six of A-Z 0-9: nine, as ICAO Doc 9303 allows; unique likewise
	Sex            string // F or M
	DateOfBirth    string // YYYY-MM-DD, 1950 to 2004
	DateOfExpiry   string // of the passport, YYYY-MM-DD, 2035 to 2044

	seed uint64
}

// Person gives person i. It panics outside 0 to MaxPersons-1, as a slice does.
func (p *Population) Person(i int) Person {
	if i < 0 || i >= MaxPersons {
		panic(fmt.Sprintf("synth: person %d out of range", i))
	}
	s := newStream(p.seed, p.jurisdiction, "person", uint64(i))
	q := Person{Jurisdiction: p.jurisdiction, Index: i, Sex: "F", seed: p.seed}
	if s.below(2) == 1 {
		q.Sex = "M"
	}
	q.GivenName, q.FamilyName = names(s, p.jurisdiction, q.Sex)
	q.DateOfBirth = date(s, 1950, 55)
	q.DateOfExpiry = date(s, 2035, 10)
	q.NationalNumber = nationalNumber(p.jurisdiction, p.national.at(uint64(i)))
	q.PassportNumber = passportNumber(p.passport.at(uint64(i)))
	return q
}

// Document is the data page of a synthetic passport.
type Document struct {
	Issuer         string // ISO 3166-1 alpha-3
	Number         string
	FamilyName     string
	GivenName      string
	Sex            string
	DateOfBirth    string // YYYY-MM-DD
	DateOfExpiry   string // YYYY-MM-DD
	PersonalNumber string // the national number
}

// Document gives the data page of the person's passport.
func (p Person) Document() Document {
	return Document{
		Issuer: p.Jurisdiction, Number: p.PassportNumber,
		FamilyName: p.FamilyName, GivenName: p.GivenName, Sex: p.Sex,
		DateOfBirth: p.DateOfBirth, DateOfExpiry: p.DateOfExpiry,
		PersonalNumber: p.NationalNumber,
	}
}

// Marks lists the strings by which the person would be recognised in an output: a test that finds
// one of them, in any encoding, has found a leak. Dates are left out because they occur by chance.
func (p Person) Marks() []string {
	return []string{p.NationalNumber, p.PassportNumber, p.FamilyName, p.GivenName}
}

// HolderSeed gives the seed of the person's wallet key.
func (p Person) HolderSeed() [32]byte {
	return digest(p.seed, p.Jurisdiction, "holder", uint64(p.Index))
}

// stream gives the randomness of this person for a purpose, told apart by up to a few numbers.
func (p Person) stream(purpose string, more ...uint64) *stream {
	return newStream(p.seed, p.Jurisdiction, purpose, uint64(p.Index), more...)
}
