package mount3

//go:generate go run ../../cmd/xdrgen mount3.x
