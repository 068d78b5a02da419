package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const list = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T __x64_sys_futex
ffffffff81000100 t tcp_v4_rcv
ffffffff81000200 D data
ffffffffc0000000 t jbd2_journal_commit_transaction	[jbd2]
ffffffffc0001000 t ext4_create	[ext4]
`

func TestAnAddressBelongsToTheFunctionBeforeIt(t *testing.T) {
	s := parseSymbols(list)
	require.Len(t, s, 4)
	for _, x := range []struct {
		address      uint64
		name, object string
		first        bool
	}{
		{0xffffffff81000000, "__x64_sys_futex", "vmlinux", true},
		{0xffffffff810000ff, "__x64_sys_futex", "vmlinux", false},
		{0xffffffff81000100, "tcp_v4_rcv", "vmlinux", true},
		{0xffffffffc0001005, "ext4_create", "ext4", false},
		{0xffffffff80ffffff, "?", "kernel", false}, // before the first
		{0xffffffffc0001000 + farthest, "?", "kernel", false},
		{0x401000, "?", "user", false},
	} {
		name, object, first := s.at(x.address)
		require.Equal(t, x.name, name, "%#x", x.address)
		require.Equal(t, x.object, object)
		require.Equal(t, x.first, first)
	}
	require.Equal(t, uint64(0xffffffff81000100), s.address("tcp_v4_rcv"))
	require.Zero(t, s.address("none"))
}

func TestWhatThePluginWritesIsReadByWindows(t *testing.T) {
	got, err := readBlocks(strings.NewReader("window\nff 3 20\nwindow\nwindow\n10 1 2\n20 1 1\n"))
	require.NoError(t, err)
	require.Equal(t, [][]block{{{0xff, 3, 20}}, nil, {{0x10, 1, 2}, {0x20, 1, 1}}}, got)
	for _, bad := range []string{"ff 3 20\n", "window\nff 3\n", "window\nff 3 x\n"} {
		_, err := readBlocks(strings.NewReader(bad))
		require.Error(t, err, "%q", bad)
	}
}

func TestAProfileAddsUpByKindAndFunction(t *testing.T) {
	c := &counter{kernel: parseSymbols(list)}
	blocks := []block{
		{0xffffffff81000000, 5, 200}, // the entry, in a block of each of two lengths
		{0xffffffff81000000, 3, 50},
		{0xffffffff81000110, 10, 100},
		{0xffffffffc0000000, 7, 10},
		{0xffffffffc0001004, 100, 1},
		{0x400000, 20, 10},
		{0x7f0000000000, 1, 100},
	}
	require.Equal(t, map[string]uint64{"futex": 250, "commit": 10}, c.count(blocks))
	var b strings.Builder
	c.profile(&b, blocks, symbols{{0x3fff00, "main.serve", "ringnfs"}}, 100)
	text := b.String()
	require.Contains(t, text, "26 instructions for each call")
	require.Contains(t, text,
		"by kind: scheduler 12; network 10; ringnfs 2; file system 1; user 1; journal and disc 1;")
	require.Contains(t, text, "system calls: futex 2.50;")
	require.Contains(t, text, "2  main.serve [ringnfs]\n")
}
