package state

// Status is an nfsstat4 (RFC 8881 section 15.1), by its number on the wire.
type Status uint32

// The statuses that this package answers.
const (
	OK               Status = 0
	Perm             Status = 1
	NoEnt            Status = 2
	Inval            Status = 22
	NoSpc            Status = 28
	TooSmall         Status = 10005
	ServerFault      Status = 10006
	Delay            Status = 10008
	Expired          Status = 10011
	ClidInUse        Status = 10017
	StaleClientID    Status = 10022
	NotSame          Status = 10027
	CBPathDown       Status = 10048
	BadSession       Status = 10052
	BadSlot          Status = 10053
	CompleteAlready  Status = 10054
	ConnNotBound     Status = 10055
	BackChanBusy     Status = 10057
	SeqMisordered    Status = 10063
	ReqTooBig        Status = 10065
	RepTooBig        Status = 10066
	RepTooBigToCache Status = 10067
	RetryUncachedRep Status = 10068
	TooManyOps       Status = 10070
	ClientIDBusy     Status = 10074
	SeqFalseRetry    Status = 10076
	BadHighSlot      Status = 10077
	EncrAlgUnsupp    Status = 10079
)
