package abi

// Operation codes (enum io_uring_op).
const (
	OpNop uint8 = iota
	OpReadv
	OpWritev
	OpFsync
	OpReadFixed
	OpWriteFixed
	OpPollAdd
	OpPollRemove
	OpSyncFileRange
	OpSendmsg
	OpRecvmsg
	OpTimeout
	OpTimeoutRemove
	OpAccept
	OpAsyncCancel
	OpLinkTimeout
	OpConnect
	OpFallocate
	OpOpenat
	OpClose
	OpFilesUpdate
	OpStatx
	OpRead
	OpWrite
	OpFadvise
	OpMadvise
	OpSend
	OpRecv
	OpOpenat2
	OpEpollCtl
	OpSplice
	OpProvideBuffers
	OpRemoveBuffers
	OpTee
	OpShutdown
	OpRenameat
	OpUnlinkat
	OpMkdirat
	OpSymlinkat
	OpLinkat
	OpMsgRing
	OpFsetxattr
	OpSetxattr
	OpFgetxattr
	OpGetxattr
	OpSocket
	OpURingCmd
	OpSendZC
	OpSendmsgZC            // 6.1, the floor
	OpReadMultishot        // 6.7
	OpWaitid               // 6.7
	OpFutexWait            // 6.7
	OpFutexWake            // 6.7
	OpFutexWaitv           // 6.7
	OpFixedFDInstall       // 6.8
	OpFtruncate            // 6.9
	OpBind                 // 6.11
	OpListen               // 6.11
	OpRecvZC               // 6.15
	OpEpollWait            // 6.15
	OpReadvFixed           // 6.15
	OpWritevFixed          // 6.15
	OpPipe                 // 6.16
	OpLast           uint8 = iota
)

// OpNames gives the kernel's name of each operation, without IORING_OP_.
var OpNames = [OpLast]string{
	OpNop: "NOP", OpReadv: "READV", OpWritev: "WRITEV", OpFsync: "FSYNC",
	OpReadFixed: "READ_FIXED", OpWriteFixed: "WRITE_FIXED",
	OpPollAdd: "POLL_ADD", OpPollRemove: "POLL_REMOVE",
	OpSyncFileRange: "SYNC_FILE_RANGE", OpSendmsg: "SENDMSG",
	OpRecvmsg: "RECVMSG", OpTimeout: "TIMEOUT",
	OpTimeoutRemove: "TIMEOUT_REMOVE", OpAccept: "ACCEPT",
	OpAsyncCancel: "ASYNC_CANCEL", OpLinkTimeout: "LINK_TIMEOUT",
	OpConnect: "CONNECT", OpFallocate: "FALLOCATE", OpOpenat: "OPENAT",
	OpClose: "CLOSE", OpFilesUpdate: "FILES_UPDATE", OpStatx: "STATX",
	OpRead: "READ", OpWrite: "WRITE", OpFadvise: "FADVISE",
	OpMadvise: "MADVISE", OpSend: "SEND", OpRecv: "RECV",
	OpOpenat2: "OPENAT2", OpEpollCtl: "EPOLL_CTL", OpSplice: "SPLICE",
	OpProvideBuffers: "PROVIDE_BUFFERS", OpRemoveBuffers: "REMOVE_BUFFERS",
	OpTee: "TEE", OpShutdown: "SHUTDOWN", OpRenameat: "RENAMEAT",
	OpUnlinkat: "UNLINKAT", OpMkdirat: "MKDIRAT", OpSymlinkat: "SYMLINKAT",
	OpLinkat: "LINKAT", OpMsgRing: "MSG_RING", OpFsetxattr: "FSETXATTR",
	OpSetxattr: "SETXATTR", OpFgetxattr: "FGETXATTR",
	OpGetxattr: "GETXATTR", OpSocket: "SOCKET", OpURingCmd: "URING_CMD",
	OpSendZC: "SEND_ZC", OpSendmsgZC: "SENDMSG_ZC",
	OpReadMultishot: "READ_MULTISHOT", OpWaitid: "WAITID",
	OpFutexWait: "FUTEX_WAIT", OpFutexWake: "FUTEX_WAKE",
	OpFutexWaitv: "FUTEX_WAITV", OpFixedFDInstall: "FIXED_FD_INSTALL",
	OpFtruncate: "FTRUNCATE", OpBind: "BIND", OpListen: "LISTEN",
	OpRecvZC: "RECV_ZC", OpEpollWait: "EPOLL_WAIT",
	OpReadvFixed: "READV_FIXED", OpWritevFixed: "WRITEV_FIXED",
	OpPipe: "PIPE",
}
