package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatusesHaveTheNumbersOfTheWire(t *testing.T) {
	// RFC 8881 section 15.1, table 13.
	for want, got := range map[uint32]Status{
		0: OK, 1: Perm, 2: NoEnt, 22: Inval, 28: NoSpc,
		10005: TooSmall, 10006: ServerFault, 10008: Delay, 10011: Expired, 10017: ClidInUse,
		10022: StaleClientID, 10027: NotSame, 10048: CBPathDown, 10052: BadSession, 10053: BadSlot,
		10054: CompleteAlready, 10055: ConnNotBound, 10057: BackChanBusy, 10063: SeqMisordered, 10065: ReqTooBig,
		10066: RepTooBig, 10067: RepTooBigToCache, 10068: RetryUncachedRep, 10070: TooManyOps,
		10074: ClientIDBusy, 10076: SeqFalseRetry,
		10077: BadHighSlot, 10079: EncrAlgUnsupp,
	} {
		require.EqualValues(t, want, got)
	}
}
