package api

import (
	"time"

	"github.com/tamga-id/tamga/node/api/guard"
)

// Bodies that are larger are refused.
const (
	maxVerificationBody = 2 << 20   // ten probes of 64 KiB in base64 and a consent need less than half
	maxSearchBody       = 256 << 10 // one probe and an order
	maxEnrolmentBody    = 16 << 20  // the manifest lines of one call
	maxBackupBody       = 128 << 10 // 32 recipients; a post-quantum one has 2 KiB
)

func routes() []guard.Route {
	return []guard.Route{
		{Method: "POST", Path: "/v1/verifications", Content: "application/json", MaxBody: maxVerificationBody, Idempotent: true},
		{Method: "POST", Path: identificationsPath, Content: "application/json", MaxBody: maxSearchBody, Idempotent: true, Timeout: time.Minute},
		// Not kept for 24 hours: it may tell who somebody is.
		{Method: "POST", Path: resolutionsPath, Content: "application/json", MaxBody: maxSearchBody},
		{Method: "POST", Path: "/v1/enrolments", Content: "application/x-ndjson", Who: guard.Operator, MaxBody: maxEnrolmentBody, Idempotent: true,
			Options: enrolmentOptions()},
		// Every subject is looked at.
		{Method: "POST", Path: "/v1/enrolments/undo", Content: "application/json", Who: guard.Operator, MaxBody: 1 << 10, Timeout: 15 * time.Minute},
		// Every row is read three times.
		{Method: "POST", Path: "/v1/gallery/copy", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10, Timeout: 12 * time.Hour},
		{Method: "POST", Path: "/v1/subjects/erase", Content: "application/json", Who: guard.Operator, MaxBody: 1 << 10},
		{Method: "POST", Path: canariesPath, Content: "application/json", Who: guard.Operator, MaxBody: 256 << 10},
		{Method: "GET", Path: canariesPath, Who: guard.Operator},
		{Method: "POST", Path: withdrawalPath, Content: "application/json", Who: guard.Local, MaxBody: 16 << 10, Timeout: time.Minute},
		{Method: "POST", Path: renewalPath, Who: guard.Operator},
		{Method: "GET", Path: renewalPath, Who: guard.Operator},
		{Method: "POST", Path: keysPath, Who: guard.Operator},
		{Method: "GET", Path: keysPath, Who: guard.Operator},
		{Method: "POST", Path: checkPath, Who: guard.Operator},
		{Method: "GET", Path: checkPath, Who: guard.Operator},
		// A long ledger takes minutes to recompute, and more than a server's usual
		// time to answer.
		{Method: "POST", Path: "/v1/ledger/verifications", Who: guard.Operator, Timeout: 15 * time.Minute},
		// As long as the slowest disk that it is written to takes.
		{Method: "POST", Path: "/v1/backups", Content: "application/json", Who: guard.Operator, MaxBody: maxBackupBody, Timeout: 12 * time.Hour},
		{Method: "POST", Path: "/v1/escrows", Content: "application/json", Who: guard.Operator, MaxBody: maxBackupBody},
		{Method: "GET", Path: "/v1/status", Who: guard.Local},
		{Method: "GET", Path: "/v1/peers", Who: guard.Local},
		// Sixteen addresses that do not answer, and half a dozen exchanges.
		{Method: "POST", Path: "/v1/peers/test", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10, Timeout: 5 * time.Minute},
		{Method: "POST", Path: "/v1/peers/pause", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10},
		{Method: "POST", Path: "/v1/peers/resume", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10},
		// As many fetches as a chain may cost.
		{Method: "POST", Path: "/v1/trust/explanations", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10, Timeout: 5 * time.Minute},
		{Method: "GET", Path: vocabularyPath, Who: guard.Local},
		{Method: "GET", Path: inventoryPath, Who: guard.Local},
		{Method: "GET", Path: lawPath, Who: guard.Local},
		{Method: "POST", Path: publicationsPath, Content: "application/json", Who: guard.Operator, MaxBody: 256 << 10},
		// A long ledger is read once.
		{Method: "POST", Path: simulationsPath, Content: "application/json", Who: guard.Operator, MaxBody: 192 << 10, Timeout: 15 * time.Minute},
		{Method: "GET", Path: "/livez", Who: guard.Anyone, Challenge: true},
		{Method: "GET", Path: "/readyz", Who: guard.Anyone},
		{Method: "GET", Path: guard.DocumentPath, Who: guard.Anyone},
	}
}
