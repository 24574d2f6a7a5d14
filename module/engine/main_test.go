package engine

import (
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Every goroutine has an owner that ends it.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}))
}
