package v3

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

var update = flag.Bool("update", false, "write the replies into testdata/talk")

// TestConversations plays the dialogues of testdata/talk against an empty tree in memory. A line is
// a call ("-> PROCEDURE arguments"), its reply ("<- status results"), the caller from here on ("as
// uid gid groups...") or a remark ("#").
//
// Handles have names: root, and for each new handle in a reply the last name in the call. In
// replies fh=name is a handle, [type mode nlink uid:gid size] are attributes, b+a is weak cache
// consistency data with before and after, and - stands for what is left out.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/talk/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			k := newTalk(t)
			var out strings.Builder
			var reply string
			for lines := bufio.NewScanner(strings.NewReader(string(b))); lines.Scan(); {
				line := lines.Text()
				kind, rest, _ := strings.Cut(line, " ")
				switch kind {
				case "as":
					k.as(rest)
				case "->":
					reply = k.say(rest)
					out.WriteString(line + "\n<- " + reply + "\n")
					continue
				case "<-":
					if !*update {
						require.Equal(t, rest, reply, "after\n%s", out.String())
					}
					continue
				}
				out.WriteString(line + "\n")
			}
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o666))
				return
			}
			require.Equal(t, string(b), out.String(), "each call has its reply")
		})
	}
}

// talk is a rig over a tree in memory, with names for handles.
type talk struct {
	*rig
	handles map[string][]byte
	names   map[string]string // from a handle's bytes to its name
	last    string            // the last name in the call
	cookie  uint64
	verf    nfs3.Cookieverf3
	ctime   map[string]nfs3.Nfstime3
}

func newTalk(t *testing.T) *talk {
	r := newRig(
		t,
		Config{},
		export.Export{
			Path:    "/x",
			FS:      memfs.New(memfs.Config{Mode: 0o777, LinkMax: 3}),
			Options: export.Options{Squash: export.SquashNone},
		},
	)
	root := r.root(0)
	return &talk{
		rig:     r,
		handles: map[string][]byte{"root": root},
		names:   map[string]string{string(root): "root"},
		ctime:   map[string]nfs3.Nfstime3{},
	}
}

func number(t testing.TB, s string) uint64 {
	n, err := strconv.ParseUint(s, 0, 64)
	require.NoError(t, err)
	return n
}

func (k *talk) as(line string) {
	w := strings.Fields(line)
	k.uid, k.gid, k.groups = uint32(number(k.t, w[0])), uint32(number(k.t, w[1])), nil
	for _, g := range w[2:] {
		k.groups = append(k.groups, uint32(number(k.t, g)))
	}
}

// words divides a line at its blanks; a word in quotes is a Go string.
func words(t testing.TB, line string) (w []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			require.NoError(t, err)
			s, err := strconv.Unquote(q)
			require.NoError(t, err)
			w, line = append(w, s), line[len(q):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		w, line = append(w, word), rest
	}
	return w
}

// say makes a call and returns the reply's text.
func (k *talk) say(line string) string {
	w := words(k.t, line)
	for proc := range procedures {
		if name(proc) != w[0] {
			continue
		}
		a := k.arguments(proc, w[1:])
		b := append([]byte(nil), k.raw(proc, a.b)...)
		if proc == nfs3.NFSPROC3_NULL {
			require.Empty(k.t, b)
			return "nothing"
		}
		res := reflect.ValueOf(decode(k.t, proc, b)).Elem()
		status := statusOf(b)
		text := strings.TrimPrefix(strings.TrimPrefix(status.String(), "NFS3ERR_"), "NFS3_")
		if status == nfs3.NFS3_OK {
			return text + k.render(res.FieldByName("Resok"))
		}
		if fail := res.FieldByName("Resfail"); fail.IsValid() {
			text += k.render(fail)
		}
		return text
	}
	k.t.Fatalf("no procedure in %q", line)
	return ""
}

// render writes the fields of a result.
func (k *talk) render(v reflect.Value) string {
	var b strings.Builder
	for i := range v.NumField() {
		name := strings.ToLower(v.Type().Field(i).Name)
		switch f := v.Field(i).Addr().Interface().(type) {
		case *nfs3.NfsFh3:
			fmt.Fprintf(&b, " fh=%s", k.handle(f.Data))
		case *nfs3.PostOpFh3:
			if f.HandleFollows {
				fmt.Fprintf(&b, " fh=%s", k.handle(f.Handle.Data))
			} else {
				b.WriteString(" fh=-")
			}
		case *nfs3.Fattr3:
			b.WriteString(" " + k.attr(f))
		case *nfs3.PostOpAttr:
			text := "-"
			if f.AttributesFollow {
				text = k.attr(&f.Attributes)
			}
			fmt.Fprintf(&b, " %s=%s", strings.TrimSuffix(name, "attributes"), text)
		case *nfs3.WccData:
			before, after := "-", "-"
			if f.Before.AttributesFollow {
				before = "b"
			}
			if f.After.AttributesFollow {
				after = "a"
			}
			fmt.Fprintf(&b, " %s=%s+%s", name, before, after)
		case *nfs3.Dirlist3:
			for _, e := range f.Entries {
				fmt.Fprintf(&b, " %q", e.Name)
				k.cookie = uint64(e.Cookie)
			}
			fmt.Fprintf(&b, " eof=%v", f.Eof)
		case *nfs3.Dirlistplus3:
			for _, e := range f.Entries {
				text := " -"
				if e.NameAttributes.AttributesFollow {
					text = " " + k.attr(&e.NameAttributes.Attributes)
				}
				fh := "-"
				if e.NameHandle.HandleFollows {
					k.last = string(e.Name)
					fh = k.handle(e.NameHandle.Handle.Data)
				}
				fmt.Fprintf(&b, " %q fh=%s%s", e.Name, fh, text)
				k.cookie = uint64(e.Cookie)
			}
			fmt.Fprintf(&b, " eof=%v", f.Eof)
		case *nfs3.Cookieverf3:
			k.verf = *f
		case *nfs3.Writeverf3: // another one each time
		case *[]byte:
			fmt.Fprintf(&b, " %s=%q", name, *f)
		case *nfs3.Nfspath3:
			fmt.Fprintf(&b, " %s=%q", name, *f)
		case *nfs3.Nfstime3:
			fmt.Fprintf(&b, " %s=%d.%09d", name, f.Seconds, f.Nseconds)
		case *uint32:
			fmt.Fprintf(&b, " %s=%#x", name, *f)
		default:
			fmt.Fprintf(&b, " %s=%v", name, v.Field(i).Interface())
		}
	}
	return b.String()
}

func (k *talk) attr(a *nfs3.Fattr3) string {
	text := fmt.Sprintf(
		"[%s %04o %d %d:%d %d",
		strings.TrimPrefix(a.Type.String(), "NF3"),
		a.Mode,
		a.Nlink,
		a.Uid,
		a.Gid,
		a.Size,
	)
	if a.Type == nfs3.NF3CHR || a.Type == nfs3.NF3BLK {
		text += fmt.Sprintf(" %d,%d", a.Rdev.Specdata1, a.Rdev.Specdata2)
	}
	if a.Atime.Seconds < 1e9 {
		text += fmt.Sprintf(" atime=%d.%d", a.Atime.Seconds, a.Atime.Nseconds)
	}
	if a.Mtime.Seconds < 1e9 {
		text += fmt.Sprintf(" mtime=%d.%d", a.Mtime.Seconds, a.Mtime.Nseconds)
	}
	k.ctime[k.last] = a.Ctime
	return text + "]"
}

// handle returns a handle's name and gives it one when it is new.
func (k *talk) handle(fh []byte) string {
	if n, ok := k.names[string(fh)]; ok {
		return n
	}
	n := k.last
	for k.handles[n] != nil {
		n += "'"
	}
	k.handles[n] = append([]byte(nil), fh...)
	k.names[string(fh)] = n
	return n
}

// arguments encodes the words of a call.
func (k *talk) arguments(proc int, w []string) *args {
	next := func() string {
		require.NotEmpty(k.t, w, name(proc))
		s := w[0]
		w = w[1:]
		return s
	}
	num := func() uint64 { return number(k.t, next()) }
	a := new(args)
	fh := func() {
		n := next()
		require.Contains(k.t, k.handles, n)
		k.last = n
		a.opaque(k.handles[n])
	}
	entry := func() {
		fh()
		k.last = next()
		a.str(k.last)
	}
	switch proc {
	case nfs3.NFSPROC3_NULL:
	case nfs3.NFSPROC3_GETATTR,
		nfs3.NFSPROC3_READLINK,
		nfs3.NFSPROC3_FSSTAT,
		nfs3.NFSPROC3_FSINFO,
		nfs3.NFSPROC3_PATHCONF:
		fh()
	case nfs3.NFSPROC3_SETATTR:
		fh()
		w = a.sattrWords(k.t, w)
		switch {
		case len(w) == 0:
			a.u32(0)
		case next() == "guard=ctime":
			t := k.ctime[k.last]
			a.u32(1, t.Seconds, t.Nseconds)
		default:
			a.u32(1, 1, 1)
			w = nil
		}
	case nfs3.NFSPROC3_LOOKUP, nfs3.NFSPROC3_REMOVE, nfs3.NFSPROC3_RMDIR:
		entry()
	case nfs3.NFSPROC3_ACCESS:
		fh()
		var bits uint32
		for _, r := range next() {
			bits |= 1 << strings.IndexRune("rlmedx", r)
		}
		a.u32(bits)
	case nfs3.NFSPROC3_READ:
		fh()
		a.u64(num()).u32(uint32(num()))
	case nfs3.NFSPROC3_WRITE:
		fh()
		a.u64(num())
		data := next()
		stable := map[string]uint32{"unstable": 0, "data": 1, "file": 2}[next()]
		a.u32(uint32(len(data)), stable).str(data)
	case nfs3.NFSPROC3_CREATE:
		entry()
		switch next() {
		case "unchecked":
			a.u32(0)
			w = a.sattrWords(k.t, w)
		case "guarded":
			a.u32(1)
			w = a.sattrWords(k.t, w)
		default:
			a.u32(2).u64(num())
		}
	case nfs3.NFSPROC3_MKDIR:
		entry()
		w = a.sattrWords(k.t, w)
	case nfs3.NFSPROC3_SYMLINK:
		entry()
		target := next()
		w = a.sattrWords(k.t, w)
		a.str(target)
	case nfs3.NFSPROC3_MKNOD:
		entry()
		kind := map[string]uint32{"reg": 1, "dir": 2, "blk": 3, "chr": 4, "lnk": 5, "sock": 6, "fifo": 7}[next()]
		a.u32(kind)
		switch kind {
		case 3, 4:
			major, minor := uint32(num()), uint32(num())
			w = a.sattrWords(k.t, w)
			a.u32(major, minor)
		case 6, 7:
			w = a.sattrWords(k.t, w)
		}
	case nfs3.NFSPROC3_RENAME:
		entry()
		entry()
	case nfs3.NFSPROC3_LINK:
		fh()
		entry()
	case nfs3.NFSPROC3_READDIR, nfs3.NFSPROC3_READDIRPLUS:
		fh()
		verf := binary.BigEndian.Uint64(k.verf[:])
		switch next() {
		case "start":
			a.u64(0, 0)
		case "next":
			a.u64(k.cookie, verf)
		case "stale":
			a.u64(k.cookie, verf+1)
		case "never":
			a.u64(k.cookie+1000, verf)
		}
		a.u32(uint32(num()))
		if proc == nfs3.NFSPROC3_READDIRPLUS {
			a.u32(uint32(num()))
		}
	case nfs3.NFSPROC3_COMMIT:
		fh()
		a.u64(num()).u32(uint32(num()))
	}
	require.Empty(k.t, w, "words left over")
	return a
}

// sattrWords encodes a sattr3 from words like mode=644 and returns the others.
func (a *args) sattrWords(t testing.TB, w []string) []string {
	set := map[string]string{}
	for len(w) > 0 {
		key, value, _ := strings.Cut(w[0], "=")
		if key == "guard" {
			break
		}
		set[key] = value
		w = w[1:]
	}
	for _, key := range []string{"mode", "uid", "gid", "size"} {
		value, ok := set[key]
		switch {
		case !ok:
			a.u32(0)
		case key == "mode":
			a.u32(1, uint32(number(t, "0"+value)))
		case key == "size":
			a.u32(1).u64(number(t, value))
		default:
			a.u32(1, uint32(number(t, value)))
		}
	}
	for _, key := range []string{"atime", "mtime"} {
		switch value := set[key]; value {
		case "":
			a.u32(0)
		case "now":
			a.u32(1)
		default:
			sec, nsec, _ := strings.Cut(value, ".")
			a.u32(2, uint32(number(t, sec)), uint32(number(t, nsec)))
		}
	}
	return w
}
