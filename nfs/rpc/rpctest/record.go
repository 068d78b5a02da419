package rpctest

import "encoding/binary"

// Record returns msg as one record of one fragment.
func Record(msg []byte) []byte { return Fragments(msg, len(msg)) }

// Fragments returns msg as one record whose fragments have the given sizes, 0 included. The rest of
// msg follows in one more fragment.
func Fragments(msg []byte, sizes ...int) []byte {
	var b []byte
	for i, n := range sizes {
		mark := uint32(n)
		if i == len(sizes)-1 && n == len(msg) {
			mark |= 1 << 31
		}
		b = binary.BigEndian.AppendUint32(b, mark)
		b = append(b, msg[:n]...)
		if mark>>31 == 1 {
			return b
		}
		msg = msg[n:]
	}
	b = binary.BigEndian.AppendUint32(b, 1<<31|uint32(len(msg)))
	return append(b, msg...)
}

// Split takes the record marking off a stream. It returns the complete records at the stream's
// beginning, and the bytes behind them.
func Split(stream []byte) (records [][]byte, rest []byte) {
	rest = stream
	var record []byte
	for b := stream; len(b) >= 4; {
		mark := binary.BigEndian.Uint32(b)
		n := int(mark &^ (1 << 31))
		if len(b)-4 < n {
			break
		}
		record = append(record, b[4:4+n]...)
		b = b[4+n:]
		if mark>>31 == 1 {
			records, record, rest = append(records, record), nil, b
		}
	}
	return records, rest
}
