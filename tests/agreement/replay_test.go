package agreement

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealgate/sealgate/module/recorded"
	"github.com/sealgate/sealgate/policy/replay"
)

// replayedRequests is how many requests are recorded and replayed.
const replayedRequests = 5000

// Every request that is fully recorded is decided again as it was, from the file of
// records alone.
func TestReplayAgrees(t *testing.T) {
	stock := &store{}
	upstream := httptest.NewServer(stock)
	t.Cleanup(upstream.Close)
	endpoint, _ := url.Parse(upstream.URL)
	byWorld := map[string][]asked{}
	for _, a := range draw(replayedRequests) {
		byWorld[a.world] = append(byWorld[a.world], a)
	}
	same, early := 0, 0
	for _, name := range worlds() {
		w := newWorld(t, name, endpoint)
		stock.use(w.policy.Current())
		path := filepath.Join(t.TempDir(), "records.jsonl")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := json.NewEncoder(f)
		for _, a := range byWorld[name] {
			if err := lines.Encode(w.send(t, a)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		var in recorded.Reader
		report, err := replay.Run(t.Context(), replay.Options{Candidate: w.policy.Current()}, in.Requests(recorded.File{Name: path, Reader: f}))
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range report.Examples() {
			t.Errorf("%s: %s: %s %v", name, o.Kind, o, o.Lacks)
		}
		if report.Requests+in.Early != len(byWorld[name]) || in.Unreadable > 0 {
			t.Errorf("%s: %d requests, %d early, %d unreadable of %d", name, report.Requests, in.Early, in.Unreadable, len(byWorld[name]))
		}
		same, early = same+report.Same, early+in.Early
	}
	t.Logf("%d decided the same, %d ended before policy was asked", same, early)
	if same < replayedRequests*9/10 {
		t.Errorf("only %d of %d requests were replayed", same, replayedRequests)
	}
}
