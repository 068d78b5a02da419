package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// list is the value of a flag that takes words separated by commas, and may be given
// several times. An empty list, or an empty word in one, is an error: it is a script's
// variable that was not set, and stands neither for everything nor for the default.
type list struct {
	words *[]string
	what  string // to write instead
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

// refuseEmpty fails when a flag was given an empty word, which Changed flags hold only
// then.
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
