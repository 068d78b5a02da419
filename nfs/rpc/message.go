package rpc

// rpcVersion is the version of the protocol itself (RFC 5531, section 9).
const rpcVersion = 2

// Message types and reply discriminants (RFC 5531, section 9).
const (
	msgCall  = 0
	msgReply = 1

	msgAccepted = 0
	msgDenied   = 1

	rejectMismatch = 0 // RPC_MISMATCH
	rejectAuth     = 1 // AUTH_ERROR
)

// acceptStat is RFC 5531's accept_stat.
type acceptStat uint32

const (
	acceptSuccess      acceptStat = 0
	acceptProgUnavail  acceptStat = 1
	acceptProgMismatch acceptStat = 2
	acceptProcUnavail  acceptStat = 3
	acceptGarbageArgs  acceptStat = 4
	acceptSystemErr    acceptStat = 5
)

// AuthStat says whether a credential is good, and if not, why (RFC 5531, section
// 9, auth_stat).
type AuthStat uint32

// The verdicts on a credential.
const (
	AuthOK           AuthStat = 0
	AuthBadCred      AuthStat = 1 // the credential is malformed
	AuthRejectedCred AuthStat = 2 // the client must begin a new session
	AuthBadVerf      AuthStat = 3 // the verifier is malformed
	AuthRejectedVerf AuthStat = 4 // the verifier is expired or replayed
	AuthTooWeak      AuthStat = 5 // rejected for security reasons
	AuthInvalidResp  AuthStat = 6 // local to clients
	AuthFailed       AuthStat = 7 // for a reason that is not told

	AuthGSSCredProblem AuthStat = 13 // no credentials for the user (RFC 2203, section 5.3.3.3)
	AuthGSSCtxProblem  AuthStat = 14 // the context is unknown

	// AuthDiscard is no number of the protocol. It says that the call gets no reply, which by
	// TCP ends the connection. RFC 2203, section 5.3.3.1, wants this for a call outside the
	// sequence window.
	AuthDiscard AuthStat = 1 << 31
)

// authBodyMax is the most bytes in the body of a credential or a verifier
// (RFC 5531, section 8.2).
const authBodyMax = 400

// CredentialMax is the most bytes in the body of a credential.
const CredentialMax = authBodyMax

// Sizes in bytes of the parts of a call header.
const (
	callFixed = 24 // xid, mtype, rpcvers, prog, vers, proc
	authFixed = 8  // flavor and length of an opaque_auth
	// callHeaderMax is the longest call header.
	callHeaderMax = callFixed + 2*(authFixed+authBodyMax)
)

// Sizes in bytes of reply headers.
const (
	// acceptedFixed is an accepted header without the verifier's body: xid,
	// mtype, reply_stat, flavor, length, accept_stat.
	acceptedFixed = 24
	mismatchLen   = 8  // low and high behind accept_stat
	authErrorLen  = 20 // xid, mtype, reply_stat, reject_stat, auth_stat
	rpcMismatch   = 24 // ... and low and high instead of auth_stat
)

// HeaderMax is the most bytes that a reply header takes, together with all that a flavor puts
// around the results.
const HeaderMax = 512

// ReplyMemoryMin is how much memory Call.Reply must be reset with for [Server.Run] to reach the
// procedure. With less, Run returns [Grow] at once.
const ReplyMemoryMin = HeaderMax + ReplyMin
