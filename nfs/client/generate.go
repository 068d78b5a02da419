package client

//go:generate go run ../../cmd/xdrgen rpc.x
