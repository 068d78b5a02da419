package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// cpuProfile is a profile that the runtime makes of all threads while a command runs. It shows
// where Go code spends its time, to `go tool pprof` and to the compiler (`make pgo`). The kernel's
// work counts for the system call that asked for it.
type cpuProfile struct {
	name string // empty for none
	file *os.File
}

// profileFlag gives all commands the flag that asks for a profile.
func profileFlag(root *cobra.Command) *cpuProfile {
	p := new(cpuProfile)
	root.PersistentFlags().StringVar(
		&p.name,
		"cpu-profile",
		"",
		"write a CPU profile of the program to `FILE`, until it ends",
	)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := refuseEmpty(c); err != nil {
			return err
		}
		return p.start()
	}
	return p
}

func (p *cpuProfile) start() (err error) {
	if p.name == "" {
		return nil
	}
	if p.file, err = os.Create(p.name); err != nil {
		return failed(fmt.Errorf("CPU profile: %w", err))
	}
	if err := pprof.StartCPUProfile(p.file); err != nil {
		return failed(errors.Join(fmt.Errorf("CPU profile: %w", err), p.file.Close()))
	}
	return nil
}

// stop ends the profile, if there is one, and closes its file.
func (p *cpuProfile) stop() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	if err := p.file.Close(); err != nil {
		return failed(fmt.Errorf("CPU profile: %w", err))
	}
	return nil
}
