package load

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Target is an export of a server.
type Target struct {
	Host string
	// Port is where NFS answers, MountPort where MOUNT does. For 0 the port mapper of the host
	// is asked; if there is none, both ports are 2049.
	Port, MountPort int
	Path            string // in the server's spelling
}

// ParseTarget understands host:/path, host:port:/path and nfs://host[:port]/path.
// An IPv6 address is written in brackets.
func ParseTarget(text string) (Target, error) {
	bad := func(why string) (Target, error) {
		return Target{}, fmt.Errorf("target %q: %s; write HOST:/PATH, HOST:PORT:/PATH or nfs://HOST:PORT/PATH", text, why)
	}
	if strings.HasPrefix(text, "nfs://") {
		u, err := url.Parse(text)
		if err != nil {
			return bad("it is no URL")
		}
		t := Target{Host: u.Hostname(), Path: u.Path}
		if t.Host == "" {
			return bad("the host is missing")
		}
		if t.Path == "" {
			t.Path = "/"
		}
		if u.Port() != "" {
			if t.Port, err = parsePort(u.Port()); err != nil {
				return bad(err.Error())
			}
		}
		return t, nil
	}
	where, path, ok := strings.Cut(text, ":/")
	if !ok || where == "" {
		return bad("there is no path in it")
	}
	t := Target{Path: "/" + path}
	switch {
	case strings.HasPrefix(where, "["):
		host, rest, ok := strings.Cut(where[1:], "]")
		if !ok {
			return bad("a bracket is not closed")
		}
		t.Host, where = host, rest
	default:
		host, rest, ok := strings.Cut(where, ":")
		t.Host, where = host, ""
		if ok {
			where = ":" + rest
		}
	}
	if t.Host == "" {
		return bad("the host is missing")
	}
	if where != "" {
		var err error
		if t.Port, err = parsePort(strings.TrimPrefix(where, ":")); err != nil {
			return bad(err.Error())
		}
	}
	return t, nil
}

func parsePort(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return 0, errors.New("port " + strconv.Quote(text) + " is none")
	}
	return n, nil
}

// String returns the target in the form that ParseTarget takes.
func (t Target) String() string {
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.Port != 0 {
		host += ":" + strconv.Itoa(t.Port)
	}
	return host + ":" + t.Path
}

func (t Target) addr(port int) string { return net.JoinHostPort(t.Host, strconv.Itoa(port)) }
