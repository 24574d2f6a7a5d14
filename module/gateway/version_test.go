package gateway

import (
	"runtime/debug"
	"testing"
)

func TestVersionIn(t *testing.T) {
	t.Parallel()
	caddy := &debug.Module{Path: "github.com/caddyserver/caddy/v2", Version: "v2.11.9"}
	for _, c := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"our own binary", debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "v1.2.3"}, Deps: []*debug.Module{caddy}}, "v1.2.3"},
		{"not stamped", debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "(devel)"}}, "(devel)"},
		{"stamped with nothing", debug.BuildInfo{Main: debug.Module{Path: modulePath}}, "unknown"},
		{"a dependency", debug.BuildInfo{Main: debug.Module{Path: "caddy", Version: "(devel)"}, Deps: []*debug.Module{caddy, {Path: modulePath, Version: "v1.2.4"}}}, "v1.2.4"},
		{"replaced by a fork", debug.BuildInfo{Deps: []*debug.Module{{Path: modulePath, Version: "v1.2.4", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.9.0"}}}}, "v1.9.0"},
		{"replaced by a folder", debug.BuildInfo{Deps: []*debug.Module{{Path: modulePath, Version: "v1.2.4", Replace: &debug.Module{Path: "../sealgate"}}}}, "(devel)"},
		{"not there", debug.BuildInfo{Main: *caddy}, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := versionIn(&c.info); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
