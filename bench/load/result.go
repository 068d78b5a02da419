package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run has measured. Times are in seconds unless their name says otherwise; "GiB"
// is 2^30 bytes.
type Result struct {
	Workload string  `json:"workload"`
	Version  string  `json:"nfs,omitempty"`      // of NFS; empty is 3
	Sessions int     `json:"sessions,omitempty"` // of version 4
	Conns    int     `json:"conns"`
	Depth    int     `json:"depth"`
	Threads  int     `json:"client_threads"`
	Rate     float64 `json:"rate,omitempty"` // calls a second that were asked for
	Stable   uint32  `json:"stable,omitempty"`
	Verified bool    `json:"verified,omitempty"`

	Seconds        float64 `json:"seconds"` // measured, without the warm-up
	Ops            uint64  `json:"ops"`
	Bytes          uint64  `json:"bytes"` // of data
	OpsPerSecond   float64 `json:"ops_per_second"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	// Unsent counts the calls that were due at a given rate and could not be made before the
	// end, because too many calls were under way.
	Unsent uint64 `json:"unsent,omitempty"`

	Latency Latency            `json:"latency"`
	ByProc  map[string]Latency `json:"latency_by_procedure,omitempty"` // if there are several
	Curve   []Point            `json:"latency_curve"`

	Server *CPU    `json:"server_cpu,omitempty"` // nil if it could not be read
	Client CPU     `json:"client_cpu"`
	Slices []Slice `json:"slices"`
}

// Latency summarizes the latencies of calls, in microseconds.
type Latency struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean_us"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	Max   float64 `json:"max_us"`
}

// Point says that a part of the calls had at most a certain latency.
type Point struct {
	Quantile float64 `json:"quantile"` // 0 to 1
	Micros   float64 `json:"us"`
}

// CPU is processor time used during the measurement.
type CPU struct {
	Seconds float64 `json:"seconds"`
	// User and System are read with the resolution of the kernel's tick (10 ms).
	User   float64 `json:"user_seconds"`
	System float64 `json:"system_seconds"`
	PerOp  float64 `json:"us_per_op"`
	PerGiB float64 `json:"seconds_per_gib,omitempty"`
}

// Slice is a part of the measured time. Slices show how steady the rate was.
type Slice struct {
	Seconds float64 `json:"seconds"`
	Ops     uint64  `json:"ops"`
	Bytes   uint64  `json:"bytes"`
	Server  float64 `json:"server_cpu_seconds,omitempty"`
}

// per fills in the quotients.
func (c *CPU) per(ops, bytes uint64) {
	if ops > 0 {
		c.PerOp = c.Seconds * 1e6 / float64(ops)
	}
	if bytes > 0 {
		c.PerGiB = c.Seconds * (1 << 30) / float64(bytes)
	}
}

const (
	// latencyMax is the longest latency that is recorded as such.
	latencyMax = 60 * time.Second
	// digits is the precision of histograms: three decimal digits.
	digits = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(latencyMax), digits) }

func summary(h *hdrhistogram.Histogram) Latency {
	us := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	return Latency{
		Count: uint64(h.TotalCount()), Mean: h.Mean() / 1e3,
		P50: us(50), P90: us(90), P99: us(99), P999: us(99.9), Max: float64(h.Max()) / 1e3,
	}
}

var curveQuantiles = []float64{0, .1, .25, .5, .75, .9, .95, .98, .99, .995, .998, .999, .9995, .9998, .9999, .99999, 1}

func curve(h *hdrhistogram.Histogram) []Point {
	var points []Point
	for _, q := range curveQuantiles {
		points = append(points, Point{Quantile: q, Micros: float64(h.ValueAtQuantile(100*q)) / 1e3})
	}
	return points
}
