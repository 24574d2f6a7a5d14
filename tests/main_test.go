// Package tests exercises the whole system: the gateway as a child process in
// front of real stores, spoken to by real clients, and the rules that bind the
// packages of this module together.
//
// Stores and the gateway are started when a test first needs them, shared by
// the tests of a run, and ended by TestMain. Tests keep apart by the names of
// their buckets. A test that needs a program that is not there fails and says
// which make target installs it; none is skipped.
package tests

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sealgate-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bed = newTestBed(dir)
	code := m.Run()
	bed.close()
	_ = os.RemoveAll(dir)
	took.print(os.Stdout)
	os.Exit(code)
}
