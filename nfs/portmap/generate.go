package portmap

//go:generate go run ../../cmd/xdrgen portmap.x
