package nfs4_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

type message = func() xdrtest.Message

// of makes messages of type T.
func of[T any, P interface {
	*T
	xdrtest.Message
}]() xdrtest.Message {
	return P(new(T))
}

// operations has arguments and results by operation. Those without arguments have none here.
var operations = map[nfs4.NfsOpnum4][2]message{
	nfs4.OP_ACCESS:               {of[nfs4.ACCESS4args], of[nfs4.ACCESS4res]},
	nfs4.OP_CLOSE:                {of[nfs4.CLOSE4args], of[nfs4.CLOSE4res]},
	nfs4.OP_COMMIT:               {of[nfs4.COMMIT4args], of[nfs4.COMMIT4res]},
	nfs4.OP_CREATE:               {of[nfs4.CREATE4args], of[nfs4.CREATE4res]},
	nfs4.OP_DELEGPURGE:           {of[nfs4.DELEGPURGE4args], of[nfs4.DELEGPURGE4res]},
	nfs4.OP_DELEGRETURN:          {of[nfs4.DELEGRETURN4args], of[nfs4.DELEGRETURN4res]},
	nfs4.OP_GETATTR:              {of[nfs4.GETATTR4args], of[nfs4.GETATTR4res]},
	nfs4.OP_GETFH:                {nil, of[nfs4.GETFH4res]},
	nfs4.OP_LINK:                 {of[nfs4.LINK4args], of[nfs4.LINK4res]},
	nfs4.OP_LOCK:                 {of[nfs4.LOCK4args], of[nfs4.LOCK4res]},
	nfs4.OP_LOCKT:                {of[nfs4.LOCKT4args], of[nfs4.LOCKT4res]},
	nfs4.OP_LOCKU:                {of[nfs4.LOCKU4args], of[nfs4.LOCKU4res]},
	nfs4.OP_LOOKUP:               {of[nfs4.LOOKUP4args], of[nfs4.LOOKUP4res]},
	nfs4.OP_LOOKUPP:              {nil, of[nfs4.LOOKUPP4res]},
	nfs4.OP_NVERIFY:              {of[nfs4.NVERIFY4args], of[nfs4.NVERIFY4res]},
	nfs4.OP_OPEN:                 {of[nfs4.OPEN4args], of[nfs4.OPEN4res]},
	nfs4.OP_OPENATTR:             {of[nfs4.OPENATTR4args], of[nfs4.OPENATTR4res]},
	nfs4.OP_OPEN_CONFIRM:         {of[nfs4.OPENCONFIRM4args], of[nfs4.OPENCONFIRM4res]},
	nfs4.OP_OPEN_DOWNGRADE:       {of[nfs4.OPENDOWNGRADE4args], of[nfs4.OPENDOWNGRADE4res]},
	nfs4.OP_PUTFH:                {of[nfs4.PUTFH4args], of[nfs4.PUTFH4res]},
	nfs4.OP_PUTPUBFH:             {nil, of[nfs4.PUTPUBFH4res]},
	nfs4.OP_PUTROOTFH:            {nil, of[nfs4.PUTROOTFH4res]},
	nfs4.OP_READ:                 {of[nfs4.READ4args], of[nfs4.READ4res]},
	nfs4.OP_READDIR:              {of[nfs4.READDIR4args], of[nfs4.READDIR4res]},
	nfs4.OP_READLINK:             {nil, of[nfs4.READLINK4res]},
	nfs4.OP_REMOVE:               {of[nfs4.REMOVE4args], of[nfs4.REMOVE4res]},
	nfs4.OP_RENAME:               {of[nfs4.RENAME4args], of[nfs4.RENAME4res]},
	nfs4.OP_RENEW:                {of[nfs4.RENEW4args], of[nfs4.RENEW4res]},
	nfs4.OP_RESTOREFH:            {nil, of[nfs4.RESTOREFH4res]},
	nfs4.OP_SAVEFH:               {nil, of[nfs4.SAVEFH4res]},
	nfs4.OP_SECINFO:              {of[nfs4.SECINFO4args], of[nfs4.SECINFO4res]},
	nfs4.OP_SETATTR:              {of[nfs4.SETATTR4args], of[nfs4.SETATTR4res]},
	nfs4.OP_SETCLIENTID:          {of[nfs4.SETCLIENTID4args], of[nfs4.SETCLIENTID4res]},
	nfs4.OP_SETCLIENTID_CONFIRM:  {of[nfs4.SETCLIENTIDCONFIRM4args], of[nfs4.SETCLIENTIDCONFIRM4res]},
	nfs4.OP_VERIFY:               {of[nfs4.VERIFY4args], of[nfs4.VERIFY4res]},
	nfs4.OP_WRITE:                {of[nfs4.WRITE4args], of[nfs4.WRITE4res]},
	nfs4.OP_RELEASE_LOCKOWNER:    {of[nfs4.RELEASELOCKOWNER4args], of[nfs4.RELEASELOCKOWNER4res]},
	nfs4.OP_BACKCHANNEL_CTL:      {of[nfs4.BACKCHANNELCTL4args], of[nfs4.BACKCHANNELCTL4res]},
	nfs4.OP_BIND_CONN_TO_SESSION: {of[nfs4.BINDCONNTOSESSION4args], of[nfs4.BINDCONNTOSESSION4res]},
	nfs4.OP_EXCHANGE_ID:          {of[nfs4.EXCHANGEID4args], of[nfs4.EXCHANGEID4res]},
	nfs4.OP_CREATE_SESSION:       {of[nfs4.CREATESESSION4args], of[nfs4.CREATESESSION4res]},
	nfs4.OP_DESTROY_SESSION:      {of[nfs4.DESTROYSESSION4args], of[nfs4.DESTROYSESSION4res]},
	nfs4.OP_FREE_STATEID:         {of[nfs4.FREESTATEID4args], of[nfs4.FREESTATEID4res]},
	nfs4.OP_GET_DIR_DELEGATION:   {of[nfs4.GETDIRDELEGATION4args], of[nfs4.GETDIRDELEGATION4res]},
	nfs4.OP_GETDEVICEINFO:        {of[nfs4.GETDEVICEINFO4args], of[nfs4.GETDEVICEINFO4res]},
	nfs4.OP_GETDEVICELIST:        {of[nfs4.GETDEVICELIST4args], of[nfs4.GETDEVICELIST4res]},
	nfs4.OP_LAYOUTCOMMIT:         {of[nfs4.LAYOUTCOMMIT4args], of[nfs4.LAYOUTCOMMIT4res]},
	nfs4.OP_LAYOUTGET:            {of[nfs4.LAYOUTGET4args], of[nfs4.LAYOUTGET4res]},
	nfs4.OP_LAYOUTRETURN:         {of[nfs4.LAYOUTRETURN4args], of[nfs4.LAYOUTRETURN4res]},
	nfs4.OP_SECINFO_NO_NAME:      {of[nfs4.SECINFONONAME4args], of[nfs4.SECINFONONAME4res]},
	nfs4.OP_SEQUENCE:             {of[nfs4.SEQUENCE4args], of[nfs4.SEQUENCE4res]},
	nfs4.OP_SET_SSV:              {of[nfs4.SETSSV4args], of[nfs4.SETSSV4res]},
	nfs4.OP_TEST_STATEID:         {of[nfs4.TESTSTATEID4args], of[nfs4.TESTSTATEID4res]},
	nfs4.OP_WANT_DELEGATION:      {of[nfs4.WANTDELEGATION4args], of[nfs4.WANTDELEGATION4res]},
	nfs4.OP_DESTROY_CLIENTID:     {of[nfs4.DESTROYCLIENTID4args], of[nfs4.DESTROYCLIENTID4res]},
	nfs4.OP_RECLAIM_COMPLETE:     {of[nfs4.RECLAIMCOMPLETE4args], of[nfs4.RECLAIMCOMPLETE4res]},
	nfs4.OP_ALLOCATE:             {of[nfs4.ALLOCATE4args], of[nfs4.ALLOCATE4res]},
	nfs4.OP_COPY:                 {of[nfs4.COPY4args], of[nfs4.COPY4res]},
	nfs4.OP_COPY_NOTIFY:          {of[nfs4.COPYNOTIFY4args], of[nfs4.COPYNOTIFY4res]},
	nfs4.OP_DEALLOCATE:           {of[nfs4.DEALLOCATE4args], of[nfs4.DEALLOCATE4res]},
	nfs4.OP_IO_ADVISE:            {of[nfs4.IOADVISE4args], of[nfs4.IOADVISE4res]},
	nfs4.OP_LAYOUTERROR:          {of[nfs4.LAYOUTERROR4args], of[nfs4.LAYOUTERROR4res]},
	nfs4.OP_LAYOUTSTATS:          {of[nfs4.LAYOUTSTATS4args], of[nfs4.LAYOUTSTATS4res]},
	nfs4.OP_OFFLOAD_CANCEL:       {of[nfs4.OFFLOADCANCEL4args], of[nfs4.OFFLOADCANCEL4res]},
	nfs4.OP_OFFLOAD_STATUS:       {of[nfs4.OFFLOADSTATUS4args], of[nfs4.OFFLOADSTATUS4res]},
	nfs4.OP_READ_PLUS:            {of[nfs4.READPLUS4args], of[nfs4.READPLUS4res]},
	nfs4.OP_SEEK:                 {of[nfs4.SEEK4args], of[nfs4.SEEK4res]},
	nfs4.OP_WRITE_SAME:           {of[nfs4.WRITESAME4args], of[nfs4.WRITESAME4res]},
	nfs4.OP_CLONE:                {of[nfs4.CLONE4args], of[nfs4.CLONE4res]},
	nfs4.OP_GETXATTR:             {of[nfs4.GETXATTR4args], of[nfs4.GETXATTR4res]},
	nfs4.OP_SETXATTR:             {of[nfs4.SETXATTR4args], of[nfs4.SETXATTR4res]},
	nfs4.OP_LISTXATTRS:           {of[nfs4.LISTXATTRS4args], of[nfs4.LISTXATTRS4res]},
	nfs4.OP_REMOVEXATTR:          {of[nfs4.REMOVEXATTR4args], of[nfs4.REMOVEXATTR4res]},
	nfs4.OP_ILLEGAL:              {nil, of[nfs4.ILLEGAL4res]},
}

// callbacks has arguments and results by operation of a callback.
var callbacks = map[nfs4.NfsCbOpnum4][2]message{
	nfs4.OP_CB_GETATTR:              {of[nfs4.CBGETATTR4args], of[nfs4.CBGETATTR4res]},
	nfs4.OP_CB_RECALL:               {of[nfs4.CBRECALL4args], of[nfs4.CBRECALL4res]},
	nfs4.OP_CB_LAYOUTRECALL:         {of[nfs4.CBLAYOUTRECALL4args], of[nfs4.CBLAYOUTRECALL4res]},
	nfs4.OP_CB_NOTIFY:               {of[nfs4.CBNOTIFY4args], of[nfs4.CBNOTIFY4res]},
	nfs4.OP_CB_PUSH_DELEG:           {of[nfs4.CBPUSHDELEG4args], of[nfs4.CBPUSHDELEG4res]},
	nfs4.OP_CB_RECALL_ANY:           {of[nfs4.CBRECALLANY4args], of[nfs4.CBRECALLANY4res]},
	nfs4.OP_CB_RECALLABLE_OBJ_AVAIL: {of[nfs4.CBRECALLABLEOBJAVAIL4args], of[nfs4.CBRECALLABLEOBJAVAIL4res]},
	nfs4.OP_CB_RECALL_SLOT:          {of[nfs4.CBRECALLSLOT4args], of[nfs4.CBRECALLSLOT4res]},
	nfs4.OP_CB_SEQUENCE:             {of[nfs4.CBSEQUENCE4args], of[nfs4.CBSEQUENCE4res]},
	nfs4.OP_CB_WANTS_CANCELLED:      {of[nfs4.CBWANTSCANCELLED4args], of[nfs4.CBWANTSCANCELLED4res]},
	nfs4.OP_CB_NOTIFY_LOCK:          {of[nfs4.CBNOTIFYLOCK4args], of[nfs4.CBNOTIFYLOCK4res]},
	nfs4.OP_CB_NOTIFY_DEVICEID:      {of[nfs4.CBNOTIFYDEVICEID4args], of[nfs4.CBNOTIFYDEVICEID4res]},
	nfs4.OP_CB_OFFLOAD:              {of[nfs4.CBOFFLOAD4args], of[nfs4.CBOFFLOAD4res]},
	nfs4.OP_CB_ILLEGAL:              {nil, of[nfs4.CBILLEGAL4res]},
}

// values has what is inside of opaque data: attributes, notifications and digests.
var values = []message{
	of[nfs4.Settime4], of[nfs4.Specdata4], of[nfs4.Fsid4], of[nfs4.Fattr4Acl], of[nfs4.Nfsacl41],
	of[nfs4.FsLocations4], of[nfs4.FsLocationsInfo4], of[nfs4.Fs4Status], of[nfs4.ChangePolicy4],
	of[nfs4.RetentionGet4], of[nfs4.RetentionSet4], of[nfs4.ModeMasked4], of[nfs4.ModeUmask4],
	of[nfs4.ChangeAttrType4], of[nfs4.SecLabel4], of[nfs4.OpenArguments4], of[nfs4.Mdsthreshold4],
	of[nfs4.Layouthint4], of[nfs4.NotifyAdd4], of[nfs4.NotifyRename4], of[nfs4.NotifyAttr4],
	of[nfs4.NotifyVerifier4], of[nfs4.NotifyDeviceidChange4], of[nfs4.NotifyDeviceidDelete4],
	of[nfs4.SsaDigestInput4], of[nfs4.SsrDigestInput4],
}

func TestEveryOperationHasANameAndMessages(t *testing.T) {
	for op := range nfs4.NfsOpnum4(80) {
		_, there := operations[op]
		require.Equal(t, op >= 3 && op <= 75, op.Valid(), "%d", op)
		require.Equal(t, op.Valid(), there, "%v", op)
	}
	for op := range nfs4.NfsCbOpnum4(20) {
		_, there := callbacks[op]
		require.Equal(t, op >= 3 && op <= 15, op.Valid(), "%d", op)
		require.Equal(t, op.Valid(), there, "%v", op)
	}
	require.Len(t, operations, 74)
	require.Len(t, callbacks, 14)
	require.Equal(t, "OP_REMOVEXATTR", nfs4.NfsOpnum4(75).String())
	require.Equal(t, "NFS4ERR_XATTR2BIG", nfs4.Nfsstat4(10096).String())
	require.Equal(t, [...]string{"NULL", "COMPOUND"}, nfs4.NFSV4Names)
	require.Equal(t, [...]string{"NULL", "COMPOUND"}, nfs4.NFSCBNames)
}

func check(t *testing.T, name string, messages [2]message) {
	for i, kind := range []string{"arguments", "results"} {
		if messages[i] != nil {
			t.Run(name+"/"+kind, func(t *testing.T) { xdrtest.Check(t, messages[i]) })
		}
	}
}

func TestMessagesOfEveryOperation(t *testing.T) {
	again.Skip(t)
	for op, m := range operations {
		check(t, op.String(), m)
	}
	for op, m := range callbacks {
		check(t, op.String(), m)
	}
}

func TestWhatIsInOpaqueData(t *testing.T) {
	for _, m := range values {
		xdrtest.Check(t, m)
	}
}

// operation encodes an operation of a compound, filled at random, which is op in v.
func operation[O any](r *rand.Rand, t testing.TB, v xdrtest.Message, number *O, op O) []byte {
	xdrtest.Fill(r, v)
	*number = op
	return xdrtest.Encode(t, v)
}

// inCompound tests that b, an operation of a compound with its number, is what make makes.
func inCompound(t *testing.T, b []byte, make message, other xdrtest.Message) {
	t.Helper()
	xdrtest.Decode(t, b, other)
	require.Equal(t, b, xdrtest.Encode(t, other))
	if make == nil {
		require.Len(t, b, 4)
		return
	}
	alone := make()
	xdrtest.Decode(t, b[4:], alone)
	require.Equal(t, b[4:], xdrtest.Encode(t, alone))
}

func TestACompoundHasTheMessagesOfItsOperations(t *testing.T) {
	again.Skip(t)
	r := rand.New(rand.NewPCG(1, 1))
	for range 2 {
		for op, m := range operations {
			var args nfs4.NfsArgop4
			var res nfs4.NfsResop4
			inCompound(t, operation(r, t, &args, &args.Argop, op), m[0], new(nfs4.NfsArgop4))
			inCompound(t, operation(r, t, &res, &res.Resop, op), m[1], new(nfs4.NfsResop4))
		}
		for op, m := range callbacks {
			var args nfs4.NfsCbArgop4
			var res nfs4.NfsCbResop4
			inCompound(t, operation(r, t, &args, &args.Argop, op), m[0], new(nfs4.NfsCbArgop4))
			inCompound(t, operation(r, t, &res, &res.Resop, op), m[1], new(nfs4.NfsCbResop4))
		}
	}
}

func TestEntriesReuseTheMemoryOfTheLastReply(t *testing.T) {
	res := nfs4.READDIR4res{Status: nfs4.NFS4_OK}
	res.Resok4.Reply.Entries = []nfs4.Entry4{
		{Name: []byte("a"), Attrs: nfs4.Fattr4{Attrmask: nfs4.Bitmap4{1, 2}}}, {Name: []byte("b"), Cookie: 2},
	}
	b := xdrtest.Encode(t, &res)
	var d xdr.Decoder
	var into nfs4.READDIR4res
	decode := func() {
		d.Reset(b)
		into.Decode(&d)
	}
	decode()
	require.Zero(t, testing.AllocsPerRun(10, decode))
	require.NoError(t, d.Err())
	require.Len(t, into.Resok4.Reply.Entries, 2)
	require.Equal(t, nfs4.Component4("b"), into.Resok4.Reply.Entries[1].Name)
}

// TestArgumentsAreReadWithoutAllocation has the operations on which the speed of a server
// depends: their arguments are read into memory that was used before, as a server does.
func TestArgumentsAreReadWithoutAllocation(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for op, m := range operations {
		if m[0] == nil {
			continue
		}
		v, used := m[0](), m[0]()
		xdrtest.Fill(r, v)
		b := xdrtest.Encode(t, v)
		var d xdr.Decoder
		decode := func() {
			d.Reset(b)
			used.Decode(&d)
		}
		decode()
		require.Zero(t, testing.AllocsPerRun(10, decode), "%v", op)
		require.NoError(t, d.Err())
	}
	// These have no lists: they need no memory the first time either.
	for _, op := range []nfs4.NfsOpnum4{
		nfs4.OP_ACCESS, nfs4.OP_CLOSE, nfs4.OP_COMMIT, nfs4.OP_LOCK, nfs4.OP_LOCKU, nfs4.OP_LOOKUP, nfs4.OP_PUTFH,
		nfs4.OP_READ, nfs4.OP_REMOVE, nfs4.OP_RENAME, nfs4.OP_SEQUENCE, nfs4.OP_WRITE,
	} {
		v := operations[op][0]()
		xdrtest.Fill(r, v)
		b := xdrtest.Encode(t, v)
		var fresh []xdrtest.Message
		for range 11 {
			fresh = append(fresh, operations[op][0]())
		}
		var d xdr.Decoder
		require.Zero(t, testing.AllocsPerRun(10, func() {
			d.Reset(b)
			fresh[0].Decode(&d)
			fresh = fresh[1:]
		}), "%v", op)
		require.NoError(t, d.Err())
	}
}

// each has the arguments (0) or the results (1) of each operation, in the order of the numbers.
func each[O nfs4.NfsOpnum4 | nfs4.NfsCbOpnum4](of map[O][2]message, i int) []message {
	var messages []message
	for _, op := range slices.Sorted(maps.Keys(of)) {
		if m := of[op][i]; m != nil {
			messages = append(messages, m)
		}
	}
	return messages
}

func FuzzArguments(f *testing.F)   { xdrtest.Fuzz(f, each(operations, 0)...) }
func FuzzResults(f *testing.F)     { xdrtest.Fuzz(f, each(operations, 1)...) }
func FuzzCBArguments(f *testing.F) { xdrtest.Fuzz(f, each(callbacks, 0)...) }
func FuzzCBResults(f *testing.F)   { xdrtest.Fuzz(f, each(callbacks, 1)...) }
func FuzzValues(f *testing.F)      { xdrtest.Fuzz(f, values...) }

// FuzzCOMPOUND is slow: each compound that it decodes into has all operations in each place.
func FuzzCOMPOUND(f *testing.F) { xdrtest.Fuzz(f, of[nfs4.COMPOUND4args], of[nfs4.COMPOUND4res]) }

func FuzzCBCOMPOUND(f *testing.F) { xdrtest.Fuzz(f, of[nfs4.CBCOMPOUND4args], of[nfs4.CBCOMPOUND4res]) }
