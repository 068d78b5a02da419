package v4

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// talkAttr is an attribute of dialogues.
type talkAttr struct {
	number int
	put    func(l *talkLine, e *xdr.Encoder, value string)
	get    func(d *xdr.Decoder) string
}

var (
	asUint32 = talkAttr{
		put: func(l *talkLine, e *xdr.Encoder, v string) { e.Uint32(uint32(l.number(v))) },
		get: func(d *xdr.Decoder) string { return fmt.Sprint(d.Uint32()) },
	}
	asUint64 = talkAttr{
		put: func(l *talkLine, e *xdr.Encoder, v string) { e.Uint64(l.number(v)) },
		get: func(d *xdr.Decoder) string { return fmt.Sprint(d.Uint64()) },
	}
	asMode = talkAttr{
		put: asUint32.put,
		get: func(d *xdr.Decoder) string { return fmt.Sprintf("%#o", d.Uint32()) },
	}
	asName = talkAttr{
		put: func(_ *talkLine, e *xdr.Encoder, v string) { e.String(v) },
		get: func(d *xdr.Decoder) string { return string(d.Opaque(1024)) },
	}
	asTime = talkAttr{get: func(d *xdr.Decoder) string {
		sec := d.Int64()
		return fmt.Sprintf("%d.%09d", sec, d.Uint32())
	}}
	// asSetTime is server, or seconds.nanoseconds.
	asSetTime = talkAttr{put: func(l *talkLine, e *xdr.Encoder, v string) {
		if v == "server" {
			e.Uint32(uint32(nfs4.SET_TO_SERVER_TIME4))
			return
		}
		sec, nsec, _ := strings.Cut(v, ".")
		s, err := strconv.ParseInt(sec, 10, 64)
		n, err2 := strconv.ParseUint(nsec, 10, 32)
		l.must(err == nil && err2 == nil, "%q is no time", v)
		e.Uint32(uint32(nfs4.SET_TO_CLIENT_TIME4))
		e.Int64(s)
		e.Uint32(uint32(n))
	}}
	// asTwoModes is two modes with a slash.
	asTwoModes = talkAttr{put: func(l *talkLine, e *xdr.Encoder, v string) {
		a, b, _ := strings.Cut(v, "/")
		e.Uint32(uint32(l.number(a)))
		e.Uint32(uint32(l.number(b)))
	}}
	asSet = talkAttr{get: func(d *xdr.Decoder) string {
		var b bitmap
		b.decode(d)
		return attrNames(b[:])
	}}
	asBool = talkAttr{get: func(d *xdr.Decoder) string { return strconv.FormatBool(d.Bool()) }}
)

// of returns a with a number.
func (a talkAttr) of(number int) talkAttr { a.number = number; return a }

// talkAttrs has the attributes by name.
var talkAttrs map[string]talkAttr

func init() {
	talkAttrs = map[string]talkAttr{
		"supported_attrs":    asSet.of(nfs4.FATTR4_SUPPORTED_ATTRS),
		"type":               asUint32.of(nfs4.FATTR4_TYPE),
		"change":             asUint64.of(nfs4.FATTR4_CHANGE),
		"size":               asUint64.of(nfs4.FATTR4_SIZE),
		"rdattr_error":       asUint32.of(nfs4.FATTR4_RDATTR_ERROR),
		"fileid":             asUint64.of(nfs4.FATTR4_FILEID),
		"mode":               asMode.of(nfs4.FATTR4_MODE),
		"numlinks":           asUint32.of(nfs4.FATTR4_NUMLINKS),
		"owner":              asName.of(nfs4.FATTR4_OWNER),
		"owner_group":        asName.of(nfs4.FATTR4_OWNER_GROUP),
		"time_access":        asTime.of(nfs4.FATTR4_TIME_ACCESS),
		"time_access_set":    asSetTime.of(nfs4.FATTR4_TIME_ACCESS_SET),
		"time_modify":        asTime.of(nfs4.FATTR4_TIME_MODIFY),
		"time_modify_set":    asSetTime.of(nfs4.FATTR4_TIME_MODIFY_SET),
		"mode_set_masked":    asTwoModes.of(nfs4.FATTR4_MODE_SET_MASKED),
		"mode_umask":         asTwoModes.of(nfs4.FATTR4_MODE_UMASK),
		"suppattr_exclcreat": asSet.of(nfs4.FATTR4_SUPPATTR_EXCLCREAT),
		"change_attr_type":   asUint32.of(nfs4.FATTR4_CHANGE_ATTR_TYPE),
		"xattr_support":      asBool.of(nfs4.FATTR4_XATTR_SUPPORT),
	}
}

// attrNames names attributes in the order of their numbers; those that no dialogue knows are
// numbers.
func attrNames(b []uint32) string {
	names := map[int]string{}
	for name, a := range talkAttrs {
		names[a.number] = name
	}
	var list []string
	for n := range 32 * len(b) {
		if b[n/32]>>(n%32)&1 == 0 {
			continue
		}
		name, ok := names[n]
		if !ok {
			name = strconv.Itoa(n)
		}
		list = append(list, name)
	}
	return strings.Join(list, ",")
}

// attributes takes the words that are left as attributes to set.
func (l *talkLine) attributes() nfs4.Fattr4 {
	type value struct {
		talkAttr
		text string
	}
	var list []value
	var numbers []int
	for len(l.words) > 0 {
		name, text, _ := strings.Cut(l.words[0], "=")
		l.words = l.words[1:]
		a, ok := talkAttrs[name]
		l.must(ok && a.put != nil, "%q is nothing that dialogues set", name)
		list = append(list, value{a, l.value(text)})
		numbers = append(numbers, a.number)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].number < list[j].number })
	return fattr(l.t, numbers, func(e *xdr.Encoder) {
		for _, v := range list {
			v.put(l, e, v.text)
		}
	})
}

// readAttributes names the values of a fattr4.
func (l *talkLine) readAttributes(f *nfs4.Fattr4) map[string]string {
	m := map[string]string{}
	var d xdr.Decoder
	d.Reset(f.AttrVals)
	for n := range 32 * len(f.Attrmask) {
		if f.Attrmask[n/32]>>(n%32)&1 == 0 {
			continue
		}
		for name, a := range talkAttrs {
			if a.number == n && a.get != nil {
				m[name] = a.get(&d)
			}
		}
	}
	l.must(d.Err() == nil && d.Left() == 0, "attributes are longer or shorter than they are")
	m["attrs"] = attrNames(f.Attrmask)
	return m
}
