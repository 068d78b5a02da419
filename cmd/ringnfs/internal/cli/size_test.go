package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSizesAreReadWithAndWithoutUnits(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "1b": 1, "64k": 64 << 10, "64K": 64 << 10, "64KiB": 64 << 10, "64kb": 64000,
		"1.5G": 3 << 29, "2 GiB": 2 << 30, "512M": 512 << 20, "1T": 1 << 40, "3MB": 3e6, " 7m ": 7 << 20,
	} {
		got, err := parseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, int64(got), text)
	}
}

func TestWhatIsNoSizeIsRefused(t *testing.T) {
	for _, text := range []string{"", "M", "-1", "-1M", "3X", "1e3", "0x10", "1_000", "inf", "NaN", "9999999T", "1 2", "KiB1"} {
		_, err := parseSize(text)
		assert.Error(t, err, text)
	}
}

func TestSizesAreShownInTheirLargestWholeUnit(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1 << 10: "1 KiB", 1536: "1536 B", 3 << 29: "1536 MiB", 2 << 30: "2 GiB", 5 << 40: "5 TiB",
	} {
		assert.Equal(t, want, formatSize(n))
	}
}
