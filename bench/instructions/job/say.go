package job

import (
	"encoding/json"
	"os"
)

// Say writes a line of the guest's output.
func Say(l Line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return Out(OutPort, append(b, '\n'))
}

// Out writes bytes to a port of the guest. The machine takes them at once: no interrupt follows, so
// nothing of it falls into a measurement.
func Out(port int64, b []byte) error {
	f, err := os.OpenFile("/dev/port", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range b { // the next byte of one call would go to the next port
		if _, err := f.WriteAt(b[i:i+1], port); err != nil {
			return err
		}
	}
	return nil
}
