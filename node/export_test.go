package node

import "github.com/tamga-id/tamga/node/gallery"

// Gallery is what the registrar enrols into.
func (r *Registrar) Gallery() *gallery.Gallery { return r.gallery }
