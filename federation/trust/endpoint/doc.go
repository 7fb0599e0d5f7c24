// Package endpoint carries what Entities publish: the federation endpoints of OpenID
// Federation 1.0 (Final, February 2026) sections 8 and 9, over HTTP and, with the same
// operations, in frames of /tamga/trust/1.
//
// [Handler] and [ServeFrame] serve what a function answers; [HTTP] and [Peer] ask.
// [Publisher] is a node's own Entity Configuration.
//
// It does not authenticate clients, and refuses an endpoint that lies on another host
// than its Entity, and redirects to one.
package endpoint
