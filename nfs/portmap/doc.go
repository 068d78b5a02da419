// Package portmap is the program that tells clients where the others are:
// portmap version 2 and rpcbind versions 3 and 4 (RFC 1833), for what this
// process serves.
//
// A [Registry] is given once and never changes. Nobody registers anything over
// the network: SET and UNSET answer false. The procedures that would call others
// on a caller's behalf (CALLIT, BCAST, INDIRECT) are not available, as they hide
// the caller and multiply his traffic.
//
// Universal addresses (RFC 5665) name the address that the call came in on, so
// that a client gets one that it can reach.
//
// All procedures run on any thread at once and take no lock.
package portmap
