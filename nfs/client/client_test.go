package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

// served returns a Conn. answer gets the Conn's calls, as messages, and returns the bytes of the
// stream of replies; nil ends the connection.
func served(t *testing.T, answer func(call []byte) []byte) *client.Conn {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		for {
			call, err := client.ReadRecord(far, nil, 1<<20)
			if err != nil {
				return
			}
			b := answer(call)
			if b == nil {
				return
			}
			if _, err := far.Write(b); err != nil {
				return
			}
		}
	}()
	c := client.New(near, client.Sys("machine", 1, 2, 3, 4))
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		<-done
	})
	return c
}

// accepted returns the reply to a call, up to its results.
func accepted(call []byte) rpctest.Args {
	return rpctest.Args(nil).Raw(call[:4]).U32(1, 0, 0, 0, 0)
}

func TestACallHasTheBytesOfTheRFC(t *testing.T) {
	var got []byte
	c := served(t, func(call []byte) []byte {
		got = call
		return rpctest.Fragments(accepted(call).U32(70), 3, 0, 20)
	})
	res, err := client.NFS{Caller: c}.Getattr(nfs3.NfsFh3{Data: []byte("hand")})
	var status *client.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, nfs3.NFS3ERR_STALE, status.Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, res.Status)
	require.EqualError(t, err, "GETATTR: NFS3ERR_STALE")
	cred := rpctest.Opaque{Flavor: 1, Body: rpctest.Args(nil).U32(0).String("machine").U32(1, 2, 2, 3, 4)}
	want := rpctest.NewCall(0, 100003, 3, 1, rpctest.Args(nil).String("hand")).As(cred).Bytes()
	require.Equal(t, want[4:], got[4:])
	first := bytes.Clone(got[:4])
	_, err = client.NFS{Caller: c}.Getattr(nfs3.NfsFh3{})
	require.Error(t, err)
	require.NotEqual(t, first, got[:4], "each call has an id of its own")
}

func TestResultsComeInViewsAndFailuresWithWhatIsKnown(t *testing.T) {
	c := served(t, func(call []byte) []byte {
		res := nfs3.READ3res{Status: nfs3.NFS3_OK}
		res.Resok.Data, res.Resok.Count = bytes.Repeat([]byte("x"), 1<<16), 1<<16
		return rpctest.Record(accepted(call).Raw(xdrtest.Encode(t, &res)))
	})
	n := client.NFS{Caller: c}
	res, err := n.Read(nfs3.NfsFh3{}, 0, 1<<16)
	require.NoError(t, err)
	require.Len(t, res.Resok.Data, 1<<16)
	_, err = n.Write(
		nfs3.NfsFh3{},
		0,
		make([]byte, 1<<18),
		nfs3.UNSTABLE,
	) // more than a Conn has room for at first
	require.ErrorContains(t, err, "WRITE: ")
}

func TestWhatTheServerDidNotDoIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		words []uint32 // behind the transaction id
		want  error
	}{
		"no program":               {[]uint32{1, 0, 0, 0, 1}, &client.Refused{Stat: client.PROG_UNAVAIL}},
		"other versions":           {[]uint32{1, 0, 0, 0, 2, 4, 5}, &client.Refused{Stat: client.PROG_MISMATCH, Versions: client.Versions{Low: 4, High: 5}}},
		"other versions, unsaid":   {[]uint32{1, 0, 0, 0, 2}, &client.Refused{Stat: client.PROG_MISMATCH}},
		"a stat that is none":      {[]uint32{1, 0, 0, 0, 9}, &client.Refused{Stat: 9}},
		"another RPC":              {[]uint32{1, 1, 0, 3, 4}, &client.Denied{Stat: client.RPC_MISMATCH, Versions: client.Versions{Low: 3, High: 4}}},
		"another RPC, unsaid":      {[]uint32{1, 1, 0}, &client.Denied{Stat: client.RPC_MISMATCH}},
		"a credential":             {[]uint32{1, 1, 1, 5}, &client.Denied{Stat: client.AUTH_ERROR, Why: client.AUTH_TOOWEAK}},
		"a reason that is none":    {[]uint32{1, 1, 1, 99}, &client.Denied{Stat: client.AUTH_ERROR, Why: 99}},
		"nothing":                  {nil, client.ErrShortReply},
		"half a header":            {[]uint32{1, 0, 0, 0}, client.ErrShortReply},
		"half a denial":            {[]uint32{1, 1, 1}, client.ErrShortReply},
		"a call":                   {[]uint32{0, 0, 0, 0, 0}, errors.New("a message that is no reply")},
		"neither reply nor denial": {[]uint32{1, 2, 0, 0, 0}, fmt.Errorf("a reply that cannot be decoded: %w", xdr.ErrValue)},
	} {
		_, err := client.Results(rpctest.Args(nil).U32(7).U32(c.words...), 7)
		require.Error(t, err, name)
		require.Equal(t, c.want.Error(), err.Error(), name)
		require.IsType(t, c.want, err, name)
	}
	_, err := client.Results(rpctest.Args(nil).U32(8, 1, 0, 0, 0, 0), 7)
	require.EqualError(t, err, "a reply to another call (0x8 for 0x7)")
	b, err := client.Results(rpctest.Args(nil).U32(7, 1, 0, 1).String("verifier").U32(0, 42), 7)
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0, 0, 42}, b)
}

func TestResultsAreReadToTheirEnd(t *testing.T) {
	c := served(t, func(call []byte) []byte { return rpctest.Record(accepted(call).U32(0, 1)) })
	var n client.Number
	require.ErrorContains(t, c.Call(1, 2, 3, nil, &n), "4 bytes behind")
	require.ErrorContains(t, c.Call(1, 2, 3, nil, nil), "8 bytes behind")
	var text nfs3.GETATTR3res
	require.ErrorIs(t, c.Call(1, 2, 3, nil, &text), xdr.ErrShort)
}

func TestAnEndedConnectionSaysSo(t *testing.T) {
	c := served(t, func([]byte) []byte { return nil })
	require.ErrorContains(t, client.NFS{Caller: c}.Null(), "NULL: the server closed the connection")
	long := served(t, func([]byte) []byte { return rpctest.Args(nil).U32(1<<31 | 1<<30) })
	require.ErrorContains(t, client.NFS{Caller: long}.Null(), "a record of more than")
}

func TestACallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	t.Cleanup(
		func() { require.Equal(t, 1, calls, "the next one does not begin") },
	) // when the server has ended
	c := served(t, func([]byte) []byte {
		calls++
		cancel() // and no answer
		return []byte{}
	})
	release := c.Until(ctx)
	require.ErrorIs(t, client.NFS{Caller: c}.Null(), context.Canceled)
	require.ErrorIs(t, client.NFS{Caller: c}.Null(), context.Canceled)
	release()
}

// A datagram is lost, another is late.
func TestADatagramIsSentAgain(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	nc, err := net.Dial("udp", server.LocalAddr().String())
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		b := make([]byte, 1<<16)
		var first []byte
		for n := 0; ; n++ {
			k, from, err := server.ReadFrom(b)
			if err != nil {
				done <- err
				return
			}
			switch call := b[:k]; n {
			case 0: // lost
				first = bytes.Clone(call)
				continue
			case 1: // the reply comes after one to a call that nobody has made
				if !bytes.Equal(first, call) {
					done <- errors.New("the second message is not the first one")
					return
				}
				_, err = server.WriteTo(rpctest.Args(nil).U32(1, 1, 0, 0, 0, 0, 5), from)
				if err == nil {
					_, err = server.WriteTo(accepted(call).U32(42), from)
				}
			default:
				err = io.EOF
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	c := client.NewDatagram(nc, client.OpaqueAuth{})
	c.Resend = time.Millisecond
	var n client.Number
	require.NoError(t, c.Call(1, 2, 3, client.Text("text"), &n))
	require.EqualValues(t, 42, n)
	require.NoError(t, c.Close())
	require.NoError(t, server.Close())
	require.Error(t, <-done)
}

// noted is a Caller that keeps the arguments of its last call.
type noted struct {
	prog, vers, proc uint32
	args             client.Encoder
}

var errNoted = errors.New("noted")

func (n *noted) Call(prog, vers, proc uint32, args client.Encoder, _ client.Decoder) error {
	*n = noted{prog, vers, proc, args}
	return errNoted
}

func TestEachProcedureHasItsVerb(t *testing.T) {
	var n noted
	v := reflect.ValueOf(client.NFS{Caller: &n})
	seen := map[string]bool{}
	for i := range v.NumMethod() {
		m := v.Type().Method(i)
		if m.Name == "Call" {
			continue
		}
		name := strings.ToUpper(m.Name)
		var args []reflect.Value
		for k := range v.Method(i).Type().NumIn() {
			args = append(args, reflect.Zero(v.Method(i).Type().In(k)))
		}
		out := v.Method(i).Call(args)
		require.ErrorIs(t, out[len(out)-1].Interface().(error), errNoted, name)
		require.Equal(t, name, nfs3.NFSV3Names[n.proc])
		require.EqualValues(t, []uint32{100003, 3}, []uint32{n.prog, n.vers})
		if name != "NULL" {
			require.Equal(t, "*nfs3."+name+"3args", reflect.TypeOf(n.args).String())
			require.Equal(t, "nfs3."+name+"3res", out[0].Type().String())
		}
		seen[name] = true
	}
	require.Len(t, seen, len(nfs3.NFSV3Names))
	require.Equal(t, "procedure 22", client.Name(22))
}

func TestEachCallOfMountHasItsVerb(t *testing.T) {
	var n noted
	m := client.Mount{Caller: &n}
	for name, verb := range map[string]func() error{
		"MNT":    func() error { _, err := m.Mnt("/srv"); return err },
		"DUMP":   func() error { _, err := m.Dump(); return err },
		"UMNT":   func() error { return m.Umnt("/srv") },
		"EXPORT": func() error { _, err := m.Export(); return err },
	} {
		require.ErrorIs(t, verb(), errNoted, name)
		require.Equal(t, name, mount3.MOUNTV3Names[n.proc])
		require.EqualValues(t, []uint32{100005, 3}, []uint32{n.prog, n.vers})
		require.Equal(t, strings.HasSuffix(name, "MNT"), n.args == client.Text("/srv"), name)
		require.Equal(t, n.args == nil, !strings.HasSuffix(name, "MNT"), name)
	}
}

func TestAMountGivesItsHandleOrTheReason(t *testing.T) {
	var answer rpctest.Args
	c := served(t, func(call []byte) []byte { return rpctest.Record(accepted(call).Raw(answer)) })
	m := client.Mount{Caller: c}
	answer = rpctest.Args(nil).U32(0).String("hand").U32(1, 1)
	res, err := m.Mnt("/srv")
	require.NoError(t, err)
	require.EqualValues(t, "hand", res.Mountinfo.Fhandle)
	answer = rpctest.Args(nil).U32(13)
	res, err = m.Mnt("/srv")
	require.Equal(t, &client.MountError{Path: "/srv", Status: mount3.MNT3ERR_ACCES}, err)
	require.EqualError(t, err, "mount /srv: MNT3ERR_ACCES")
	require.Equal(t, mount3.MNT3ERR_ACCES, res.FhsStatus)
	answer = rpctest.Args(nil).U32(0)
	_, err = m.Mnt("/srv")
	require.ErrorIs(t, err, xdr.ErrShort)
	require.ErrorContains(t, err, "mount /srv: ")
}

func FuzzResults(f *testing.F) {
	f.Add([]byte(rpctest.Args(nil).U32(7, 1, 0, 1).String("verifier").U32(0, 42)))
	f.Add([]byte(rpctest.Args(nil).U32(7, 1, 0, 0, 0, 2, 1, 2)))
	f.Add([]byte(rpctest.Args(nil).U32(7, 1, 1, 1, 5)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := client.Results(b, 7)
		want, strict := rpctest.ParseReply(b)
		if strict != nil || want.XID != 7 {
			return // Results is not as strict about bytes behind a refusal
		}
		if (err == nil) != (!want.Denied && want.Accept == rpctest.Success) {
			t.Fatalf("%v for %+v", err, want)
		}
		if err == nil && !bytes.Equal(got, want.Results) {
			t.Fatalf("% x for % x", got, want.Results)
		}
	})
}
