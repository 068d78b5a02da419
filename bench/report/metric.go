package report

import "github.com/ringnfs/ringnfs/bench/load"

// Metric is a figure of a run.
type Metric struct {
	Name string
	Unit string
	// HigherIsBetter says in which direction the figure improves.
	HigherIsBetter bool
	// Of returns the figure, or false if the run does not have it.
	Of func(*load.Result) (float64, bool)
	// ofSlice returns the figure for a slice of the time; nil if slices do not have it.
	ofSlice func(*load.Slice) (float64, bool)
}

const gib = 1 << 30

// title returns the name, with the unit if the name does not say it.
func (m *Metric) title() string {
	if m.Unit == "/s" {
		return m.Name
	}
	return m.Name + ", " + m.Unit
}

// The metrics.
var (
	OpsPerSecond = Metric{
		Name: "calls a second", Unit: "/s", HigherIsBetter: true,
		Of:      func(r *load.Result) (float64, bool) { return r.OpsPerSecond, true },
		ofSlice: func(s *load.Slice) (float64, bool) { return float64(s.Ops) / s.Seconds, s.Seconds > 0 },
	}
	GiBPerSecond = Metric{
		Name: "throughput", Unit: "GiB/s", HigherIsBetter: true,
		Of: func(r *load.Result) (float64, bool) { return r.BytesPerSecond / gib, r.Bytes > 0 },
		ofSlice: func(s *load.Slice) (float64, bool) {
			return float64(s.Bytes) / gib / s.Seconds, s.Seconds > 0 && s.Bytes > 0
		},
	}
	CPUPerOp = Metric{
		Name: "server CPU per call", Unit: "us",
		Of: func(r *load.Result) (float64, bool) {
			if r.Server == nil || r.Ops == 0 {
				return 0, false
			}
			return r.Server.PerOp, true
		},
		ofSlice: func(s *load.Slice) (float64, bool) {
			return s.Server * 1e6 / float64(max(s.Ops, 1)), s.Server > 0 && s.Ops > 0
		},
	}
	CPUPerGiB = Metric{
		Name: "server CPU per GiB", Unit: "s",
		Of: func(r *load.Result) (float64, bool) {
			if r.Server == nil || r.Bytes == 0 {
				return 0, false
			}
			return r.Server.PerGiB, true
		},
		ofSlice: func(s *load.Slice) (float64, bool) {
			return s.Server * gib / float64(max(s.Bytes, 1)), s.Server > 0 && s.Bytes > 0
		},
	}
	P50  = latencyMetric("latency p50", func(l *load.Latency) float64 { return l.P50 })
	P99  = latencyMetric("latency p99", func(l *load.Latency) float64 { return l.P99 })
	P999 = latencyMetric("latency p99.9", func(l *load.Latency) float64 { return l.P999 })

	clientPerOp = Metric{
		Name: "client CPU per call", Unit: "us",
		Of: func(r *load.Result) (float64, bool) { return r.Client.PerOp, r.Ops > 0 },
	}
)

func latencyMetric(name string, of func(*load.Latency) float64) Metric {
	return Metric{
		Name: name,
		Unit: "us",
		Of:   func(r *load.Result) (float64, bool) { return of(&r.Latency), r.Latency.Count > 0 },
	}
}

// large is the size in bytes from which on a load is described by its bytes: moving these costs
// more than the call.
const large = 32 << 10

// bulk reports whether throughput and CPU per GiB say more about a run than calls do.
func bulk(r *load.Result) bool { return r.Ops > 0 && r.Bytes/r.Ops >= large }

// mainMetrics returns the two figures that say most about a run.
func mainMetrics(r *load.Result) (rate, cost Metric) {
	if bulk(r) {
		return GiBPerSecond, CPUPerGiB
	}
	return OpsPerSecond, CPUPerOp
}
