package cli_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealgate/sealgate/module/cli"
	_ "github.com/sealgate/sealgate/module/gateway"
	_ "github.com/sealgate/sealgate/module/keyring/awskms"
	_ "github.com/sealgate/sealgate/module/keyring/vault"
)

// TestMain lets the scripts run two binaries: sealgate, and a Caddy build that
// has only imported the package.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sealgate": func() {
			caddy.CustomBinaryName = cli.BinaryName
			cli.RegisterVerbs()
			caddycmd.Main()
		},
		"caddy": caddycmd.Main,
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"fetch":      fetch,
			"flipbit":    flipBit,
			"sealobject": sealObject,
		},
	})
}

// exits runs a command and checks its exit code: exits <code> <command> [args...].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits <code> <command> [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("running %s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// fetch sets a variable to what a pattern's group matched in a file:
// fetch <variable> <pattern> <file>.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fetch <variable> <pattern> <file>")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	match := pattern.FindSubmatch(data)
	if len(match) != 2 {
		ts.Fatalf("%s: no match for %s", args[2], args[1])
	}
	ts.Setenv(args[0], string(match[1]))
}
