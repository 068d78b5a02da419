//go:build interop

package interop

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestALockIsHandedOver has the kernel's client wait for locks that another client holds. The
// server calls it back when such a lock becomes free, and the client answers; else it would ask
// again after half a minute.
func TestALockIsHandedOver(t *testing.T) {
	t.Parallel()
	need(t, "dumpcap", "tshark")
	file := filepath.Join(logDir(t), "callbacks.pcapng")
	guest{
		fs: "tmpfs", vers: "none", flags: versions, script: "handover.py", pcap: file, filter: "tcp port 2049",
	}.run(t).steps(t, "4.1-to-4.2", "4.2-to-4.1")
	out, err := exec.Command("tshark", "-n", "-r", file, "-d", "tcp.port==2049,rpc", "-T", "fields",
		"-e", "rpc.msgtyp", "-e", "nfs.cb.operation", "-e", "nfs.status", "-Y", "nfs.cb.operation").Output()
	require.NoError(t, err)
	count := map[string]int{}
	for line := range strings.Lines(string(out)) {
		count[strings.TrimSpace(line)]++
	}
	require.Equal(t, map[string]int{"0\t11,13": 4, "1\t11,13\t0,0,0": 4}, count, "calls and good answers")
}
