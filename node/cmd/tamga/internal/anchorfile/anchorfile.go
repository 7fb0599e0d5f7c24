// Package anchorfile names the files in the folder of a Trust Anchor or an Intermediate.
package anchorfile

// Files of a Trust Anchor's folder.
const (
	Public   = "trust-anchor.json"
	Settings = "anchor.json"
	Root     = "root.json"
	Keystore = "keystore.json"
	Members  = "members"
	Listing  = "listing.jwt"
	Rollover = "rollover.jwts"
)
