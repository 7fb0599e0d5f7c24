package finger

// Absence says why a position has no minutiae: that a finger is missing is a finding about a
// person and not a fault of a record, and whoever enrols or decides must be able to tell the two
// apart. The set is closed. It follows the reasons of ISO/IEC 39794-4 annotation blocks and of
// ANSI/NIST-ITL field AMP, of which the ones that ask for the same act are one here.
type Absence uint8

// What is known about a position. The zero value says that there is a finger.
const (
	Present       Absence = iota
	NotCaptured           // no impression was taken and no reason is given
	NotExtracted          // an impression was taken and no minutiae could be made of it
	Amputated             // there is no such finger (AMP code XX)
	UnableToPrint         // bandaged, diseased or out of reach: may be possible later (AMP code UP)
)
