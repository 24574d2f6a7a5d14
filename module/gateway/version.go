package gateway

import (
	"cmp"
	"runtime/debug"
)

// modulePath is what the go command knows Sealgate by.
const modulePath = "github.com/sealgate/sealgate"

// Version is Sealgate's version as the go command recorded it in this binary:
// "v1.2.3", a pseudo-version with the commit, "(devel)" for a build that says
// neither, or "unknown".
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionIn(info)
}

// versionIn finds Sealgate as the main module or as a dependency of it.
func versionIn(info *debug.BuildInfo) string {
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		switch {
		case m.Path != modulePath:
		case m.Replace == nil:
			return cmp.Or(m.Version, "unknown")
		default:
			return cmp.Or(m.Replace.Version, "(devel)") // a folder has no version
		}
	}
	return "unknown"
}
