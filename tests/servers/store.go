package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// Region is what every server here expects signatures for.
const Region = "us-east-1"

// Store is a running S3 store. Close ends it and removes its data.
type Store struct {
	// Endpoint is its base URL, without a path.
	Endpoint string
	// AccessKey and SecretKey are the pair of its owner.
	AccessKey, SecretKey string
	// Data is the folder in which it keeps objects.
	Data string
	// Process is the child; its Output is worth printing when a test fails.
	Process *Process

	dir string
}

// Close ends the store and removes its folder.
func (s *Store) Close() {
	s.Process.Stop()
	_ = os.RemoveAll(s.dir)
}

// answers returns a readiness check: any reply to a GET of url that ok accepts.
func answers(transport *http.Transport, url string, ok func(*http.Response) bool) func(context.Context) error {
	client := &http.Client{Transport: transport, Timeout: 2 * time.Second}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if !ok(resp) {
			return fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return nil
	}
}

func anyReply(*http.Response) bool { return true }

func isForbidden(r *http.Response) bool { return r.StatusCode == http.StatusForbidden }
