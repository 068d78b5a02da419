package privileges

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatAThreadStillHasIsSeen(t *testing.T) {
	const head, none = "Name:\tringnfs\n", "0000000000000000"
	status := func(nnp, inherited, permitted, effective, ambient string) string {
		return head + "CapInh:\t" + inherited + "\nCapPrm:\t" + permitted + "\nCapEff:\t" + effective +
			"\nCapBnd:\t000001ffffffffff\nCapAmb:\t" + ambient + "\nNoNewPrivs:\t" + nnp + "\n"
	}
	const all, more = "00000000180000df", "00000000182000df" // with SYS_ADMIN
	assert.EqualValues(t, 0x180000df, Kept)
	assert.True(t, bare(status("1", none, all, all, none)))
	assert.True(t, bare(status("1", none, none, none, none)))
	assert.False(t, bare(status("0", none, all, all, none)))
	assert.False(t, bare(status("1", more, all, all, none)))
	assert.False(t, bare(status("1", none, more, all, none)))
	assert.False(t, bare(status("1", none, all, more, none)))
	assert.False(t, bare(status("1", none, all, all, more)))
	assert.True(t, kernels("Name:\tiou-wrk-12\n"))
	assert.False(t, kernels(head))
}
