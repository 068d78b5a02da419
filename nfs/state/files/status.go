package files

// Status is an nfsstat4 (RFC 8881 section 15.1), by its number on the wire.
type Status uint32

// The statuses that this package answers.
const (
	OK              Status = 0
	Inval           Status = 22
	Delay           Status = 10008
	Denied          Status = 10010
	Expired         Status = 10011
	Locked          Status = 10012
	Grace           Status = 10013
	ShareDenied     Status = 10015
	Resource        Status = 10018
	StaleClientID   Status = 10022
	StaleStateid    Status = 10023
	OldStateid      Status = 10024
	BadStateid      Status = 10025
	BadSeqid        Status = 10026
	NoGrace         Status = 10033
	ReclaimBad      Status = 10034
	ReclaimConflict Status = 10035
	LocksHeld       Status = 10037
	OpenMode        Status = 10038
	AdminRevoked    Status = 10047
)

// crowded says that a bound for all clients is reached: there may be room when others have lost what
// they need not have. No client sees it.
const crowded Status = 1 << 31

// full is what an operation is told that would exceed a bound: version 4.1 has no RESOURCE.
func full(legacy bool) Status {
	if legacy {
		return Resource
	}
	return Delay
}
