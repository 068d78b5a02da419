package nfs3

//go:generate go run ../../cmd/xdrgen nfs3.x
