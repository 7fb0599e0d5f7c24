package api

import (
	"slices"
	"time"

	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/law"
	"github.com/tamga-id/tamga/node/api/peers"
	"github.com/tamga-id/tamga/node/api/upkeep"
)

// Bodies that are larger are refused.
const (
	maxVerificationBody = 2 << 20   // ten probes of 64 KiB in base64 and a consent need less than half
	maxSearchBody       = 256 << 10 // one probe and an order
	maxEnrolmentBody    = 16 << 20  // the manifest lines of one call
)

func routes() []guard.Route {
	return slices.Concat(upkeep.Routes(), peers.Routes(), law.Routes(), []guard.Route{
		{Method: "POST", Path: "/v1/verifications", Content: "application/json", MaxBody: maxVerificationBody, Idempotent: true},
		{Method: "POST", Path: identificationsPath, Content: "application/json", MaxBody: maxSearchBody, Idempotent: true, Timeout: time.Minute},
		// Not kept for 24 hours: it may tell who somebody is.
		{Method: "POST", Path: resolutionsPath, Content: "application/json", MaxBody: maxSearchBody},
		{Method: "POST", Path: "/v1/enrolments", Content: "application/x-ndjson", Who: guard.Operator, MaxBody: maxEnrolmentBody, Idempotent: true,
			Options: enrolmentOptions()},
		// Every subject is looked at.
		{Method: "POST", Path: "/v1/enrolments/undo", Content: "application/json", Who: guard.Operator, MaxBody: 1 << 10, Timeout: 15 * time.Minute},
		{Method: "POST", Path: "/v1/subjects/erase", Content: "application/json", Who: guard.Operator, MaxBody: 1 << 10},
		{Method: "POST", Path: canariesPath, Content: "application/json", Who: guard.Operator, MaxBody: 256 << 10},
		{Method: "GET", Path: canariesPath, Who: guard.Operator},
		{Method: "GET", Path: alarmsPath, Who: guard.Operator},
		{Method: "POST", Path: withdrawalPath, Content: "application/json", Who: guard.Local, MaxBody: 16 << 10, Timeout: time.Minute},
		{Method: "GET", Path: "/v1/status", Who: guard.Local},
		{Method: "GET", Path: "/livez", Who: guard.Anyone, Challenge: true},
		{Method: "GET", Path: "/readyz", Who: guard.Anyone},
		{Method: "GET", Path: guard.DocumentPath, Who: guard.Anyone},
	})
}
