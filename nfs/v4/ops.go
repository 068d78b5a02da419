package v4

import "github.com/ringnfs/ringnfs/nfs/nfs4"

// class says where an operation may run.
type class uint8

const (
	lane   class = iota // anywhere: it says stAgain where it would sleep
	worker              // on a worker only
)

// What an operation needs before it runs.
const (
	needCurrent = 1 << iota // a current file handle
	needSaved               // a saved one
	// From minor version 1 on every compound begins with SEQUENCE, but for those of these:
	sessionless // the only operation, or in a session
	alone       // the only operation
	// Its result has a bitmap4 whatever its status is, an empty one when it has not run.
	answersAlways
	// It is on data, and can be done twice: see toWorker.
	repeatable
	// It changes nothing that a client could see: see owed.
	harmless
	// init says this of those that may run anywhere, behind any SEQUENCE, with a current file handle
	// at most: see compound.plain.
	common
)

// row is one operation.
type row struct {
	name  string
	from  uint8 // the first minor version that has it
	to    uint8 // and the last
	class class
	needs uint8
	worst uint16 // bytes of the result behind its status, unless the operation asks for its own
	run   func(*compound) nfs4.Nfsstat4
}

// illegal is the row of what is no operation of the minor version.
var illegal = row{name: "ILLEGAL", run: func(*compound) nfs4.Nfsstat4 { return nfs4.NFS4ERR_OP_ILLEGAL }}

// rowOf returns the row of an operation of a minor version that there is.
func rowOf(op, minor uint32) *row {
	if list := &rowsOf[minor]; op < uint32(len(list)) {
		return list[op]
	}
	return &illegal
}

// unsupported is the method of operations that the server does not have.
func unsupported(*compound) nfs4.Nfsstat4 { return nfs4.NFS4ERR_NOTSUPP }

// delegreturn is DELEGRETURN, of which there is nothing to return.
func delegreturn(k *compound) nfs4.Nfsstat4 {
	_ = decodeStateid(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	return nfs4.NFS4ERR_BAD_STATEID
}

// rows is the table of all operations, by number. It is filled by init, since methods refer to
// it.
var rows [nfs4.OP_REMOVEXATTR + 1]row

// rowsOf are the rows of each minor version, illegal for what it does not have.
var rowsOf [minorMax + 1][len(rows)]*row

func init() {
	rows = [nfs4.OP_REMOVEXATTR + 1]row{
		nfs4.OP_ACCESS:    {"ACCESS", 0, 2, lane, needCurrent | harmless, 8, (*compound).access},
		nfs4.OP_COMMIT:    {"COMMIT", 0, 2, worker, needCurrent | repeatable, 8, (*compound).commit},
		nfs4.OP_CREATE:    {"CREATE", 0, 2, worker, needCurrent, 40, (*compound).create},
		nfs4.OP_GETATTR:   {"GETATTR", 0, 2, lane, needCurrent | harmless, attributesWorst, (*compound).getattr},
		nfs4.OP_GETFH:     {"GETFH", 0, 2, lane, needCurrent | harmless, 4 + 64, (*compound).getfh},
		nfs4.OP_LINK:      {"LINK", 0, 2, worker, needCurrent | needSaved, 20, (*compound).link},
		nfs4.OP_LOOKUP:    {"LOOKUP", 0, 2, lane, needCurrent | harmless, 0, (*compound).lookup},
		nfs4.OP_LOOKUPP:   {"LOOKUPP", 0, 2, lane, needCurrent | harmless, 0, (*compound).lookupp},
		nfs4.OP_NVERIFY:   {"NVERIFY", 0, 2, lane, needCurrent | harmless, 0, (*compound).nverify},
		nfs4.OP_OPENATTR:  {"OPENATTR", 0, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_PUTFH:     {"PUTFH", 0, 2, lane, harmless, 0, (*compound).putfh},
		nfs4.OP_PUTPUBFH:  {"PUTPUBFH", 0, 2, lane, harmless, 0, (*compound).putrootfh},
		nfs4.OP_PUTROOTFH: {"PUTROOTFH", 0, 2, lane, harmless, 0, (*compound).putrootfh},
		nfs4.OP_READ:      {"READ", 0, 2, lane, needCurrent | repeatable | harmless, 0, (*compound).read},
		nfs4.OP_READDIR:   {"READDIR", 0, 2, lane, needCurrent | repeatable | harmless, 0, (*compound).readdir},
		nfs4.OP_READLINK:  {"READLINK", 0, 2, lane, needCurrent | repeatable | harmless, 0, (*compound).readlink},
		nfs4.OP_REMOVE:    {"REMOVE", 0, 2, worker, needCurrent, 20, (*compound).remove},
		nfs4.OP_RENAME:    {"RENAME", 0, 2, worker, needCurrent | needSaved, 40, (*compound).rename},
		nfs4.OP_RESTOREFH: {"RESTOREFH", 0, 2, lane, harmless, 0, (*compound).restorefh},
		nfs4.OP_SAVEFH:    {"SAVEFH", 0, 2, lane, needCurrent | harmless, 0, (*compound).savefh},
		nfs4.OP_SECINFO:   {"SECINFO", 0, 2, lane, needCurrent | harmless, 32, (*compound).secinfo},
		nfs4.OP_SETATTR:   {"SETATTR", 0, 2, worker, needCurrent | answersAlways, 16, (*compound).setattr},
		nfs4.OP_VERIFY:    {"VERIFY", 0, 2, lane, needCurrent | harmless, 0, (*compound).verify},
		nfs4.OP_WRITE:     {"WRITE", 0, 2, lane, needCurrent | repeatable, 16, (*compound).write},
		nfs4.OP_SECINFO_NO_NAME: {
			"SECINFO_NO_NAME", 1, 2, lane, needCurrent | harmless, 32, (*compound).secinfoNoName,
		},
		nfs4.OP_GET_DIR_DELEGATION: {"GET_DIR_DELEGATION", 1, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_GETDEVICEINFO:      {"GETDEVICEINFO", 1, 2, lane, 0, 0, unsupported},
		nfs4.OP_GETDEVICELIST:      {"GETDEVICELIST", 1, 2, lane, 0, 0, unsupported},
		nfs4.OP_LAYOUTCOMMIT:       {"LAYOUTCOMMIT", 1, 2, lane, 0, 0, unsupported},
		nfs4.OP_LAYOUTGET:          {"LAYOUTGET", 1, 2, lane, 0, 0, unsupported},
		nfs4.OP_LAYOUTRETURN:       {"LAYOUTRETURN", 1, 2, lane, 0, 0, unsupported},
		nfs4.OP_SET_SSV:            {"SET_SSV", 1, 2, lane, 0, 0, unsupported},

		nfs4.OP_OPEN:                {"OPEN", 0, 2, lane, needCurrent, 96, (*compound).open},
		nfs4.OP_CLOSE:               {"CLOSE", 0, 2, lane, needCurrent, 16, (*compound).close},
		nfs4.OP_OPEN_DOWNGRADE:      {"OPEN_DOWNGRADE", 0, 2, lane, needCurrent, 16, (*compound).openDowngrade},
		nfs4.OP_OPEN_CONFIRM:        {"OPEN_CONFIRM", 0, 0, lane, needCurrent, 16, (*compound).openConfirm},
		nfs4.OP_LOCK:                {"LOCK", 0, 2, lane, needCurrent, deniedWorst, (*compound).lock},
		nfs4.OP_LOCKT:               {"LOCKT", 0, 2, lane, needCurrent | harmless, deniedWorst, (*compound).lockt},
		nfs4.OP_LOCKU:               {"LOCKU", 0, 2, lane, needCurrent, 16, (*compound).locku},
		nfs4.OP_RELEASE_LOCKOWNER:   {"RELEASE_LOCKOWNER", 0, 0, lane, 0, 0, (*compound).releaseLockOwner},
		nfs4.OP_SETCLIENTID:         {"SETCLIENTID", 0, 0, worker, 0, 40, (*compound).setClientID},
		nfs4.OP_SETCLIENTID_CONFIRM: {"SETCLIENTID_CONFIRM", 0, 0, worker, 0, 0, (*compound).setClientIDConfirm},
		nfs4.OP_RENEW:               {"RENEW", 0, 0, lane, 0, 0, (*compound).renewLease},
		nfs4.OP_DELEGPURGE:          {"DELEGPURGE", 0, 2, lane, 0, 0, unsupported},
		nfs4.OP_DELEGRETURN:         {"DELEGRETURN", 0, 2, lane, needCurrent, 0, delegreturn},
		nfs4.OP_FREE_STATEID:        {"FREE_STATEID", 1, 2, lane, 0, 0, (*compound).freeStateid},
		nfs4.OP_TEST_STATEID:        {"TEST_STATEID", 1, 2, lane, harmless, 0, (*compound).testStateid},
		nfs4.OP_WANT_DELEGATION:     {"WANT_DELEGATION", 1, 2, lane, 0, 0, unsupported},

		nfs4.OP_ALLOCATE:       {"ALLOCATE", 2, 2, worker, needCurrent, 0, (*compound).allocate},
		nfs4.OP_COPY:           {"COPY", 2, 2, worker, needCurrent | needSaved, copyWorst, (*compound).copyFile},
		nfs4.OP_COPY_NOTIFY:    {"COPY_NOTIFY", 2, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_DEALLOCATE:     {"DEALLOCATE", 2, 2, worker, needCurrent, 0, (*compound).deallocate},
		nfs4.OP_IO_ADVISE:      {"IO_ADVISE", 2, 2, worker, needCurrent | harmless, 4 + 4, (*compound).ioAdvise},
		nfs4.OP_LAYOUTERROR:    {"LAYOUTERROR", 2, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_LAYOUTSTATS:    {"LAYOUTSTATS", 2, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_OFFLOAD_CANCEL: {"OFFLOAD_CANCEL", 2, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_OFFLOAD_STATUS: {"OFFLOAD_STATUS", 2, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_READ_PLUS:      {"READ_PLUS", 2, 2, worker, needCurrent | harmless, 0, (*compound).readPlus},
		nfs4.OP_SEEK:           {"SEEK", 2, 2, worker, needCurrent | harmless, 4 + 8, (*compound).seek},
		nfs4.OP_WRITE_SAME:     {"WRITE_SAME", 2, 2, lane, needCurrent, 0, unsupported},
		nfs4.OP_CLONE:          {"CLONE", 2, 2, worker, needCurrent | needSaved, 0, (*compound).clone},
		nfs4.OP_GETXATTR:       {"GETXATTR", 2, 2, worker, needCurrent | harmless, 4, (*compound).getxattr},
		nfs4.OP_SETXATTR:       {"SETXATTR", 2, 2, worker, needCurrent, 20, (*compound).setxattr},
		nfs4.OP_LISTXATTRS:     {"LISTXATTRS", 2, 2, worker, needCurrent | harmless, 0, (*compound).listxattrs},
		nfs4.OP_REMOVEXATTR:    {"REMOVEXATTR", 2, 2, worker, needCurrent, 20, (*compound).removexattr},

		nfs4.OP_SEQUENCE:             {"SEQUENCE", 1, 2, lane, sessionless, 36, (*compound).sequence},
		nfs4.OP_EXCHANGE_ID:          {"EXCHANGE_ID", 1, 2, worker, sessionless, 256, (*compound).exchangeID},
		nfs4.OP_CREATE_SESSION:       {"CREATE_SESSION", 1, 2, worker, sessionless, 80, (*compound).createSession},
		nfs4.OP_DESTROY_SESSION:      {"DESTROY_SESSION", 1, 2, worker, sessionless, 0, (*compound).destroySession},
		nfs4.OP_DESTROY_CLIENTID:     {"DESTROY_CLIENTID", 1, 2, worker, sessionless, 0, (*compound).destroyClientID},
		nfs4.OP_BIND_CONN_TO_SESSION: {"BIND_CONN_TO_SESSION", 1, 2, lane, alone, 24, (*compound).bindConn},
		nfs4.OP_RECLAIM_COMPLETE:     {"RECLAIM_COMPLETE", 1, 2, worker, 0, 0, (*compound).reclaimComplete},
		nfs4.OP_BACKCHANNEL_CTL:      {"BACKCHANNEL_CTL", 1, 2, lane, 0, 0, (*compound).backchannelCtl},
	}
	for op := range rows {
		if r := &rows[op]; r.class == lane && r.needs&(needSaved|sessionless|alone) == 0 {
			r.needs |= common
		}
	}
	for minor := range rowsOf {
		for op := range rows {
			r := &rows[op]
			if r.run == nil || minor < int(r.from) || minor > int(r.to) {
				r = &illegal
			}
			rowsOf[minor][op] = r
		}
	}
}
