package transport

import "golang.org/x/sys/unix"

// localCongestion is the congestion control for peers on this machine. The machine's own choice for
// the network may pace its sends with a timer for each, as BBR does. Between processes of one
// machine such timers cost more than the data. Reno does not pace, and every kernel has it and lets
// everybody use it.
const localCongestion = "reno"

// unpace makes connections that are accepted on the listening socket fd begin with localCongestion,
// and returns what they would have begun with. It acts on the listening socket because a connection
// that paces cannot be stopped from pacing later. For peers on other machines adopt switches back.
// If unpace fails it changes nothing.
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
