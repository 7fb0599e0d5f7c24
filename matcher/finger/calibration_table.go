package finger

// calibration is written by
//
//	go test ./matcher/finger -run TestCalibration -update
//
// from all pairs of different fingers of FVC2002 DB1_B to DB4_B (40 fingers, 8
// impressions each), within the sets and across them: 49920 comparisons of SecuGen
// templates, 49920 of FingerJetFX templates and 99840 of one with the other, 199680
// in all. For each rate 1/N a threshold is taken in each of the three groups at
// which the one-sided 95 % Poisson bound of the FMR is at most 1/N, and the
// highest of the three is kept. The bound needs 3 N comparisons in the smallest
// group, so the table stops at 1/10000.
//
// What this does not cover: the comparisons come from 40 fingers and are not
// independent, so the true confidence is lower than stated; other extractors and
// populations may differ. A node that decides on its own data should measure
// with matcher/evaluate.
var calibration = [...]operatingPoint{
	{10, 0.1773},
	{20, 0.2143},
	{50, 0.2642},
	{100, 0.3054},
	{200, 0.3520},
	{500, 0.4132},
	{1000, 0.4610},
	{2000, 0.5292},
	{5000, 0.5946},
	{10000, 0.6706},
}
