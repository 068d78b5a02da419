package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the release that is being built; CHANGELOG.md says what is in it.
const version = "0.1.0"

// versionText is the text of --version and the beginning of the banner.
func versionText() string {
	return fmt.Sprintf("ringnfs %s%s (%s, %s/%s)", version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// revision is the commit that the binary was built from, if the Go command has recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var commit, dirty string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+changes"
			}
		}
	}
	if len(commit) < 12 {
		return ""
	}
	return "-" + commit[:12] + dirty
}
