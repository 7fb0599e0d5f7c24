package identify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/responder"
	"github.com/tamga-id/tamga/node/rows"
)

// stub is what the node keeps of a handle.
type stub struct {
	Until     int64  `cbor:"1,keyasint"` // seconds
	Requester string `cbor:"2,keyasint"`
	Purpose   string `cbor:"3,keyasint"`
	Case      string `cbor:"4,keyasint"` // office and reference that the officers' order names
	Modality  string `cbor:"5,keyasint"` // that was searched
	At        []byte `cbor:"6,keyasint"` // gallery.Place
}

// caseOf is the reference of a file, which means something within an office only.
func caseOf(c consent.Consent) string { return c.Office + "\x00" + c.Exemption.Case }

// errNoHandle: there is none that is good.
var errNoHandle = errors.New("the handle is good for nothing")

// handles are those that are out. The name of a row is a keyed hash of the handle, so that the
// store alone lets nobody resolve one.
type handles struct{ rows *rows.Rows }

// add makes a handle for each candidate, durably.
func (h handles) add(found []candidate, of stub) (out []protocol.Handle, err error) {
	err = h.rows.Update(func(t rows.Txn) error {
		out = nil
		for _, c := range found {
			var one protocol.Handle
			_, _ = rand.Read(one[:])
			of.At = c.at[:]
			b, err := cbor.Marshal(of)
			if err != nil {
				return err
			}
			t.Set(rows.Handles, one[:], b)
			out = append(out, one)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("keeping handles: %w", err)
	}
	return out, nil
}

// peek is what is kept of a handle of this requester and purpose: errNoHandle without one that is good.
func (h handles) peek(one protocol.Handle, q protocol.Query, now time.Time) (s stub, err error) {
	err = h.rows.View(func(r rows.Reader) error {
		s, err = good(r, one, q, now)
		return err
	})
	return s, err
}

func good(r rows.Reader, one protocol.Handle, q protocol.Query, now time.Time) (s stub, err error) {
	b, err := r.Get(rows.Handles, one[:])
	if errors.Is(err, rows.ErrNone) {
		return stub{}, errNoHandle
	}
	if err == nil {
		err = cbor.Unmarshal(b, &s)
	}
	if err != nil {
		return stub{}, fmt.Errorf("reading handle: %w", err)
	}
	if s.Requester != q.Issuer || s.Purpose != q.Purpose || now.Unix() >= s.Until || len(s.At) != len(gallery.Place{}) {
		return stub{}, errNoHandle
	}
	return s, nil
}

// take takes a handle: from when it returns nil, nobody can take it again.
func (h handles) take(one protocol.Handle, q protocol.Query, now time.Time) error {
	return h.rows.Update(func(t rows.Txn) error {
		if _, err := good(t.Reader, one, q, now); err != nil {
			return err
		}
		t.Delete(h.rows.Key(rows.Handles, one[:]))
		return nil
	})
}

func (h handles) forget(now time.Time) (gone int, err error) {
	gone, err = h.rows.Forget(rows.Handles, func(value []byte) (bool, error) {
		var s stub
		err := cbor.Unmarshal(value, &s)
		return err == nil && s.Until < now.Unix(), err
	})
	if err != nil {
		return 0, fmt.Errorf("forgetting handles: %w", err)
	}
	return gone, nil
}

// fault is the code of what is wrong with a handle: one for all, so that nobody learns whether
// there is one that is another's.
func fault(err error) error {
	if errors.Is(err, errNoHandle) || errors.Is(err, gallery.ErrUnknownSubject) {
		return &protocol.Fault{Code: protocol.CodeHandle, Err: err}
	}
	return err
}

// resolve is the operation.
func (d *Desk) resolve(ctx context.Context, q protocol.Query, key sealing.PrivateKey, asked policy.Request, out *responder.Served) error {
	r, err := q.OpenResolution(key)
	if err != nil {
		return err
	}
	s, err := d.handles.peek(r.Handle, q, d.cfg.Now())
	if err != nil {
		return fault(err)
	}
	out.Modalities = s.Modality
	c, asked, err := d.permitted(q, r.Order, consent.Expectation{Handle: r.Handle[:], Modality: s.Modality}, asked, out)
	if err != nil {
		return err
	}
	if caseOf(c) != s.Case {
		return fault(errNoHandle)
	}
	who, err := d.candidate(ctx, q, s, asked, out)
	if err != nil {
		return err
	}
	if err := responder.Use(d.cfg.Consents, c); err != nil {
		return err
	}
	if err := d.handles.take(r.Handle, q, d.cfg.Now()); err != nil {
		return fault(err)
	}
	out.Code = protocol.CodeNoIdentifier
	if who.Named() {
		out.Code, out.Found.Subject = protocol.CodeResolved, who.Subject
	}
	return nil
}

// candidate is who it is, if law lets that be told.
func (d *Desk) candidate(ctx context.Context, q protocol.Query, s stub, asked policy.Request, out *responder.Served) (gallery.Who, error) {
	lap := d.cfg.Pace.Begin(1)
	defer lap.Rest(ctx)
	who, err := d.cfg.Gallery.WhoIs(gallery.Place(s.At))
	if err != nil {
		return gallery.Who{}, fault(err)
	}
	if err := d.watch(ctx, q, who); err != nil {
		return gallery.Who{}, err
	}
	if who.Named() {
		// Among the Queries about the person: who is locked for the requester is not told to it either.
		lap.Pause()
		asked.Counts, err = counted(d.cfg.Budgets, budget.Ask{Country: asked.RequesterCountry, Requester: q.Issuer, Officer: q.Officer,
			Purpose: q.Purpose, Subject: who.Subject}, asked.Time)
		lap.Resume()
		if err != nil {
			return gallery.Who{}, err
		}
	}
	return who, d.lawful(ofClass(asked, who.Class), out)
}
