package mount3_test

import (
	"testing"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

func TestMessagesComeBack(t *testing.T) {
	for _, make := range messages {
		xdrtest.Check(t, make)
	}
}

var messages = []func() xdrtest.Message{
	func() xdrtest.Message { return new(mount3.Dirpath) },
	func() xdrtest.Message { return new(mount3.Fhstatus) },
	func() xdrtest.Message { return new(mount3.Mountres3) },
	func() xdrtest.Message { return new(mount3.Mountlist) },
	func() xdrtest.Message { return new(mount3.Exports) },
	func() xdrtest.Message { return new(mount3.Ppathcnf) },
}

func FuzzMessages(f *testing.F) { xdrtest.Fuzz(f, messages...) }
