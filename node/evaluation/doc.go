// Package evaluation is what stands around an evaluation of package
// matcher/evaluate: it reads folders of test data, draws the error curves, and
// writes the report as a page that a laboratory can read.
//
// Start with [ReadFingers] or [ReadFaces], give what they return to
// modality.Finger or modality.Face, and the report to [Page.Write] or [Draw].
//
// A folder is read strictly: every file that breaks a rule is named with the
// rule, what is no data of the kind is counted and left alone. No page, picture
// or message holds a score, a template or a subject; a page names sets and
// groups, as the data do.
package evaluation
