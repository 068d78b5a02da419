// Package report holds the results of measurements: as JSON, as text, as one self-contained HTML
// page. It has the statistics that compare two reports.
//
// A [Report] is a list of [Run]s and the machine on which they were made. A Run is one measurement
// of one workload against one server in one round. Rounds are repetitions; what a report says of a
// workload is the median of its rounds.
//
// # Statistics
//
// Two methods compare two sets of measurements. The Mann-Whitney U test asks only whether one set
// tends to be larger, and assumes no distribution. A bootstrap of the ratio of their medians says
// by how much. Both need several rounds. With fewer than four, the slices of the measured time
// stand in for rounds; slices do not show what changes from run to run, and the comparison says so.
package report
