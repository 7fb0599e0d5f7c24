// Package extract finds the minutiae of a fingerprint in its picture.
//
// It turns an 8-bit grey image of one finger into a finger.Sample as ISO/IEC 19794-2:2005
// describes it, with a quality for each minutia and one for the whole. The method joins
// published ideas:
//
//   - L. Hong, Y. Wan, A. Jain, "Fingerprint Image Enhancement: Algorithm and Performance
//     Evaluation", IEEE TPAMI 20(8), 1998: normalisation (normalise.go), the x-signature from
//     which the distance of the ridges is read (frequency.go), Gabor filters tuned to both
//     (filters.go, enhance.go);
//   - M. Kass, A. Witkin, "Analyzing Oriented Patterns", CVGIP 37, 1987, and A. Bazen, S. Gerez,
//     "Systematic Methods for the Computation of the Directional Fields and Singular Points of
//     Fingerprints", IEEE TPAMI 24(7), 2002: the field of ridge directions from squared
//     gradients and its coherence, by which the finger is told from the ground (field.go,
//     segment.go);
//   - K. Larkin, P. Fletcher, "A Coherent Framework for Fingerprint Analysis: Are Fingerprints
//     Holograms?", Optics Express 15(14), 2007, and J. Feng, A. Jain, "Fingerprint
//     Reconstruction: From Minutiae to Phase", IEEE TPAMI 33(2), 2011: ridges are the fringes of
//     a phase, and a minutia is a place round which that phase turns once (minutiae.go);
//   - Q. Xiao, H. Raafat, "Fingerprint Image Postprocessing: A Combined Statistical and
//     Structural Approach", Pattern Recognition 24(10), 1991: breaks, bridges and specks come as
//     minutiae close together that face each other, and are dropped in pairs (minutiae.go).
//
// The phase takes the place of binarisation, thinning and crossing numbers (D. Maltoni, D. Maio,
// A. Jain, S. Prabhakar, "Handbook of Fingerprint Recognition", 2nd ed., section 3.7): the place
// of a minutia then depends neither on how thick the ridges are printed nor on how a thinning
// erodes them, which way it points is the sense in which the phase turns, and both come with a
// fraction of a pixel.
//
// Constants marked as tuned were chosen on plateaus of the error rate over FVC2002 set B and over
// the same images spoilt by drying, wetting, noise and scratches, with our own comparator, so that
// error rates measured there flatter this package a little.
//
// Start with [Decode] (PNG or WSQ) or [Raw], then [Extract]. The package does not compare
// (package finger), read or write records (package exchange), find fingers in larger pictures, or
// take pictures with light ridges on dark ground.
//
// Invariants: the same image gives the same minutiae on one processor architecture; time and
// memory are bounded by the limits on an image; nothing is logged or kept, and an [Image] prints
// as a constant. Minutiae of one version of this package may differ in details from those of
// another.
package extract
