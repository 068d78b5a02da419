package witness

import (
	"reflect"
	"testing"

	"github.com/pawelgaczynski/giouring"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

func TestLayoutsAgree(t *testing.T) {
	for name, c := range map[string]struct {
		ours, theirs any
		split        bool // one side has a field that is padding on the other
	}{
		"sqe":           {abi.SQE{}, giouring.SubmissionQueueEntry{}, false},
		"cqe":           {abi.CQE{}, giouring.CompletionQueueEvent{}, false},
		"params":        {abi.Params{}, giouring.Params{}, true},
		"getevents_arg": {abi.GetEventsArg{}, giouring.GetEventsArg{}, false},
		"rsrc_register": {abi.RsrcRegister{}, giouring.RsrcRegister{}, false},
		"rsrc_update":   {abi.RsrcUpdate{}, giouring.RsrcUpdate{}, false},
		"rsrc_update2":  {abi.RsrcUpdate2{}, giouring.RsrcUpdate2{}, false},
		"probe_op":      {abi.ProbeOp{}, giouring.ProbeOp{}, false},
		"buf":           {abi.Buf{}, giouring.BufAndRing{}, false},
		"buf_reg":       {abi.BufReg{}, giouring.BufReg{}, false},
		"sync_cancel":   {abi.SyncCancelReg{}, giouring.SyncCancelReg{}, true},
		"file_range":    {abi.FileIndexRange{}, giouring.FileIndexRange{}, false},
		"recvmsg_out":   {abi.RecvmsgOut{}, giouring.RecvmsgOut{}, false},
	} {
		ours, theirs := reflect.TypeOf(c.ours), reflect.TypeOf(c.theirs)
		if ours.Size() != theirs.Size() {
			t.Errorf("%s has %d bytes here and %d there", name, ours.Size(), theirs.Size())
		}
		if c.split {
			continue
		}
		if ours.NumField() != theirs.NumField() {
			t.Errorf("%s has %d fields here and %d there", name, ours.NumField(), theirs.NumField())
			continue
		}
		for i := range ours.NumField() {
			a, b := ours.Field(i), theirs.Field(i)
			if a.Offset != b.Offset || a.Type.Size() != b.Type.Size() {
				t.Errorf("%s: %s at %d here, %s at %d there", name, a.Name, a.Offset, b.Name, b.Offset)
			}
		}
	}
}
