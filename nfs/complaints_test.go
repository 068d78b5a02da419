package nfs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAFaultIsLoggedOnceAMinuteWithHowManyThereWere(t *testing.T) {
	var b bytes.Buffer
	l := newComplaints(slog.New(slog.NewTextHandler(&b, nil)))
	now := time.Unix(1, 0)
	l.now = func() time.Time { return now }
	for range 10 {
		l.error("first", "one")
	}
	l.error("second", "two")
	require.Equal(t, 1, strings.Count(b.String(), "msg=first"))
	require.Equal(t, 1, strings.Count(b.String(), "msg=second"))
	now = now.Add(59 * time.Second)
	l.error("first", "one")
	require.Equal(t, 1, strings.Count(b.String(), "msg=first"))
	now = now.Add(time.Second)
	l.error("first", "one")
	require.Equal(t, 1, strings.Count(b.String(), "msg=first left_out=10"))
	now = now.Add(time.Minute)
	l.error("first", "one")
	require.True(t, strings.HasSuffix(b.String(), "msg=first\n"), "the count starts again")
}

func TestKindsOfFaultsAreBounded(t *testing.T) {
	l := newComplaints(slog.New(slog.DiscardHandler))
	for i := range 1000 {
		l.error("fault", strings.Repeat("x", 1+i))
	}
	require.Len(t, l.kinds, 256+1, "and one for all others")
}
