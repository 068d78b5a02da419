package uring

// Config says how to make a ring. The zero value is a usable ring with every
// feature that the kernel has.
type Config struct {
	// Entries is how many entries can be queued between two submissions;
	// rounded up to a power of two, at most EntriesMax. Default 256.
	Entries uint32
	// CQEntries is how many completions can wait; at least Entries. The kernel keeps further
	// ones on a slow path. Default 4 x Entries.
	CQEntries uint32
	// Without switches features off. The ring then works as on a kernel that lacks them.
	Without Feature
}

// EntriesMax and CQEntriesMax are the kernel's limits (IORING_MAX_ENTRIES,
// IORING_MAX_CQ_ENTRIES).
const (
	EntriesMax   = 32768
	CQEntriesMax = 2 * EntriesMax
)

func (c *Config) defaults() {
	if c.Entries == 0 {
		c.Entries = 256
	}
	c.Entries = min(c.Entries, EntriesMax)
	if c.CQEntries == 0 {
		c.CQEntries = 4 * c.Entries
	}
	c.CQEntries = min(max(c.CQEntries, c.Entries), CQEntriesMax)
}
