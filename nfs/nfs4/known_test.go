package nfs4_test

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

// wire is bytes written by hand: words in hexadecimal, comments after a semicolon.
func wire(t testing.TB, text string) []byte {
	t.Helper()
	var words strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, ";")
		words.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(words.String())
	require.NoError(t, err)
	return b
}

// fresh is a new message of v's type.
func fresh(v xdrtest.Message) xdrtest.Message {
	return reflect.New(reflect.TypeOf(v).Elem()).Interface().(xdrtest.Message)
}

// TestKnownBytes has bytes that were put together from the RFCs by hand, not by this code.
func TestKnownBytes(t *testing.T) {
	stateid := nfs4.Stateid4{Seqid: 3, Other: [12]byte{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6,
		0xa7, 0xa8, 0xa9, 0xaa, 0xab}}
	session := nfs4.Sessionid4{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a,
		0x1b, 0x1c, 0x1d, 0x1e, 0x1f}
	for _, c := range []struct {
		name string
		wire string
		v    xdrtest.Message
	}{
		{"SEQUENCE PUTFH GETATTR", `
			00000000                   ; no tag
			00000001                   ; minor version
			00000003                   ; operations
			00000035                   ; SEQUENCE
			10111213 14151617 18191a1b 1c1d1e1f ; session
			00000007 00000002 0000001d ; sequence, slot, highest slot
			00000001                   ; cache this
			00000016                   ; PUTFH
			00000005 c0c1c2c3 c4000000 ; handle
			00000009                   ; GETATTR
			00000002 0010011a 00b0a23a ; what a Linux client asks for
		`, &nfs4.COMPOUND4args{
			Tag:          []byte{},
			Minorversion: 1,
			Argarray: []nfs4.NfsArgop4{
				{Argop: nfs4.OP_SEQUENCE, Opsequence: nfs4.SEQUENCE4args{
					SaSessionid: session, SaSequenceid: 7, SaSlotid: 2, SaHighestSlotid: 29,
					SaCachethis: true,
				}},
				{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: []byte{0xc0, 0xc1, 0xc2,
					0xc3, 0xc4}}},
				{Argop: nfs4.OP_GETATTR, Opgetattr: nfs4.GETATTR4args{AttrRequest: nfs4.Bitmap4{0x0010011a, 0x00b0a23a}}},
			},
		}},
		{"its results", `
			00000000                   ; status
			00000003 61626300          ; tag
			00000003                   ; operations
			00000035 00000000          ; SEQUENCE, status
			10111213 14151617 18191a1b 1c1d1e1f ; session
			00000007 00000002 0000001d 0000003f ; sequence, slot, highest slot, the highest wished for
			00000101                   ; no way for callbacks, reclaim
			00000016 00000000          ; PUTFH, status
			00000009 00000000          ; GETATTR, status
			00000002 00000018 00000002 ; change, size, mode
			00000014                   ; bytes of values
			00000000 00000005          ; change
			00000001 00000000          ; size
			000001a4                   ; mode
		`, &nfs4.COMPOUND4res{
			Tag: []byte("abc"),
			Resarray: []nfs4.NfsResop4{
				{Resop: nfs4.OP_SEQUENCE, Opsequence: nfs4.SEQUENCE4res{SrResok4: nfs4.SEQUENCE4resok{
					SrSessionid: session, SrSequenceid: 7, SrSlotid: 2, SrHighestSlotid: 29,
					SrTargetHighestSlotid: 63,
					SrStatusFlags:         nfs4.SEQ4_STATUS_CB_PATH_DOWN | nfs4.SEQ4_STATUS_RESTART_RECLAIM_NEEDED,
				}}},
				{Resop: nfs4.OP_PUTFH},
				{Resop: nfs4.OP_GETATTR, Opgetattr: nfs4.GETATTR4res{Resok4: nfs4.GETATTR4resok{ObjAttributes: nfs4.Fattr4{
					Attrmask: nfs4.Bitmap4{1<<nfs4.FATTR4_CHANGE | 1<<nfs4.FATTR4_SIZE,
						1 << (nfs4.FATTR4_MODE - 32)},
					AttrVals: []byte{0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0xa4},
				}}}},
			},
		}},
		{"a compound that failed", `
			00002744 00000000 00000002 ; NFS4ERR_BADSESSION, no tag, operations
			00000035 00002744          ; SEQUENCE
			0000273c 0000273c          ; ILLEGAL
		`, &nfs4.COMPOUND4res{
			Status: nfs4.NFS4ERR_BADSESSION,
			Tag:    []byte{},
			Resarray: []nfs4.NfsResop4{
				{Resop: nfs4.OP_SEQUENCE, Opsequence: nfs4.SEQUENCE4res{SrStatus: nfs4.NFS4ERR_BADSESSION}},
				{Resop: nfs4.OP_ILLEGAL, Opillegal: nfs4.ILLEGAL4res{Status: nfs4.NFS4ERR_OP_ILLEGAL}},
			},
		}},
		{"OPEN with CLAIM_NULL", `
			00000012                   ; OPEN
			00000009                   ; number of the owner's request
			00000103                   ; to read and write, a read delegation is welcome
			00000000                   ; denies nothing
			11121314 15161718          ; client
			00000006 6f70656e 20310000 ; owner
			00000001 00000000          ; create, unchecked
			00000002 00000010 00000002 ; size, mode
			0000000c 00000000 00000000 000001a4
			00000000 00000005 66696c65 31000000 ; CLAIM_NULL, name
		`, &nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
			Seqid:       9,
			ShareAccess: nfs4.OPEN4_SHARE_ACCESS_BOTH | nfs4.OPEN4_SHARE_ACCESS_WANT_READ_DELEG,
			Owner:       nfs4.OpenOwner4{Clientid: 0x1112131415161718, Owner: []byte("open 1")},
			Openhow: nfs4.Openflag4{Opentype: nfs4.OPEN4_CREATE, How: nfs4.Createhow4{
				Mode: nfs4.UNCHECKED4,
				Createattrs: nfs4.Fattr4{
					Attrmask: nfs4.Bitmap4{1 << nfs4.FATTR4_SIZE, 1 << (nfs4.FATTR4_MODE - 32)},
					AttrVals: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xa4},
				},
			}},
			Claim: nfs4.OpenClaim4{Claim: nfs4.CLAIM_NULL, File: []byte("file1")},
		}}},
		{"OPEN by handle", `
			00000012 00000000 00000001 00000002
			00000000 00000001 00000000 ; client, no name
			00000000 00000004          ; no create, CLAIM_FH
		`, &nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
			ShareAccess: nfs4.OPEN4_SHARE_ACCESS_READ, ShareDeny: nfs4.OPEN4_SHARE_DENY_WRITE,
			Owner: nfs4.OpenOwner4{Clientid: 1, Owner: []byte{}},
			Claim: nfs4.OpenClaim4{Claim: nfs4.CLAIM_FH},
		}}},
		{"results of OPEN with a delegation", `
			00000012 00000000
			00000003 a0a1a2a3 a4a5a6a7 a8a9aaab
			00000001 00000000 00000004 00000000 00000005 ; atomic, change before and after
			00000024                   ; locks of POSIX, CB_NOTIFY_LOCK
			00000001 00000010          ; size was set
			00000002                   ; to write
			00000003 a0a1a2a3 a4a5a6a7 a8a9aaab
			00000000                   ; not recalled
			00000001 ffffffff ffffffff ; a limit of bytes
			00000000 00000040 00120081 ; allowed, group, to read
			00000006 47524f55 50400000
		`, &nfs4.NfsResop4{Resop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4res{Resok4: nfs4.OPEN4resok{
			Stateid: stateid,
			Cinfo:   nfs4.ChangeInfo4{Atomic: true, Before: 4, After: 5},
			Rflags:  nfs4.OPEN4_RESULT_LOCKTYPE_POSIX | nfs4.OPEN4_RESULT_MAY_NOTIFY_LOCK,
			Attrset: nfs4.Bitmap4{1 << nfs4.FATTR4_SIZE},
			Delegation: nfs4.OpenDelegation4{DelegationType: nfs4.OPEN_DELEGATE_WRITE, Write: nfs4.OpenWriteDelegation4{
				Stateid:    stateid,
				SpaceLimit: nfs4.NfsSpaceLimit4{Limitby: nfs4.NFS_LIMIT_SIZE, Filesize: nfs4.NFS4_UINT64_MAX},
				Permissions: nfs4.Nfsace4{
					Type: nfs4.ACE4_ACCESS_ALLOWED_ACE_TYPE, Flag: nfs4.ACE4_IDENTIFIER_GROUP,
					AccessMask: nfs4.ACE4_GENERIC_READ, Who: []byte("GROUP@"),
				},
			}},
		}}}},
		{"LOCK by an owner who has no lock of the file", `
			0000000c                   ; LOCK
			00000002 00000001          ; to write, reclaim
			00000000 00001000 ffffffff ffffffff ; from 4096 to the end
			00000001                   ; a new lock owner
			00000005                   ; number of the open owner's request
			00000003 a0a1a2a3 a4a5a6a7 a8a9aaab
			00000006                   ; number of the lock owner's request
			11121314 15161718 00000007 6c6f636b 20696400
		`, &nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
			Locktype: nfs4.WRITE_LT, Reclaim: true, Offset: 4096, Length: nfs4.NFS4_UINT64_MAX,
			Locker: nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{
				OpenSeqid: 5, OpenStateid: stateid, LockSeqid: 6,
				LockOwner: nfs4.LockOwner4{Clientid: 0x1112131415161718, Owner: []byte("lock id")},
			}},
		}}},
		{"results of LOCK where another has the lock", `
			0000000c 0000271a          ; NFS4ERR_DENIED
			00000000 00000002 00000000 00000003 ; from 2, three bytes
			00000001                   ; to read
			00000000 00000000 00000005 6c6f6361 6c000000
		`, &nfs4.NfsResop4{Resop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4res{Status: nfs4.NFS4ERR_DENIED, Denied: nfs4.LOCK4denied{
			Offset: 2, Length: 3, Locktype: nfs4.READ_LT, Owner: nfs4.LockOwner4{Owner: []byte("local")},
		}}}},
		{"EXCHANGE_ID", `
			0000002a                   ; EXCHANGE_ID
			01020304 05060708          ; verifier
			0000000b 4c696e75 78204e46 53763400 ; owner
			00000101                   ; follows referrals, stateids are their principal's
			00000000                   ; SP4_NONE
			00000001                   ; who made it
			0000000a 6b65726e 656c2e6f 72670000
			00000005 4c696e75 78000000
			ffffffff fffffffe 3b9ac9ff ; two seconds before 1970, and almost one after that
		`, &nfs4.NfsArgop4{Argop: nfs4.OP_EXCHANGE_ID, OpexchangeId: nfs4.EXCHANGEID4args{
			EiaClientowner: nfs4.ClientOwner4{
				CoVerifier: nfs4.Verifier4{1, 2, 3, 4, 5, 6, 7, 8}, CoOwnerid: []byte("Linux NFSv4"),
			},
			EiaFlags: nfs4.EXCHGID4_FLAG_SUPP_MOVED_REFER | nfs4.EXCHGID4_FLAG_BIND_PRINC_STATEID,
			EiaClientImplId: []nfs4.NfsImplId4{{
				NiiDomain: []byte("kernel.org"), NiiName: []byte("Linux"),
				NiiDate: nfs4.Nfstime4{Seconds: -2, Nseconds: 999_999_999},
			}},
		}}},
		{"READDIR's results", `
			0000001a 00000000          ; READDIR
			01020304 05060708          ; verifier of cookies
			00000001                   ; an entry
			00000000 00000003 00000001 61000000
			00000001 00000800 00000004 00000000 ; rdattr_error, 0
			00000001                   ; another one
			00000000 00000004 00000002 62620000
			00000000 00000000          ; no attributes
			00000000 00000001          ; no more here, none anywhere
		`, &nfs4.NfsResop4{Resop: nfs4.OP_READDIR, Opreaddir: nfs4.READDIR4res{Resok4: nfs4.READDIR4resok{
			Cookieverf: nfs4.Verifier4{1, 2, 3, 4, 5, 6, 7, 8},
			Reply: nfs4.Dirlist4{Eof: true, Entries: []nfs4.Entry4{
				{Cookie: 3, Name: []byte("a"), Attrs: nfs4.Fattr4{
					Attrmask: nfs4.Bitmap4{1 << nfs4.FATTR4_RDATTR_ERROR}, AttrVals: []byte{0, 0, 0, 0},
				}},
				{Cookie: 4, Name: []byte("bb"), Attrs: nfs4.Fattr4{Attrmask: nil, AttrVals: []byte{}}},
			}},
		}}}},
		{"a callback", `
			00000000 00000002 00000000 00000002 ; no tag, minor version, identifier, operations
			0000000b                   ; CB_SEQUENCE
			10111213 14151617 18191a1b 1c1d1e1f
			00000001 00000000 00000000 00000000
			00000001                   ; one session with calls that this is about
			10111213 14151617 18191a1b 1c1d1e1f
			00000001 00000007 00000002
			00000004                   ; CB_RECALL
			00000003 a0a1a2a3 a4a5a6a7 a8a9aaab
			00000001 00000004 c0c1c2c3 ; truncate, handle
		`, &nfs4.CBCOMPOUND4args{
			Tag: []byte{}, Minorversion: 2,
			Argarray: []nfs4.NfsCbArgop4{
				{Argop: nfs4.OP_CB_SEQUENCE, Opcbsequence: nfs4.CBSEQUENCE4args{
					CsaSessionid: session, CsaSequenceid: 1,
					CsaReferringCallLists: []nfs4.ReferringCallList4{{
						RclSessionid: session, RclReferringCalls: []nfs4.ReferringCall4{{RcSequenceid: 7, RcSlotid: 2}},
					}},
				}},
				{Argop: nfs4.OP_CB_RECALL, Opcbrecall: nfs4.CBRECALL4args{
					Stateid: stateid, Truncate: true, Fh: []byte{0xc0, 0xc1, 0xc2, 0xc3},
				}},
			},
		}},
		{"SETXATTR", `
			00000049 00000001          ; it must not be there
			00000007 636f6d6d 656e7400 00000002 68690000
		`, &nfs4.NfsArgop4{Argop: nfs4.OP_SETXATTR, Opsetxattr: nfs4.SETXATTR4args{
			SxaOption: nfs4.SETXATTR4_CREATE, SxaKey: []byte("comment"), SxaValue: []byte("hi"),
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := wire(t, c.wire)
			require.Equal(t, b, xdrtest.Encode(t, c.v))
			got := fresh(c.v)
			xdrtest.Decode(t, b, got)
			require.Equal(t, c.v, got)
			require.Equal(t, b, xdrtest.Encode(t, got))
		})
	}
}
