package protocol

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Code names one cause from the closed registry. It is the same on the wire, in
// the HTTP API's problem type, in log events and in `tamga help CODE`.
type Code string

// CodeEntry explains one Code.
type CodeEntry struct {
	Code    Code
	Outcome Outcome // the outcome a Query ends in; empty for a code of the node itself
	Wire    bool    // whether a node may send it to another node
	Title   string  // one short sentence, no subject data
	Next    string  // what the operator or officer does now
}

// Codes of verifications, sent in Answers and Refusals.
const (
	CodeMatched           Code = "TMG-VER-0001"
	CodeNotMatched        Code = "TMG-VER-0002"
	CodeSubjectUnknown    Code = "TMG-VER-0003"
	CodeNoReference       Code = "TMG-VER-0004"
	CodeProbeQuality      Code = "TMG-VER-0005"
	CodeNotComparable     Code = "TMG-VER-0006"
	CodeUncalibrated      Code = "TMG-VER-0007"
	CodeDisagree          Code = "TMG-VER-0008"
	CodeSmallPart         Code = "TMG-VER-0009"
	CodePoorCapture       Code = "TMG-VER-0010"
	CodeWithheld          Code = "TMG-VER-0011"
	CodeCandidates        Code = "TMG-IDN-0001"
	CodeNoCandidate       Code = "TMG-IDN-0002"
	CodeSearchIncomplete  Code = "TMG-IDN-0003"
	CodeHandle            Code = "TMG-IDN-0004"
	CodeResolved          Code = "TMG-IDN-0005"
	CodeNoIdentifier      Code = "TMG-IDN-0006"
	CodeSearchGround      Code = "TMG-IDN-0007"
	CodeNotMember         Code = "TMG-TRU-0001"
	CodeChainExpired      Code = "TMG-TRU-0002"
	CodePeerMismatch      Code = "TMG-TRU-0003"
	CodeTrustUndetermined Code = "TMG-TRU-0004"
	CodeMalformed         Code = "TMG-QRY-0001"
	CodeSignature         Code = "TMG-QRY-0002"
	CodeAudience          Code = "TMG-QRY-0003"
	CodeExpired           Code = "TMG-QRY-0004"
	CodeLifetime          Code = "TMG-QRY-0005"
	CodeReplay            Code = "TMG-QRY-0006"
	CodeOperation         Code = "TMG-QRY-0007"
	CodeSeal              Code = "TMG-QRY-0008"
	CodeSealedContent     Code = "TMG-QRY-0009"
	CodeProbe             Code = "TMG-QRY-0010"
	CodeRestarted         Code = "TMG-QRY-0011"
	CodeRevision          Code = "TMG-QRY-0012"
	CodeModality          Code = "TMG-QRY-0013"
	CodeJurisdiction      Code = "TMG-QRY-0014"
	CodeLaw               Code = "TMG-LAW-0001"
	CodeOwnLaw            Code = "TMG-LAW-0002"
	CodeConsentMissing    Code = "TMG-CNS-0001"
	CodeConsentInvalid    Code = "TMG-CNS-0002"
	CodeConsentHolder     Code = "TMG-CNS-0003"
	CodeConsentPurpose    Code = "TMG-CNS-0004"
	CodeConsentAudience   Code = "TMG-CNS-0005"
	CodeConsentExpired    Code = "TMG-CNS-0006"
	CodeConsentModality   Code = "TMG-CNS-0007"
	CodeConsentUsed       Code = "TMG-CNS-0008"
	CodeConsentWithdrawn  Code = "TMG-CNS-0009"
	CodeConsentOffice     Code = "TMG-CNS-0010"
	CodeSecondOfficer     Code = "TMG-CNS-0011"
	CodeConsentStore      Code = "TMG-CNS-0012"
	CodeConsentForm       Code = "TMG-CNS-0013"
	CodeOverloaded        Code = "TMG-LIM-0001"
	CodeBudget            Code = "TMG-LIM-0002"
	CodeLocked            Code = "TMG-LIM-0003"
	CodeProbeRepeated     Code = "TMG-LIM-0004"
	CodeBudgetStore       Code = "TMG-LIM-0005"
	CodeLedgerUnavailable Code = "TMG-LED-0001"
	CodeInternal          Code = "TMG-INT-0001"
)

// Codes that a node gives its own side.
const (
	CodeSuspended          Code = "TMG-TRU-0005"
	CodePaused             Code = "TMG-TRU-0006"
	CodePeer               Code = "TMG-TRU-0007"
	CodeIntroduction       Code = "TMG-TRU-0008"
	CodePeerUnproved       Code = "TMG-TRU-0009"
	CodeWeakDecision       Code = "TMG-LAW-0003"
	CodeLawTests           Code = "TMG-LAW-0004"
	CodeLawBook            Code = "TMG-LAW-0005"
	CodeUnreachable        Code = "TMG-NET-0001"
	CodeTimeout            Code = "TMG-NET-0002"
	CodeHandshake          Code = "TMG-NET-0003"
	CodeNoPeer             Code = "TMG-NET-0004"
	CodeOwnCountry         Code = "TMG-NET-0006"
	CodeAnswerInvalid      Code = "TMG-ANS-0001"
	CodeReceiptInvalid     Code = "TMG-ANS-0002"
	CodeLedgerContradicted Code = "TMG-ANS-0003"
	CodeLedgerTampered     Code = "TMG-LED-0002"
	CodeRolledBack         Code = "TMG-LED-0003"
	CodeRecovery           Code = "TMG-LED-0004"
	CodeConfig             Code = "TMG-CFG-0001"
	CodeCustody            Code = "TMG-CUS-0001"
	CodeSealed             Code = "TMG-CUS-0002"
	CodeCustodyWait        Code = "TMG-CUS-0003"
	CodeCeremony           Code = "TMG-CUS-0004"
	CodeRotation           Code = "TMG-CUS-0005"
	CodeOlderKeys          Code = "TMG-CUS-0006"
	CodePseudonymKey       Code = "TMG-PSE-0001"
	CodePseudonymHolder    Code = "TMG-PSE-0002"
	CodeHolderReplacement  Code = "TMG-PSE-0003"
	CodeUsage              Code = "TMG-USE-0001"
	CodeRequest            Code = "TMG-API-0001"
	CodeUnauthenticated    Code = "TMG-API-0002"
	CodeNotFound           Code = "TMG-API-0003"
	CodeForeign            Code = "TMG-API-0004"
	CodeMethod             Code = "TMG-API-0005"
	CodeMediaType          Code = "TMG-API-0006"
	CodeTooLarge           Code = "TMG-API-0007"
	CodeNotInTime          Code = "TMG-API-0008"
	CodeIdempotency        Code = "TMG-API-0009"
	CodeNotReady           Code = "TMG-API-0010"
	CodeStoreLocked        Code = "TMG-STO-0001"
	CodeStoreDamaged       Code = "TMG-STO-0002"
	CodeStoreAway          Code = "TMG-STO-0003"
	CodeStoreInDoubt       Code = "TMG-STO-0004"
	CodeStoreFull          Code = "TMG-STO-0005"
	CodeStoreTarget        Code = "TMG-STO-0006"
	CodeBackup             Code = "TMG-BAK-0001"
	CodeBackupExpired      Code = "TMG-BAK-0002"
	CodeEscrow             Code = "TMG-BAK-0003"
	CodeManifest           Code = "TMG-ENR-0001"
	CodeRecord             Code = "TMG-ENR-0002"
	CodeTemplate           Code = "TMG-ENR-0003"
	CodeBatch              Code = "TMG-ENR-0004"
	CodeConformance        Code = "TMG-CNF-0001"
	CodeNotRunning         Code = "TMG-NET-0005"
	CodeListen             Code = "TMG-NET-0007"
	CodeMembership         Code = "TMG-ANC-0001"
	CodeFile               Code = "TMG-USE-0002"
	CodeExists             Code = "TMG-USE-0003"
	CodeInterrupted        Code = "TMG-USE-0004"
	CodeData               Code = "TMG-USE-0005"
	CodeFailed             Code = "TMG-INT-0002"
)

// registry is the one table; Registry and Lookup read it.
func registry() []CodeEntry {
	const (
		wire  = true
		local = false
	)
	return []CodeEntry{
		{CodeMatched, Matched, wire, "The probe and the enrolled reference are of one person at the threshold the law demands.", "Proceed."},
		{CodeNotMatched, NotMatched, wire, "The probe is not of the person enrolled under this identifier.", "Recapture once; then use another modality or second-line inspection."},
		{CodeSubjectUnknown, Inconclusive, wire, "No one is enrolled under this identifier.", "Check the identifier as printed; absence from a register is not proof of forgery."},
		{CodeNoReference, Inconclusive, wire, "The person is enrolled, but not with this modality.", "Ask again with another modality."},
		{CodeProbeQuality, Inconclusive, wire, "The probe does not carry enough detail to decide.", "Recapture, or use another finger or modality."},
		{CodeNotComparable, Inconclusive, wire, "The probe and the reference were made by different models, or by one for which the node has no threshold, and cannot be compared.", "Capture with a template profile that the peer's metadata lists."},
		{CodeUncalibrated, Inconclusive, wire, "The matcher cannot vouch for the false match rate that the law demands of this many probes.", "Send one probe of each modality."},
		{CodeDisagree, Inconclusive, wire, "One of the samples alone would match, but the others speak against it.", "Look at the person and the document; recapture all samples, then second-line inspection."},
		{CodeSmallPart, Inconclusive, wire, "No match, but a sample shows too little of the finger to say no.", "Recapture with the middle of the finger on the sensor, or use another finger or modality."},
		{CodePoorCapture, Inconclusive, wire, "No match, but the capture is reported as too poor to say no.", "Clean finger and sensor and recapture, or use another finger or modality."},
		{CodeWithheld, Inconclusive, wire, "It could not be told, and the responder's law does not let the reason be told.", "This is not a \"no\". Recapture, use another modality or second-line inspection."},
		{CodeCandidates, Inconclusive, wire, "The search found candidates: each has a sample that matches at the rate that the law demands, and nobody is identified yet.", "Have two officers sign an order about a handle, resolve it (tamga resolve), then verify the person; a handle is good once and for minutes."},
		{CodeNoCandidate, NotMatched, wire, "The search compared everybody who is enrolled with this modality, and nobody matched.", "Recapture once, or search with another modality; absence from a register proves nothing."},
		{CodeSearchIncomplete, Inconclusive, wire, "The search could not compare the probe with everybody in time, or not with the samples of some, so that nobody was found says nothing.", "This is not a \"no\". Search again later, or with a sample of another format; the responder's operator: see the size of the register."},
		{CodeHandle, Refused, wire, "The handle is good for nothing here: it was used, has expired, is another requester's or of another case, or its person is not enrolled any more.", "Search again under an order of its own; if the handle was not used by you, investigate who used it."},
		{CodeResolved, Inconclusive, wire, "The Answer tells whom the handle stands for: a candidate, not an identified person.", "Verify the person under that identifier, with another modality or a fresh sample, before anything is done."},
		{CodeNoIdentifier, Inconclusive, wire, "The register keeps no identifier of this candidate.", "The handle is used up. The responder's operator: import the person again with gallery.keep_identifiers."},
		{CodeSearchGround, Refused, wire, "A search, or a handle's resolution, needs a court order or a vital interest, and an order for it alone that two officers signed.", "Ask on one of these legal bases, with an exemption of one use: tamga consent exempt --probe or --handle."},
		{CodeNotMember, Refused, wire, "The sender is not a member of the federation.", "Enrol the sender with the Trust Anchor, or stop using its keys."},
		{CodeChainExpired, Refused, wire, "The sender's Trust Chain has expired.", "Renew the Subordinate Statement at the Trust Anchor."},
		{CodePeerMismatch, Refused, wire, "The Query's issuer is not the peer that sent it.", "Send each Query from its issuer's own node."},
		{CodeTrustUndetermined, Unavailable, wire, "Membership of the sender could not be determined.", "Check that the Trust Anchor can be reached, then ask again."},
		{CodeSuspended, Unavailable, local, "The Trust Anchor has suspended the peer, or this node itself.", "This is not a \"no\". `tamga peer list` says who, since when and why; ask the Trust Anchor's operator."},
		{CodePaused, Unavailable, local, "This node's operator has paused the peer.", "This is not a \"no\". `tamga peer show` says why; `tamga peer resume` ends it."},
		{CodeMalformed, Refused, wire, "The Query is not well-formed.", "Compare the sender's implementation with PROTOCOL.md."},
		{CodeSignature, Refused, wire, "The Query's signature does not verify under the issuer's current keys.", "Check that the issuer's metadata carries the key it signs with."},
		{CodeAudience, Refused, wire, "The Query is meant for another node.", "Resolve the peer again and address it by its Entity Identifier."},
		{CodeExpired, Refused, wire, "The Query has expired.", "Compare both nodes' clocks with the time; send a new Query."},
		{CodeLifetime, Refused, wire, "The Query's times are not acceptable: issued in the future, or valid for more than 60 s.", "Compare both nodes' clocks with the time: the requester's is ahead, or the responder's behind."},
		{CodeReplay, Refused, wire, "This Query was seen before.", "Send a new Query with a new jti. If you did not send it twice, investigate."},
		{CodeOperation, Refused, wire, "The node does not perform this operation.", "Use an operation that the peer's law and metadata allow."},
		{CodeSeal, Refused, wire, "The sealed part cannot be opened with the key it names.", "Refresh the peer's metadata: its sealing key may have rotated."},
		{CodeSealedContent, Refused, wire, "The sealed part is not well-formed.", "Compare the sender's implementation with PROTOCOL.md."},
		{CodeProbe, Refused, wire, "The probe is not a valid record of the format it names.", "Recapture; if it persists, check the capture software's export."},
		{CodeRestarted, Refused, wire, "The Query was issued before this node started, so a replay could not be told.", "Send a new Query."},
		{CodeRevision, Refused, wire, "The node does not speak this revision of the protocol.", "Use a revision listed in the peer's metadata."},
		{CodeModality, Refused, wire, "The node does not serve this modality or format.", "Use a modality listed in the peer's metadata."},
		{CodeJurisdiction, Refused, wire, "The identifier belongs to another country's register.", "Ask the node of the issuing country."},
		{CodeLaw, Refused, wire, "The responder's law does not allow this Query.", "Read the named policy and article; another purpose or legal basis may apply."},
		{CodeOwnLaw, Refused, local, "Your own law does not allow this Query.", "Read the named policy and article; nothing was sent, the attempt is in the ledger."},
		{CodeConsentMissing, Refused, wire, "The law demands the person's consent and none was sent.", "Ask the person to consent."},
		{CodeConsentInvalid, Refused, wire, "The consent artefact is not well-formed or its signature does not verify.", "Ask the person to consent again."},
		{CodeConsentHolder, Refused, wire, "The consent was not given by the person enrolled under this identifier.", "Check that document and consent belong to one person."},
		{CodeConsentPurpose, Refused, wire, "The consent was given for another purpose.", "Ask the person to consent to this purpose."},
		{CodeConsentAudience, Refused, wire, "The consent was given to another requester or about another register.", "Ask the person to consent to this exchange."},
		{CodeConsentExpired, Refused, wire, "The consent is not valid at this time.", "Ask the person to consent again."},
		{CodeConsentModality, Refused, wire, "The consent does not cover this modality.", "Ask the person to consent to this modality."},
		{CodeConsentUsed, Refused, wire, "The consent or the order was used as often as it allows.", "Get a new one: ask the person to consent again, or have two officers sign another exemption or order. If you did not use it, investigate who did: both ledgers have the Query."},
		{CodeConsentWithdrawn, Refused, wire, "The consent was withdrawn.", "Do not ask on this ground any more; ask the person to consent again, if at all."},
		{CodeConsentOffice, Refused, wire, "The office, or its officer's key, may not attest or exempt here.", "Have the responder's operator add the office's file to policy.offices, or use an office that is there."},
		{CodeSecondOfficer, Refused, wire, "The exemption lacks the signature of a second officer with another key.", "Have a second officer countersign it: tamga consent exempt --countersign."},
		{CodeConsentForm, Refused, wire, "The law does not accept a consent in this form, or an exemption.", "Ask the person to consent in a form that the named article accepts."},
		{CodeConsentStore, Unavailable, wire, "Whether the consent was used or withdrawn cannot be told now, so it permits nothing.", "This is not a \"no\". The responder's operator: check the store. The requester: ask again later."},
		{CodeOverloaded, Unavailable, wire, "The node is at its limit of work.", "Wait a few seconds and ask again."},
		{CodeBudget, Refused, wire, "There were as many Queries as the register's operator allows: of this requester, officer or purpose, or about this person.", "Wait until the hour, or for a person the day, is over. If it was not you, investigate: the ledger has every Query."},
		{CodeLocked, Refused, wire, "Too many Queries of this requester about this person ended without a match: the person is locked for it.", "Take the person to second-line inspection; the lock ends after a day. Find out who asked: the ledger has every Query."},
		{CodeProbeRepeated, Refused, wire, "This sample, or one nearly the same, was sent about this person before.", "Capture a new sample; if you did, find out where the old one comes from."},
		{CodeBudgetStore, Unavailable, wire, "How many Queries there were cannot be counted now, so none is answered.", "This is not a \"no\". The responder's operator: check the store. The requester: ask again later."},
		{CodeLedgerUnavailable, Unavailable, wire, "The node cannot write its ledger, so it must not answer.", "The responder's operator: check the disk. The requester: ask again later."},
		{CodeInternal, Unavailable, wire, "The node failed to answer.", "Ask again; if it persists, tell the responder's operator the time of the Query."},
		{CodeWeakDecision, Inconclusive, local, "The peer decided at a weaker false match rate than your own law demands.", "Use another modality or second-line inspection; the agencies must agree on a rate."},
		{CodeLawTests, "", local, "The law does not decide as its table of tests says.", "Mend the law or the table at the lines listed; nothing was changed."},
		{CodeLawBook, "", local, "This change of the law is not signed by two operators, or is not about the law in force.", "Compare it with `tamga policy history --dir DIR`; propose it anew, and let two different operators approve. The law in force was not changed."},
		{CodeUnreachable, Unavailable, local, "The peer did not answer on any address.", "This is not a \"no\". Try again; `tamga status` shows the peer's addresses."},
		{CodeTimeout, Unavailable, local, "The peer did not answer in time.", "This is not a \"no\". Try again."},
		{CodeHandshake, Unavailable, local, "The peer closed the connection at the handshake: it does not know this node as a member.", "This is not a \"no\". Check `tamga status` on both sides; enrol with the Trust Anchor."},
		{CodeNoPeer, Unavailable, local, "No member of the federation answers for this country.", "This is not a \"no\". Check the country code; `tamga status` lists the members."},
		{CodeOwnCountry, Refused, local, "The identifier is of your own country's register; a node asks other countries only.", "Check the country in the subject; nothing was sent."},
		{CodeNotRunning, "", local, "The own node does not answer.", "Start it with `tamga run --dir DIR`, or check --dir and --api."},
		{CodeListen, "", local, "An address to listen on cannot be used.", "Stop the program that holds it (`ss -ltunp` names it), or choose another address."},
		{CodePeer, "", local, "There is no peer of this name in the state that the command needs.", "`tamga peer list` shows the peers and their states; nothing was changed."},
		{CodeIntroduction, "", local, "The file or the words of an introduction are not what they should be.", "Have the other side send the file again; nobody's keys were confirmed."},
		{CodePeerUnproved, "", local, "The key of a peer ID has not signed for this Entity and its federation key.", "Whoever made the Entity Configuration has another's peer ID in it, or an old version of it: have the node write it anew."},
		{CodeMembership, "", local, "The Trust Anchor does not take this change of its members.", "Compare with what the node's operator sent; nothing was changed."},
		{CodeAnswerInvalid, Unavailable, local, "The peer's reply does not verify, so it says nothing.", "Report it to the peer's operator with the time of the Query."},
		{CodeReceiptInvalid, Unavailable, local, "The peer's ledger receipt does not verify, so the reply is not accepted.", "Report it to the peer's operator and keep the reply as evidence."},
		{CodeLedgerContradicted, Unavailable, local, "The peer's ledger contradicts what it has shown before: it was put back to an earlier state, or is not the same for everybody.", "This is not a \"no\". The evidence is in data/contradictions: phone the peer's operator, who stops the node and sees `tamga recovery status`; move the files away once it is settled."},
		{CodeLedgerTampered, "", local, "The ledger on disk is not what was signed.", "Stop the node, keep the folder as evidence, compare with receipts that peers hold."},
		{CodeRolledBack, "", local, "The data folder is older than what the node has signed, or nobody can tell.", "Put the newest data folder and checkpoint file back. If they are lost: `tamga recovery status --dir DIR`."},
		{CodeRecovery, "", local, "The node is in recovery and serves nothing: entries of its ledger may be missing.", "See `tamga recovery status --dir DIR`; then two operators accept what is missing, and `tamga recovery finish`."},
		{CodeConfig, "", local, "The configuration is not valid.", "Mend the lines listed; nothing was started."},
		{CodeCustody, "", local, "The root key could not be opened.", "Check the passphrase and that the key file belongs to this node."},
		{CodeSealed, "", local, "The node is sealed: its root key is not open.", "Bring custodians' shares with `tamga unseal`, or open it with a passphrase if it has one; `tamga custody show` tells."},
		{CodeCustodyWait, "", local, "Too many wrong passphrases: the next attempt has to wait.", "Wait as long as the reason says, and find out who tried; the right passphrase clears the count."},
		{CodeCeremony, "", local, "A share, plan or transcript of a key ceremony is refused.", "Compare the ceremony's id with `tamga custody show`; nothing was changed."},
		{CodeRotation, "", local, "This step of a key rotation is not possible now.", "See `tamga key list`: prepare, then activate, then retire; nothing was changed."},
		{CodeOlderKeys, "", local, "The keystore is an older one than the node or its gallery has used.", "Put back the newest keystore.json, with the root.json that opens it, or restore the newest key escrow; nothing was changed."},
		{CodePseudonymKey, "", local, "The pseudonym key, which is kept apart, is missing, sealed or another node's.", "Mount the disk of pseudonym.keystore, or put back the copy of that folder, and give what opens it with the flags --pseudonym-...; nothing was changed."},
		{CodePseudonymHolder, "", local, "Too few holders of the pseudonym key gave a right answer.", "See in the log, or in the reason, which ones: start them, mend the network, or, of one that lies, find out who changed it; the same again is safe."},
		{CodeHolderReplacement, "", local, "The node that a holder of the pseudonym key answers did not sign this replacement.", "Have the node's operator run `tamga key rotate prepare --holders` again, which writes the file anew, and compare the holder's --client with `tamga holder client` at the node; nothing was changed."},
		{CodeUsage, "", local, "The command line is not complete.", "See the command's --help."},
		{CodeFile, "", local, "A file or folder cannot be read or written.", "Check the path and its permissions."},
		{CodeExists, "", local, "There is something already where the command was to write.", "Name another folder; nothing was changed."},
		{CodeInterrupted, "", local, "The command was interrupted.", "Run it again; what was acknowledged is kept."},
		{CodeData, "", local, "What was read is not what the command needs.", "The reason names what is missing or does not fit; give other data. Nothing was written."},
		{CodeFailed, "", local, "The command failed.", "Mend what the reason names and run it again."},
		{CodeRequest, "", local, "The request does not satisfy the API's schema.", "See the pointers in errors; the OpenAPI document is at /openapi.json."},
		{CodeUnauthenticated, "", local, "The request carries no token that allows it.", "Send the token of the node's api-token file to ask, of its enrol-token file to enrol, as a Bearer token."},
		{CodeNotFound, "", local, "There is nothing at this address.", "The OpenAPI document is at /openapi.json."},
		{CodeForeign, "", local, "The API answers this machine's own programs only.", "Call it by a loopback name from a program, not from a web page of another origin."},
		{CodeMethod, "", local, "This address does not take this method.", "See the Allow header, and the OpenAPI document at /openapi.json."},
		{CodeMediaType, "", local, "The body is not of the media type that this address takes.", "Set Content-Type as the OpenAPI document says."},
		{CodeTooLarge, "", local, "The body is larger than this address takes.", "Send less at once."},
		{CodeNotInTime, "", local, "The body did not arrive, whole and in time.", "Send it again."},
		{CodeIdempotency, "", local, "The Idempotency-Key belongs to another request, or to one still being worked on.", "Wait, or use a new key for a new request."},
		{CodeNotReady, "", local, "The node knows no other member yet.", "Check that the Trust Anchor can be reached and has enrolled this node; `tamga status` shows the members."},
		{CodeStoreLocked, "", local, "The data folder is in use by another process.", "Stop the other process, or let the running node do it."},
		{CodeStoreDamaged, "", local, "The store on disk is damaged or does not belong to this node's keys.", "Do not delete anything; restore from backup or ask for help."},
		{CodeStoreAway, "", local, "The gallery's store cannot be used for now; what it had acknowledged stays, and the change that met this was not made.", "Check the database server and the file that store.dsn_file names, or the disk, then send the same again: it does the rest."},
		{CodeStoreInDoubt, "", local, "The connection to the gallery's store was lost while it was writing: whether it was stored could not be told.", "Send the same again: what was stored is then reported as unchanged."},
		{CodeStoreFull, "", local, "Too little disk space is left to change anything; the node still answers what it can.", "Free disk space and send the same again: the node goes on by itself. Nothing was changed."},
		{CodeStoreTarget, "", local, "The gallery cannot be copied into this store; nothing was changed.", "Name an empty store, or one with an earlier copy of this gallery."},
		{CodeBackup, "", local, "The backup is not what the node signed, or does not open.", "Take another copy of it, or an older backup; the message names the part."},
		{CodeBackupExpired, "", local, "The backup needs keys that were destroyed since it was taken: it opens for nobody.", "Restore a later backup; `tamga backup list` shows which ones open. Destroy this one, and every older key escrow."},
		{CodeEscrow, "", local, "The key escrow is older than the backup and does not hold its keys.", "Give the latest key escrow of the node with --keys; `tamga backup list` shows which one that is."},
		{CodeManifest, "", local, "The manifest cannot be read.", "Check the path and the format; nothing was enrolled."},
		{CodeRecord, "", local, "The record breaks a rule of the manifest format.", "Mend the line and run the import again; good records are not enrolled twice."},
		{CodeTemplate, "", local, "The template breaks a rule of the format it names.", "Export it again; the other records are enrolled."},
		{CodeBatch, "", local, "There is no import batch of this name.", "`tamga enrol batches` lists them; nothing was changed."},
		{CodeConformance, "", local, "The target failed required conformance cases.", "Read the report; each case cites its requirement in PROTOCOL.md."},
	}
}

// entries is the registry by code, made once: every reply looks its code up.
var entries = sync.OnceValue(func() map[Code]CodeEntry {
	m := make(map[Code]CodeEntry)
	for _, e := range registry() {
		m[e.Code] = e
	}
	return m
})

// Registry returns every code, sorted.
func Registry() []CodeEntry {
	r := registry()
	slices.SortFunc(r, func(a, b CodeEntry) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return r
}

// Lookup returns the entry of c.
func Lookup(c Code) (CodeEntry, bool) {
	e, ok := entries()[c]
	return e, ok
}

// inClear reports whether a Refusal may carry c (TMG-A-007): a code of what comes
// before anything is recorded, or one that says why nothing could be.
func (c Code) inClear() bool {
	switch c {
	case CodeMalformed, CodeRevision, CodeNotMember, CodeChainExpired, CodeTrustUndetermined, CodePeerMismatch,
		CodeSignature, CodeAudience, CodeExpired, CodeLifetime,
		CodeOverloaded, CodeLedgerUnavailable, CodeInternal:
		return true
	}
	return false
}

// Outcome is the outcome that c stands for. A code that the registry does not
// have, or one that is not about a Query, is Unavailable: it must never read as
// an answer.
func (c Code) Outcome() Outcome {
	if e, ok := Lookup(c); ok && e.Outcome != "" {
		return e.Outcome
	}
	return Unavailable
}

// Title is the code's sentence, or the empty string for an unknown code.
func (c Code) Title() string {
	e, _ := Lookup(c)
	return e.Title
}

// Next is what is to be done about c, or the empty string for an unknown code.
func (c Code) Next() string {
	e, _ := Lookup(c)
	return e.Next
}

// Fault is an error with the Code that the other side, or the operator, is told.
// Err stays inside the node.
type Fault struct {
	Code Code
	Err  error
}

func (f *Fault) Error() string {
	if f.Err == nil {
		return string(f.Code)
	}
	return fmt.Sprintf("%s: %v", f.Code, f.Err)
}

// Unwrap returns the inner error.
func (f *Fault) Unwrap() error { return f.Err }

// CodeOf returns the Code of err, CodeInternal for an error without one.
func CodeOf(err error) Code {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Code
	}
	return CodeInternal
}

func fault(c Code, format string, args ...any) *Fault {
	return &Fault{Code: c, Err: fmt.Errorf(format, args...)}
}
