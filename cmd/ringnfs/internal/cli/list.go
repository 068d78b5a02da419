package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// list is the value of a flag that takes words separated by commas, and may be given several times.
// An empty list, and an empty word in a list, is an error: it comes from a script's variable that
// was not set, and means neither everything nor the default.
type list struct {
	words *[]string
	what  string // what to write instead
}

// Set implements pflag.Value.
func (l list) Set(text string) error {
	words := strings.Split(text, ",")
	for i, w := range words {
		if words[i] = strings.TrimSpace(w); words[i] == "" {
			return fmt.Errorf("an empty word in a list: write %s, or leave the flag out", l.what)
		}
	}
	*l.words = append(*l.words, words...)
	return nil
}

// String implements pflag.Value.
func (l list) String() string {
	if l.words == nil {
		return ""
	}
	return strings.Join(*l.words, ",")
}

// Type implements pflag.Value.
func (l list) Type() string { return "LIST" }

// refuseEmpty fails if a flag was given an empty word. A flag that was given another value, and is
// Changed, never holds one.
func refuseEmpty(c *cobra.Command) error {
	var errs []error
	c.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains([]string{"", "[]"}, f.Value.String()) {
			errs = append(
				errs,
				fmt.Errorf(
					"--%s \"\": an empty word says nothing: write what it shall be, or leave the flag out",
					f.Name,
				),
			)
		}
	})
	return errors.Join(errs...)
}
