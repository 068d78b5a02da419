// The client's dependencies are no business of the server's module.
module github.com/ringnfs/ringnfs/nfs/interop/goclient

go 1.26.0

require github.com/willscott/go-nfs-client v0.0.0-20251022144359-801f10d98886

require github.com/rasky/go-xdr v0.0.0-20170124162913-1a41d1a06c93 // indirect
