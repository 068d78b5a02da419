package uring_test

import (
	"fmt"
	"log"
	"runtime"

	"github.com/ringnfs/ringnfs/uring"
)

// A ring belongs to a thread. All memory whose address the kernel gets lies outside the Go heap.
func ExampleNew() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := uring.New(uring.Config{Entries: 8})
	if err != nil {
		log.Print(err) // names the cause and the remedy
		return
	}
	defer func() { _ = r.Close() }()
	buf, err := uring.Map(4096)
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = uring.Unmap(buf) }()

	s := r.SQE()
	s.PrepRead(0, buf, uring.CurrentOffset, 0)
	s.SetUserData(1)
	if err := r.Wait(1, uring.Forever); err != nil {
		log.Print(err)
		return
	}
	var done [8]uring.CQE
	for _, c := range done[:r.Harvest(done[:])] {
		fmt.Println(c.UserData, c.Res, c.Errno())
	}
}
