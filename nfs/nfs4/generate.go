package nfs4

//go:generate go run ../../cmd/xdrgen nfs4.x
