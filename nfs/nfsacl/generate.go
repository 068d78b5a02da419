package nfsacl

//go:generate go run ../../cmd/xdrgen nfsacl.x
