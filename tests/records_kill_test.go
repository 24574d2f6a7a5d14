package tests

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealgate/sealgate/tests/servers"
)

// recordKills is how often TestRecordsKilled kills a gateway.
const recordKills = 20

// rolledRecords is a file of decision records and those it was rotated to.
type rolledRecords struct{ dir string }

func (r rolledRecords) current() string { return filepath.Join(r.dir, "decisions.jsonl") }

// rolled are the names of the files it was rotated to, half written ones included.
func (r rolledRecords) rolled(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(r.dir, "decisions-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// ids reads every line of a file, which must be a record, and notes where each id is.
func (r rolledRecords) ids(t *testing.T, name string, where map[string]string) int {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	n := 0
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return n
		}
		n++
		var record struct {
			ID      string `json:"id"`
			Outcome string `json:"outcome"`
		}
		if err != nil {
			t.Fatalf("%s, line %d: %v", name, n, err)
		}
		if err := json.Unmarshal(line, &record); err != nil || record.ID == "" || record.Outcome == "" {
			t.Fatalf("%s, line %d: %v: %.200s", name, n, err, line)
		}
		if other, ok := where[record.ID]; ok {
			t.Errorf("record %s is in %s and in %s", record.ID, other, name)
		}
		where[record.ID] = name
	}
}

// torn reports whether a file ends within a line.
func (r rolledRecords) torn(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile(r.current())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(text) > 0 && text[len(text)-1] != '\n'
}

// flood sends requests that are denied, each with a long name so that files fill soon,
// until stop is closed or there were limit. It returns the ids of those answered.
func flood(endpoint string, limit int, stop <-chan struct{}) []string {
	var mu sync.Mutex
	var ids []string
	var senders sync.WaitGroup
	name := strings.Repeat("%01n", 330)
	const several = 4
	for s := range several {
		senders.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			for i := range limit / several {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Get(fmt.Sprintf("%s/bucket/%d-%d-%s", endpoint, s, i, name))
				if err != nil {
					return // it was killed
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				mu.Lock()
				ids = append(ids, resp.Header.Get("X-Amz-Request-Id"))
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	return ids
}

// TestRecordsKilled: a gateway that is killed while it writes or rotates decision
// records, again and again, leaves whole records only, each one once.
func TestRecordsKilled(t *testing.T) {
	t.Parallel()
	records := rolledRecords{t.TempDir()}
	store := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(store.Close)
	gateway := servers.Gateway{
		Upstream: store.URL, AccessKey: "UPSTREAMACCESSKEY", SecretKey: "upstream-secret-key",
		Files: map[string]string{"posture.yaml": posture(`  "*": {"": {mode: none}}`)},
		Options: `record file ` + records.current() + ` {
			roll_size 1MiB
			roll_keep 10000
			input all
		}`,
	}
	torn, rotating := 0, 0
	for round := range recordKills {
		running := ownGateway(t, gateway)
		stop := make(chan struct{})
		flooded := make(chan []string, 1)
		go func() { flooded <- flood(running.PlainEndpoint, 4000, stop) }()
		before := len(records.rolled(t))
		size := sizeOf(t, records.current())
		tick := time.NewTicker(time.Millisecond)
		for deadline := time.Now().Add(time.Minute); ; <-tick.C {
			// Every other time, as soon as a file is rotated; else while one fills.
			if round%2 == 0 && len(records.rolled(t)) != before {
				rotating++
				break
			}
			if round%2 == 1 && sizeOf(t, records.current())-size > int64(round)*7919 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the gateway writes no records")
			}
		}
		tick.Stop()
		if err := running.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-running.Process.Done()
		close(stop)
		<-flooded
		if records.torn(t) {
			torn++
		}
	}
	// Once more, with a peaceful end: all of its records are there.
	running := ownGateway(t, gateway)
	answered := flood(running.PlainEndpoint, 400, nil)
	running.Process.Stop()

	where := make(map[string]string)
	n := records.ids(t, records.current(), where)
	files := records.rolled(t)
	for _, name := range files {
		n += records.ids(t, name, where)
	}
	for _, id := range answered {
		if where[id] == "" {
			t.Errorf("request %s left no record", id)
		}
	}
	if len(answered) != 400 || rotating == 0 || len(files) == 0 {
		t.Errorf("%d requests at the end, %d kills at a rotation, %d files", len(answered), rotating, len(files))
	}
	t.Logf("%d whole records in %d files; %d of %d kills came at a rotation, %d left a torn line", n, len(files)+1, rotating, recordKills, torn)
}

// sizeOf is the size of a file, 0 of one that is not there.
func sizeOf(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		if os.IsNotExist(err) {
			return 0
		}
		t.Fatal(err)
	}
	return info.Size()
}
