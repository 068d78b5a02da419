package uring

import (
	"iter"
	"math/bits"
)

// Feature is one optional ability of io_uring, or a set of them.
type Feature uint32

const (
	// SingleIssuer: one thread submits, so the kernel locks less (Linux 6.0).
	SingleIssuer Feature = 1 << iota
	// DeferTaskrun: completions are finished inside Submit and Wait, never by
	// interrupting the thread (6.1). Needs SingleIssuer.
	DeferTaskrun
	// NoSQArray: entries are submitted in order without an index table (6.6).
	NoSQArray
	// RegisteredRing: the ring's own descriptor is registered, which saves a
	// look-up in each system call (5.18).
	RegisteredRing
	// SendZC: sending without a copy, with a notification (6.0).
	SendZC
	// SendMsgZC: SendZC with a message header (6.1).
	SendMsgZC
	// ZCReportUsage: a notification says whether data was copied (6.2).
	ZCReportUsage
	// RecvMultishot: one receive entry makes many completions (6.0).
	RecvMultishot
	// Bundle: one receive or send completion covers several buffers (6.10).
	Bundle
	// IncBufRing: buffers of a group are consumed piece by piece (6.12).
	IncBufRing
	// ReadMultishot: RecvMultishot for reads of pollable files (6.7).
	ReadMultishot
	// SendVectorized: SEND takes vectors without a message header (6.17).
	SendVectorized
	// FixedInstall: a registered file gets a descriptor (6.8).
	FixedInstall
	// Ftruncate: the operation of that name (6.9).
	Ftruncate
	// Pipe: the operation of that name (6.16).
	Pipe
	// NoIOWait: a thread that waits for completions counts as idle. Without it, Linux counts
	// the thread as waiting for a disk, and a server that waits for clients looks busy (6.15).
	NoIOWait

	featureEnd
)

// AllFeatures is the set of all features.
const AllFeatures = featureEnd - 1

// featureText has the kernel's name of each feature and the first Linux version that has the
// feature.
var featureText = [...]struct{ name, since string }{
	{"SINGLE_ISSUER", "6.0"},
	{"DEFER_TASKRUN", "6.1"},
	{"NO_SQARRAY", "6.6"},
	{"REGISTERED_RING", "5.18"},
	{"SEND_ZC", "6.0"},
	{"SENDMSG_ZC", "6.1"},
	{"SEND_ZC_REPORT_USAGE", "6.2"},
	{"RECV_MULTISHOT", "6.0"},
	{"RECVSEND_BUNDLE", "6.10"},
	{"PBUF_RING_INC", "6.12"},
	{"READ_MULTISHOT", "6.7"},
	{"SEND_VECTORIZED", "6.17"},
	{"FIXED_FD_INSTALL", "6.8"},
	{"FTRUNCATE", "6.9"},
	{"PIPE", "6.16"},
	{"NO_IOWAIT", "6.15"},
}

// featureNeeds maps a feature to the feature without which it is useless.
var featureNeeds = map[Feature]Feature{
	DeferTaskrun:  SingleIssuer,
	ZCReportUsage: SendZC,
}

func (f Feature) index() int { return bits.TrailingZeros32(uint32(f)) }

// String returns the kernel's names, joined with "+".
func (f Feature) String() string {
	s := ""
	for one := Feature(1); one < featureEnd; one <<= 1 {
		if f&one == 0 {
			continue
		}
		if s != "" {
			s += "+"
		}
		s += featureText[one.index()].name
	}
	return s
}

// Since returns the first Linux version with this single feature.
func (f Feature) Since() string { return featureText[f.index()].since }

// Presence says whether a feature is used.
type Presence uint8

const (
	// Found: the kernel has it and the ring uses it.
	Found Presence = iota
	// Missing: the kernel does not have it.
	Missing
	// Disabled: Config.Without switched it off.
	Disabled
)

func (p Presence) String() string {
	return [...]string{"found", "missing", "disabled"}[p]
}

// FeatureState is whether one feature is used, and why not.
type FeatureState struct {
	Feature  Feature
	Presence Presence
	Reason   string // why the feature is not used; empty when it is used
}

// Features tells which features the kernel has and which of them the ring uses.
type Features struct {
	Kernel  string // its release, as uname(2) gives it
	found   Feature
	missing Feature
	reason  [len(featureText)]string
}

// Has says that all features of the set are used.
func (f *Features) Has(set Feature) bool { return f.found&set == set }

// State tells about one feature.
func (f *Features) State(one Feature) FeatureState {
	s := FeatureState{Feature: one, Presence: Disabled, Reason: f.reason[one.index()]}
	switch {
	case f.found&one != 0:
		s.Presence = Found
	case f.missing&one != 0:
		s.Presence = Missing
	}
	return s
}

// All yields every feature in a fixed order.
func (f *Features) All() iter.Seq[FeatureState] {
	return func(yield func(FeatureState) bool) {
		for one := Feature(1); one < featureEnd; one <<= 1 {
			if !yield(f.State(one)) {
				return
			}
		}
	}
}

func (f *Features) miss(one Feature, why string) {
	f.found &^= one
	f.missing |= one
	f.reason[one.index()] = why
}

// without switches off the features of the set, and all features that need one of them.
func (f *Features) without(set Feature) {
	for one := Feature(1); one < featureEnd; one <<= 1 {
		if f.found&one == 0 {
			continue
		}
		if set&one != 0 {
			f.found &^= one
			f.reason[one.index()] = "switched off"
		}
	}
	for one, need := range featureNeeds {
		if f.found&one != 0 && f.found&need == 0 {
			f.found &^= one
			f.reason[one.index()] = "useless without " + need.String()
			if f.missing&need != 0 {
				f.missing |= one
			}
		}
	}
}
