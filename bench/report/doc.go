// Package report holds the results of measurements: as JSON, as text, as one
// self-contained HTML page, and the statistics that compare two of them.
//
// A [Report] is a list of [Run]s, each one measurement of one workload against
// one server in one round, together with the machine it was made on. Rounds are
// repetitions; what a report says of a workload is the median of its rounds.
//
// # Statistics
//
// Two sets of measurements are compared by the Mann-Whitney U test, which asks
// only whether one set tends to be larger and assumes no distribution, and by a
// bootstrap of the ratio of their medians, which says by how much. Both need
// several rounds; with fewer than four, the slices of the measured time stand in
// for them, which do not show what changes from run to run: the comparison says so.
package report
