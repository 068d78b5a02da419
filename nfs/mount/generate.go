package mount

//go:generate go run ../../cmd/xdrgen mount.x
