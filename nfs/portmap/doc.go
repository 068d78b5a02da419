// Package portmap is the program that tells clients where the other programs are: portmap version 2
// and rpcbind versions 3 and 4 (RFC 1833), for what this process serves.
//
// A [Registry] is given once and never changes. Nobody registers anything over the network: SET and
// UNSET answer false. The procedures that would call other programs for a caller (CALLIT, BCAST,
// INDIRECT) are not available, because they hide the caller and multiply the caller's traffic.
//
// Universal addresses (RFC 5665) name the address that the call came in on, so that a client gets
// an address that it can reach.
//
// All procedures may run on any thread at the same time and take no lock.
package portmap
