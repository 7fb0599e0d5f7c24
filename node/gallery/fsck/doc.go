// Package fsck looks at everything that a gallery holds and says what of it is damaged.
//
// A [Checker] reads the Rows of an open gallery as of one moment, or a whole Folder that
// nobody has open and that may not open. What it finds is a [Report]; damage is no error of
// its own. The package repairs nothing.
//
// Invariants:
//
//   - nothing is written, in a store or in a folder, which may be on a disk that is mounted
//     read-only;
//   - a report names nobody: of a subject it has a handle, which nobody without the root key
//     can tell anything from, and of a file what is wrong with it, never what it holds;
//   - what is opened is wiped.
package fsck
