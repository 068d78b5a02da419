package transport

import "golang.org/x/sys/unix"

// localCongestion is the congestion control for peers on this machine. What the
// machine uses for the network may pace its sends with a timer for each, as BBR
// does; where there is no network, that costs more than the data. Reno does not,
// and every kernel has it and lets everybody use it.
const localCongestion = "reno"

// unpace makes connections that are accepted on the listening socket fd begin
// with localCongestion, and returns what they would have begun with. Once a
// connection paces there is no way back, so it cannot be done later; the way
// there, for peers that are elsewhere, can. Where it fails nothing is changed.
func unpace(fd int) (remote string) {
	was, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil || was == localCongestion {
		return ""
	}
	if unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, localCongestion) != nil {
		return ""
	}
	return was
}
