package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// counter makes a machine count what runs in it.
type counter struct {
	plugin     string
	begin, end uint64 // the client's marks of a window
	kernel     symbols
	client     symbols
	whole      bool // all blocks, for a profile
}

// events are the functions whose entries are counted for each load, by what they are in reports:
// system calls that wait or wake, and transactions that are brought to the disc.
var events = map[string][]string{
	"futex":  {"__x64_sys_futex"},
	"commit": {"jbd2_journal_commit_transaction", "xlog_cil_push_work"},
}

// newCounter builds the plugin and finds what it is to count.
func (l *lab) newCounter(ctx context.Context, whole bool) (*counter, error) {
	c := &counter{plugin: filepath.Join(l.programs, "count.so"), whole: whole}
	cmd := exec.Command("gcc", "-O2", "-shared", "-fPIC", "-o", c.plugin,
		filepath.Join("bench", "instructions", "plugin", "count.c"))
	cmd.Dir = l.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the plugin that counts: %w: %s", err, lastLines(out))
	}
	var err error
	if c.client, err = programSymbols(filepath.Join(l.programs, "guest"), "client"); err != nil {
		return nil, err
	}
	c.begin, c.end = c.client.address("main.windowBegins"), c.client.address("main.windowEnds")
	if c.begin == 0 || c.end == 0 {
		return nil, fmt.Errorf("the client has no marks of a window")
	}
	c.kernel, err = l.kernelSymbols(ctx)
	return c, err
}

// arguments are those of the machine's -plugin.
func (c *counter) arguments(out string) []string {
	list := []string{c.plugin, "out=" + out, fmt.Sprintf("begin=%#x", c.begin),
		fmt.Sprintf("end=%#x", c.end)}
	if c.whole {
		return list
	}
	for _, names := range events {
		for _, name := range names {
			if a := c.kernel.address(name); a != 0 {
				list = append(list, fmt.Sprintf("only=%#x", a))
			}
		}
	}
	slices.Sort(list[4:])
	return list
}

// block is a stretch of code that was run as a whole.
type block struct{ address, size, runs uint64 }

// readBlocks reads what the plugin has written, by windows.
func readBlocks(r io.Reader) ([][]block, error) {
	var windows [][]block
	s := bufio.NewScanner(r)
	for s.Scan() {
		if s.Text() == "window" {
			windows = append(windows, nil)
			continue
		}
		var (
			b   block
			err error
		)
		f := strings.Fields(s.Text())
		if len(f) != 3 || len(windows) == 0 {
			return nil, fmt.Errorf("the plugin wrote %q", s.Text())
		}
		for i, to := range []*uint64{&b.address, &b.size, &b.runs} {
			base := 10
			if i == 0 {
				base = 16
			}
			if *to, err = strconv.ParseUint(f[i], base, 64); err != nil {
				return nil, fmt.Errorf("the plugin wrote %q: %w", s.Text(), err)
			}
		}
		last := len(windows) - 1
		windows[last] = append(windows[last], b)
	}
	return windows, s.Err()
}

// count returns how often the functions of each event were entered.
func (c *counter) count(blocks []block) map[string]uint64 {
	n := make(map[string]uint64)
	for event, names := range events {
		for _, name := range names {
			a := c.kernel.address(name)
			for i := range blocks {
				if a != 0 && blocks[i].address == a {
					n[event] += blocks[i].runs
				}
			}
		}
	}
	return n
}

// profile writes where the instructions of a window go: by kind of code and by function, for each of
// n calls. own are the server's functions.
func (c *counter) profile(w io.Writer, blocks []block, own symbols, n int) {
	all := slices.Concat(c.kernel, c.client, own)
	all.sort()
	type function struct{ name, object string }
	functions, kinds := make(map[function]uint64), make(map[string]uint64)
	entered := make(map[string]uint64)
	var sum uint64
	for _, b := range blocks {
		name, object, first := all.at(b.address)
		cost := b.size * b.runs
		sum += cost
		functions[function{name, object}] += cost
		kinds[kindOf(name, object)] += cost
		if first && strings.HasPrefix(name, "__x64_sys_") {
			entered[strings.TrimPrefix(name, "__x64_sys_")] += b.runs
		}
	}
	calls := float64(n)
	fmt.Fprintf(w, "%.0f instructions for each call\n  by kind:", float64(sum)/calls)
	for _, k := range dearest(kinds) {
		fmt.Fprintf(w, " %s %.0f;", k, float64(kinds[k])/calls)
	}
	fmt.Fprint(w, "\n  system calls:")
	for _, k := range dearest(entered) {
		if v := float64(entered[k]) / calls; v >= 0.01 {
			fmt.Fprintf(w, " %s %.2f;", k, v)
		}
	}
	byName := make(map[string]uint64)
	for f, v := range functions {
		byName[f.name+" ["+f.object+"]"] += v
	}
	fmt.Fprint(w, "\n  functions:\n")
	for _, k := range dearest(byName)[:min(len(byName), 40)] {
		fmt.Fprintf(w, "  %10.0f  %s\n", float64(byName[k])/calls, k)
	}
}

// dearest returns the keys by falling values.
func dearest(m map[string]uint64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b))
	})
	return keys
}

// kinds of the kernel's functions by their names; the first that matches counts.
var kinds = []struct {
	kind  string
	match *regexp.Regexp
}{
	{"network",
		regexp.MustCompile(`tcp|inet|^_*ip_|^_*sk_|^sock|skb|napi|netif|_dev_|^dev_|loopback|net_rx|net_tx|lock_sock|release_sock|ipv4|nf_|fib|dst_|qdisc|backlog|csum|^bpf`)},
	{"io_uring", regexp.MustCompile(`^_*io_|io_uring|^req_|^iou`)},
	{"scheduler",
		regexp.MustCompile(`sched|switch|wake|^ttwu|enqueue|dequeue|pick_|update_curr|update_load|place_entity|rq_|cfs|idle|futex|_wait|wait_|pelt|_entity|eevdf|vruntime|kthread`)},
	{"journal and disc",
		regexp.MustCompile(`jbd2|journal|ext4_fc|ext4_sync|fsync|xlog|xfs_log|xfs_trans|xfs_buf|writeback|writepages|submit_bio|^blk_|^bio_|brd|mq_|^bh_|^jh_|end_bio|buffer_io`)},
	{"file system",
		regexp.MustCompile(`ext4|xfs|iomap|shmem|simple_|generic_|vfs_|dentry|^_*d_|path|namei|walk|lookup|inode|iput|mnt|^file|fput|fget|open|statx|getattr|^export|xattr|acl|permission|security|apparmor|cred|fsnotify|dirent|getname`)},
	{"memory and copies",
		regexp.MustCompile(`copy|mem(cpy|set|move)|kmem|kmalloc|kfree|slab|alloc|free|page|folio|filemap|xas_|xa_|rcu|lru|charge|clear|iov|fault|iter`)},
	{"entry and interrupts",
		regexp.MustCompile(`^entry|syscall|exit_to|irq|asm_|apic|hrtimer|timer|tick|clock|ktime|tsc`)},
	{"locks", regexp.MustCompile(`lock|mutex|sem|up_|down_|preempt`)},
}

// kindOf is the kind of code that a function is.
func kindOf(name, object string) string {
	switch object {
	case "vmlinux", "kernel":
	case "sunrpc", "nfsd", "auth_rpcgss", "lockd", "nfs_acl":
		return "sunrpc and nfsd"
	case "jbd2", "brd", "null_blk":
		return "journal and disc"
	case "ext4", "xfs", "mbcache":
		if kindOf(name, "vmlinux") != "journal and disc" {
			return "file system"
		}
		return "journal and disc"
	default:
		return object // a program
	}
	for _, k := range kinds {
		if k.match.MatchString(name) {
			return k.kind
		}
	}
	return "other"
}

// readCounts reads the file that a machine's plugin has written.
func readCounts(path string) ([][]block, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBlocks(f)
}
