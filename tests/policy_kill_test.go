package tests

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealgate/sealgate/policy/bundle/bundletest"
	"github.com/sealgate/sealgate/tests/servers"
)

// policyKills is how often TestActivationKilled kills a gateway.
const policyKills = 20

// issue serves another bundle for every request: each denies what is below frozen/ and
// has a rule of its own beside it.
type issue struct {
	signer *bundletest.Signer
	t      *testing.T
	down   atomic.Bool
	served atomic.Int64
}

func (b *issue) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if b.down.Load() {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	n := b.served.Add(1)
	// Large enough that a file is not written in one go.
	filler := strings.Repeat(fmt.Sprintf("# %d %x\n", n, rand.Uint64()), 5000)
	_, _ = w.Write(b.signer.Bundle(b.t, fmt.Sprintf("r%d", n), bundletest.Module+filler))
}

// policySource is the part of the status that says what is in force.
type policySource struct {
	Revision string `json:"revision"`
	Origin   string `json:"origin"`
}

// inForce asks a gateway which bundles its handlers decide by.
func inForce(t *testing.T, g *servers.RunningGateway) []policySource {
	t.Helper()
	text, err := g.Get(t.Context(), "/s3_encryption/status")
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Gateways []struct {
			Policy struct {
				Source policySource `json:"source"`
			} `json:"policy"`
		} `json:"gateways"`
	}
	if err := json.Unmarshal(text, &status); err != nil {
		t.Fatal(err)
	}
	var list []policySource
	for _, h := range status.Gateways {
		list = append(list, h.Policy.Source)
	}
	return list
}

// TestActivationKilled: a gateway that is killed while it puts a policy into force,
// again and again, starts with a whole one without the server it came from.
func TestActivationKilled(t *testing.T) {
	t.Parallel()
	bundles := &issue{signer: bundletest.NewSigner(t), t: t}
	server := httptest.NewServer(bundles)
	t.Cleanup(server.Close)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
	}))
	t.Cleanup(store.Close)
	dir := t.TempDir()
	key := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(key, []byte(bundles.signer.Public), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "kept")
	gateway := servers.Gateway{
		Upstream: store.URL, AccessKey: "UPSTREAMACCESSKEY", SecretKey: "upstream-secret-key",
		Files: map[string]string{"posture.yaml": posture(`  "*": {"": {mode: none}}`)},
		Options: `policy bundle ` + server.URL + ` {
			verification_key ` + key + ` k1 ` + bundletest.Algorithm + `
			persist ` + kept + `
			interval 1h
		}`,
	}
	whole := regexp.MustCompile(`^r[0-9]+$`)
	changed, moments := 0, 0
	last := ""
	for round := range policyKills {
		bundles.down.Store(round > 0) // the first start has nothing kept
		running := ownGateway(t, gateway)
		for _, source := range inForce(t, running) {
			if !whole.MatchString(source.Revision) || round > 0 && !strings.HasSuffix(source.Origin, "(kept)") {
				t.Fatalf("round %d: got %+v", round, source)
			}
			if source.Revision != last {
				changed++
			}
			last = source.Revision
		}
		client := awsClient(place{"", running.PlainEndpoint, clientKey, clientSecret}, http.DefaultTransport)
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("bucket"), Key: aws.String("frozen/a"), Body: strings.NewReader("x"),
		}); err == nil || !strings.Contains(err.Error(), "FRZ-001") {
			t.Errorf("round %d: the policy does not deny: %v", round, err)
		}
		bundles.down.Store(false)
		before := bundles.served.Load()
		reloaded := make(chan struct{})
		go func() {
			defer close(reloaded)
			for { // until it is killed
				if _, err := running.Post(t.Context(), "/s3_encryption/policy/reload", nil); err != nil {
					return
				}
			}
		}()
		// At any moment from the first download on: an activation takes a tenth of a
		// second or two, and another one follows.
		moment := time.NewTimer(time.Duration(rand.Int64N(int64(700 * time.Millisecond))))
		<-moment.C
		if bundles.served.Load() > before {
			moments++
		}
		if err := running.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-running.Process.Done()
		<-reloaded
	}
	bundles.down.Store(true)
	running := ownGateway(t, gateway)
	for _, source := range inForce(t, running) {
		if !whole.MatchString(source.Revision) {
			t.Errorf("got %+v", source)
		}
	}
	if changed < 3 || moments < policyKills/2 {
		t.Errorf("only %d kills came while a policy was loaded, and %d left another one", moments, changed)
	}
	names, err := filepath.Glob(filepath.Join(kept, "*"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d kills came while policies were loaded; %d starts had another one than before; %d bundles served, %d files left", moments, policyKills, changed, bundles.served.Load(), len(names))
}
