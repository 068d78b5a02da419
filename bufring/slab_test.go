package bufring_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/bufring/bufringtest"
)

const arena = 32 << 20

func TestSlabsAreExhaustedPerClassAndComeBack(t *testing.T) {
	s, err := bufring.NewSlabs(arena, 1<<20, nil)
	require.NoError(t, err)
	returned := 0
	s.Returned = func(bufring.Class) { returned++ }
	for _, c := range []bufring.Class{bufring.Small, bufring.Medium, bufring.Large} {
		var all []*bufring.Buffer
		want := s.Free(c)
		for b := s.Take(c); b != nil; b = s.Take(c) {
			require.Len(t, b.Bytes(), s.Size(c))
			b.Bytes()[0], b.Bytes()[len(b.Bytes())-1] = byte(len(all)), byte(len(all))
			all = append(all, b)
		}
		require.Len(t, all, want)
		require.NotEmpty(t, all, "another class has used this one's share")
		for i, b := range all {
			require.Equal(t, byte(i), b.Bytes()[0], "two slabs overlap")
			require.Equal(t, byte(i), b.Bytes()[len(b.Bytes())-1], "two slabs overlap")
		}
		for _, b := range all {
			b.Release()
		}
		require.Equal(t, len(all), returned)
		returned = 0
		require.Equal(t, want, s.Free(c))
	}
	bufringtest.NoneHeld(t, s)
	require.NoError(t, s.Close())
}

func TestClassForFindsTheSmallestThatFits(t *testing.T) {
	s, err := bufring.NewSlabs(arena, 1<<20, nil)
	require.NoError(t, err)
	for n, want := range map[int]bufring.Class{
		1: bufring.Small, bufring.SmallSize: bufring.Small, bufring.SmallSize + 1: bufring.Medium,
		bufring.MediumSize: bufring.Medium, bufring.MediumSize + 1: bufring.Large, 1 << 20: bufring.Large,
	} {
		c, ok := s.ClassFor(n)
		require.True(t, ok)
		require.Equal(t, want, c, "%d bytes", n)
	}
	_, ok := s.ClassFor(1<<20 + 1)
	require.False(t, ok)
	require.NoError(t, s.Close())
}

func TestTooSmallAnArenaIsRefused(t *testing.T) {
	_, err := bufring.NewSlabs(1<<20, 1<<20, nil)
	require.ErrorContains(t, err, "give it")
}

func TestHeldSlabKeepsTheArenaOpen(t *testing.T) {
	s, err := bufring.NewSlabs(arena, 1<<20, nil)
	require.NoError(t, err)
	b := s.Take(bufring.Small)
	require.Error(t, s.Close())
	b.Release()
	require.NoError(t, s.Close())
}

func TestOneReleaseTooManyPanics(t *testing.T) {
	s, err := bufring.NewSlabs(arena, 1<<20, nil)
	require.NoError(t, err)
	b := s.Take(bufring.Small)
	b.Release()
	require.Panics(t, b.Release)
	require.NoError(t, s.Close())
}

// registrar registers until it is full, as RLIMIT_MEMLOCK makes the kernel do.
type registrar struct{ left int }

var errFull = errors.New("memory lock limit")

func (r *registrar) RegisterBuffer(int, []byte) error {
	if r.left == 0 {
		return errFull
	}
	r.left--
	return nil
}

func TestSlabsWorkWhenTheyCannotBeRegistered(t *testing.T) {
	s, err := bufring.NewSlabs(arena, 1<<20, &registrar{left: 1})
	require.NoError(t, err)
	a := s.Take(bufring.Small)
	_, ok := a.Fixed()
	require.True(t, ok)
	b := s.Take(bufring.Medium)
	_, ok = b.Fixed()
	require.False(t, ok)
	require.ErrorIs(t, s.RegisterError(), errFull)
	a.Release()
	b.Release()
	require.NoError(t, s.Close())
}

func TestSpareSlabsLeaveAQuarterAndAtLeastOne(t *testing.T) {
	s, err := bufring.NewSlabs(32<<20, 1<<20, nil)
	require.NoError(t, err)
	var held []*bufring.Buffer
	for _, c := range []bufring.Class{bufring.Small, bufring.Medium, bufring.Large} {
		total := s.Free(c)
		for b := s.TakeSpare(c); b != nil; b = s.TakeSpare(c) {
			held = append(held, b)
		}
		require.Equal(t, max(1, total/4), s.Free(c))
		b := s.Take(c)
		require.NotNil(t, b)
		held = append(held, b)
	}
	for _, b := range held {
		b.Release()
	}
	require.NoError(t, s.Close())
}

func TestArenaWithoutRoomForOneLargeSlabIsRefused(t *testing.T) {
	const large = 100 << 20
	_, err := bufring.NewSlabs(8<<20+large, large, nil)
	require.ErrorContains(t, err, "make it larger")
	s, err := bufring.NewSlabs(2*large, large, nil)
	require.NoError(t, err)
	require.NotZero(t, s.Free(bufring.Large))
	require.NoError(t, s.Close())
}
