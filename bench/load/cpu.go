package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// usage is the processor time that a process has used so far, in seconds.
type usage struct{ total, user, system float64 }

// tick is the unit of times in /proc/PID/stat. USER_HZ is 100 wherever Go runs.
const tick = 0.01

// processUsage reads the time of a whole process: all its threads, also those of io_uring's worker
// pool and those that have ended.
func processUsage(pid int) (usage, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	// The name may contain blanks and brackets, so look behind the last bracket.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return usage{}, fmt.Errorf("/proc/%d/stat is not as expected", pid)
	}
	user, err1 := strconv.ParseUint(string(f[11]), 10, 64)
	system, err2 := strconv.ParseUint(string(f[12]), 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return usage{}, err
	}
	u := usage{user: float64(user) * tick, system: float64(system) * tick}
	u.total = u.user + u.system
	// Read the same sum with the scheduler's precision, from the process's CPU clock. The
	// clock's number is made of the process id (clock_getcpuclockid(3); CPUCLOCK_SCHED is 2).
	var ts unix.Timespec
	if unix.ClockGettime(int32(^pid)<<3|2, &ts) == nil {
		u.total = float64(ts.Nano()) / 1e9
	}
	return u, nil
}

func usageOf(pids []int) (sum usage, err error) {
	for _, pid := range pids {
		u, err := processUsage(pid)
		if err != nil {
			return sum, fmt.Errorf("processor time of the server: %w", err)
		}
		sum.total += u.total
		sum.user += u.user
		sum.system += u.system
	}
	return sum, nil
}

// cpuBetween returns the time used between a and b.
func cpuBetween(a, b usage) CPU {
	return CPU{Seconds: b.total - a.total, User: b.user - a.user, System: b.system - a.system}
}

// threadUsage returns the time of the calling thread.
func threadUsage() usage {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &r) != nil {
		return usage{}
	}
	u := usage{user: float64(r.Utime.Nano()) / 1e9, system: float64(r.Stime.Nano()) / 1e9}
	u.total = u.user + u.system
	return u
}

// FindServer returns the processes on this machine that listen on addr, which is HOST:PORT. It
// finds none if the address belongs to another machine, or if this process may not look into the
// others.
func FindServer(addr string) []int {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil
	}
	ours := localAddresses(host)
	if len(ours) == 0 {
		return nil
	}
	inodes := make(map[string]bool)
	// The kernel prints its tables piece by piece: sockets that come and go meanwhile can hide
	// another one.
	for try := 0; try < 3 && len(inodes) == 0; try++ {
		for _, name := range []string{"tcp", "tcp6"} {
			// Read the table of this thread's network (Linux 3.17). /proc/net is that
			// of the process's first thread, which may be in another network.
			listeners("/proc/thread-self/net/"+name, uint16(port), ours, inodes)
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	var pids []int
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !inodes[to] {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// listeners adds the sockets of a /proc/net/tcp table that listen on port at one of the addresses,
// or at all addresses.
func listeners(name string, port uint16, at []netip.Addr, inodes map[string]bool) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != "0A" { // TCP_LISTEN
			continue
		}
		a, ok := parseSocketAddr(fields[1])
		if ok && a.Port() == port && (a.Addr().IsUnspecified() || slices.Contains(at, a.Addr())) {
			inodes["socket:["+fields[9]+"]"] = true
		}
	}
}

// parseSocketAddr reads an address in the form of /proc/net/tcp: the words of the address in this
// machine's byte order, the port as a number.
func parseSocketAddr(text string) (netip.AddrPort, bool) {
	hexAddr, hexPort, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(hexAddr)
	port, errPort := strconv.ParseUint(hexPort, 16, 16)
	if err != nil || errPort != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := raw; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(port)), ok
}

// localAddresses returns the addresses of host that are this machine's.
func localAddresses(host string) (ours []netip.Addr) {
	ips, err := net.LookupIP(host)
	if err != nil {
		return nil
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, ip := range ips {
		a, _ := netip.AddrFromSlice(ip)
		a = a.Unmap()
		if a.IsLoopback() || slices.ContainsFunc(own, func(x net.Addr) bool {
			p, ok := x.(*net.IPNet)
			return ok && p.IP.Equal(ip)
		}) {
			ours = append(ours, a)
		}
	}
	return ours
}
