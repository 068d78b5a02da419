package abi

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestOffsetsAreTheKernels holds every field against the offset that the
// kernel's header gives it on 64-bit machines (and asserts itself for the
// entries, in io_uring_init).
func TestOffsetsAreTheKernels(t *testing.T) {
	var (
		sqe    SQE
		cqe    CQE
		p      Params
		sq     SQRingOffsets
		cq     CQRingOffsets
		arg    GetEventsArg
		reg    RsrcRegister
		up     RsrcUpdate
		up2    RsrcUpdate2
		op     ProbeOp
		probe  Probe
		buf    Buf
		bufreg BufReg
		status BufStatus
		cancel SyncCancelReg
		files  FileIndexRange
		out    RecvmsgOut
		ts     Timespec
	)
	for name, c := range map[string]struct{ got, want uintptr }{
		"sqe.opcode":          {unsafe.Offsetof(sqe.Opcode), 0},
		"sqe.flags":           {unsafe.Offsetof(sqe.Flags), 1},
		"sqe.ioprio":          {unsafe.Offsetof(sqe.IOPrio), 2},
		"sqe.fd":              {unsafe.Offsetof(sqe.FD), 4},
		"sqe.off":             {unsafe.Offsetof(sqe.Off), 8},
		"sqe.addr":            {unsafe.Offsetof(sqe.Addr), 16},
		"sqe.len":             {unsafe.Offsetof(sqe.Len), 24},
		"sqe.rw_flags":        {unsafe.Offsetof(sqe.OpFlags), 28},
		"sqe.user_data":       {unsafe.Offsetof(sqe.UserData), 32},
		"sqe.buf_index":       {unsafe.Offsetof(sqe.BufIndex), 40},
		"sqe.personality":     {unsafe.Offsetof(sqe.Personality), 42},
		"sqe.file_index":      {unsafe.Offsetof(sqe.FileIndex), 44},
		"sqe.addr3":           {unsafe.Offsetof(sqe.Addr3), 48},
		"sqe.pad2":            {unsafe.Offsetof(sqe.Pad2), 56},
		"cqe.user_data":       {unsafe.Offsetof(cqe.UserData), 0},
		"cqe.res":             {unsafe.Offsetof(cqe.Res), 8},
		"cqe.flags":           {unsafe.Offsetof(cqe.Flags), 12},
		"params.sq_entries":   {unsafe.Offsetof(p.SQEntries), 0},
		"params.cq_entries":   {unsafe.Offsetof(p.CQEntries), 4},
		"params.flags":        {unsafe.Offsetof(p.Flags), 8},
		"params.thread_cpu":   {unsafe.Offsetof(p.SQThreadCPU), 12},
		"params.thread_idle":  {unsafe.Offsetof(p.SQThreadIdle), 16},
		"params.features":     {unsafe.Offsetof(p.Features), 20},
		"params.wq_fd":        {unsafe.Offsetof(p.WQFD), 24},
		"params.sq_off":       {unsafe.Offsetof(p.SQOff), 40},
		"params.cq_off":       {unsafe.Offsetof(p.CQOff), 80},
		"sq_off.head":         {unsafe.Offsetof(sq.Head), 0},
		"sq_off.tail":         {unsafe.Offsetof(sq.Tail), 4},
		"sq_off.ring_mask":    {unsafe.Offsetof(sq.RingMask), 8},
		"sq_off.ring_entries": {unsafe.Offsetof(sq.RingEntries), 12},
		"sq_off.flags":        {unsafe.Offsetof(sq.Flags), 16},
		"sq_off.dropped":      {unsafe.Offsetof(sq.Dropped), 20},
		"sq_off.array":        {unsafe.Offsetof(sq.Array), 24},
		"sq_off.user_addr":    {unsafe.Offsetof(sq.UserAddr), 32},
		"cq_off.head":         {unsafe.Offsetof(cq.Head), 0},
		"cq_off.tail":         {unsafe.Offsetof(cq.Tail), 4},
		"cq_off.ring_mask":    {unsafe.Offsetof(cq.RingMask), 8},
		"cq_off.ring_entries": {unsafe.Offsetof(cq.RingEntries), 12},
		"cq_off.overflow":     {unsafe.Offsetof(cq.Overflow), 16},
		"cq_off.cqes":         {unsafe.Offsetof(cq.CQEs), 20},
		"cq_off.flags":        {unsafe.Offsetof(cq.Flags), 24},
		"cq_off.user_addr":    {unsafe.Offsetof(cq.UserAddr), 32},
		"getevents.sigmask":   {unsafe.Offsetof(arg.Sigmask), 0},
		"getevents.size":      {unsafe.Offsetof(arg.SigmaskSize), 8},
		"getevents.min_wait":  {unsafe.Offsetof(arg.MinWaitUsec), 12},
		"getevents.ts":        {unsafe.Offsetof(arg.TS), 16},
		"rsrc_reg.nr":         {unsafe.Offsetof(reg.NR), 0},
		"rsrc_reg.flags":      {unsafe.Offsetof(reg.Flags), 4},
		"rsrc_reg.data":       {unsafe.Offsetof(reg.Data), 16},
		"rsrc_reg.tags":       {unsafe.Offsetof(reg.Tags), 24},
		"rsrc_up.offset":      {unsafe.Offsetof(up.Offset), 0},
		"rsrc_up.data":        {unsafe.Offsetof(up.Data), 8},
		"rsrc_up2.offset":     {unsafe.Offsetof(up2.Offset), 0},
		"rsrc_up2.data":       {unsafe.Offsetof(up2.Data), 8},
		"rsrc_up2.tags":       {unsafe.Offsetof(up2.Tags), 16},
		"rsrc_up2.nr":         {unsafe.Offsetof(up2.NR), 24},
		"probe_op.op":         {unsafe.Offsetof(op.Op), 0},
		"probe_op.flags":      {unsafe.Offsetof(op.Flags), 2},
		"probe.last_op":       {unsafe.Offsetof(probe.LastOp), 0},
		"probe.ops_len":       {unsafe.Offsetof(probe.OpsLen), 1},
		"probe.ops":           {unsafe.Offsetof(probe.Ops), 16},
		"buf.addr":            {unsafe.Offsetof(buf.Addr), 0},
		"buf.len":             {unsafe.Offsetof(buf.Len), 8},
		"buf.bid":             {unsafe.Offsetof(buf.BID), 12},
		"buf.resv":            {unsafe.Offsetof(buf.Resv), PbufRingTailOffset},
		"buf_reg.addr":        {unsafe.Offsetof(bufreg.RingAddr), 0},
		"buf_reg.entries":     {unsafe.Offsetof(bufreg.RingEntries), 8},
		"buf_reg.bgid":        {unsafe.Offsetof(bufreg.BGID), 12},
		"buf_reg.flags":       {unsafe.Offsetof(bufreg.Flags), 14},
		"buf_status.group":    {unsafe.Offsetof(status.BufGroup), 0},
		"buf_status.head":     {unsafe.Offsetof(status.Head), 4},
		"cancel.addr":         {unsafe.Offsetof(cancel.Addr), 0},
		"cancel.fd":           {unsafe.Offsetof(cancel.FD), 8},
		"cancel.flags":        {unsafe.Offsetof(cancel.Flags), 12},
		"cancel.timeout":      {unsafe.Offsetof(cancel.Timeout), 16},
		"cancel.opcode":       {unsafe.Offsetof(cancel.Opcode), 32},
		"file_range.off":      {unsafe.Offsetof(files.Off), 0},
		"file_range.len":      {unsafe.Offsetof(files.Len), 4},
		"recvmsg_out.name":    {unsafe.Offsetof(out.NameLen), 0},
		"recvmsg_out.control": {unsafe.Offsetof(out.ControlLen), 4},
		"recvmsg_out.payload": {unsafe.Offsetof(out.PayloadLen), 8},
		"recvmsg_out.flags":   {unsafe.Offsetof(out.Flags), 12},
		"timespec.sec":        {unsafe.Offsetof(ts.Sec), 0},
		"timespec.nsec":       {unsafe.Offsetof(ts.Nsec), 8},
	} {
		require.Equal(t, c.want, c.got, name)
	}
}

func TestOperationsHaveTheKernelsNumbersAndNames(t *testing.T) {
	for op, want := range map[uint8]uint8{
		OpNop: 0, OpSendmsg: 9, OpRecv: 27, OpMkdirat: 37, OpSendZC: 47, OpSendmsgZC: 48,
		OpReadMultishot: 49, OpFixedFDInstall: 54, OpFtruncate: 55, OpListen: 57,
		OpRecvZC: 58, OpWritevFixed: 61, OpPipe: 62, OpLast: 63,
	} {
		require.Equal(t, want, op)
	}
	seen := map[string]bool{}
	for op, name := range OpNames {
		require.NotEmpty(t, name, "operation %d", op)
		require.False(t, seen[name], name)
		seen[name] = true
	}
}
