package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/caddyserver/caddy/v2"
)

func TestSignedWrite(t *testing.T) {
	b := newBed(t).start()
	out, err := b.client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("a//b c.txt"), Body: strings.NewReader("hello"),
		Metadata: map[string]string{"plain": "1", "file_name": "x", "v1.0": "y"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.ServerSideEncryption != "AES256" {
		t.Errorf("the client is told %q", out.ServerSideEncryption)
	}
	requests := b.store.got()
	put := requests[len(requests)-1]
	if got, want := put.RequestURI, "/photos/a//b%20c.txt"; got != want && !strings.HasPrefix(got, want+"?") {
		t.Errorf("the store was asked for %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"X-Amz-Server-Side-Encryption": "AES256", "X-Amz-Meta-Plain": "1", "X-Amz-Meta-File_name": "x", "X-Amz-Meta-V1.0": "y",
	} {
		if got := put.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := put.Header.Get("Authorization"); !strings.Contains(got, "Credential="+storeKey+"/") || !strings.Contains(got, "x-amz-meta-file_name") {
		t.Errorf("signed as %q", got)
	}
	if got := string(b.store.objects["/photos/a//b c.txt"]); got != "hello" {
		t.Errorf("the store keeps %q", got)
	}
}

func TestAccessLogAndRecord(t *testing.T) {
	b := newBed(t).start()
	client := b.client()
	object, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	presigned := strings.TrimPrefix(object.URL, b.url)
	signature := presigned[strings.Index(presigned, "X-Amz-Signature=")+len("X-Amz-Signature="):]
	if res, body := b.send(http.MethodGet, presigned, nil); res.StatusCode != http.StatusOK {
		t.Fatalf("presigned GET: %s %s", res.Status, body)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("k"), Body: strings.NewReader("hello")}); err != nil {
		t.Fatal(err)
	}
	res, _ := b.send(http.MethodGet, "/photos/k", http.Header{
		"X-Amz-Server-Side-Encryption-Customer-Key": {"c2Vuc2l0aXZlLWN1c3RvbWVyLWtleQ=="}, "X-Amz-Security-Token": {"sensitive-token"},
	})
	id := res.Header.Get("X-Amz-Request-Id")

	byLogger, text := b.logs()
	for _, secret := range []string{signature, "c2Vuc2l0aXZl", "sensitive-token", clientSecret, "the-gateways-own-secret", "AWS4-HMAC-SHA256 Credential"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
	access, decisions := byLogger["http.log.access"], byLogger["s3_encryption.decision"]
	if len(access) < 3 || len(access) != len(decisions) {
		t.Fatalf("%d access log entries and %d decision records, want as many, 3 or more:\n%s", len(access), len(decisions), text)
	}
	last, record := access[len(access)-1], decisions[len(decisions)-1]
	if last["s3_request_id"] != id || record["id"] != id {
		t.Errorf("request %s, access log %v, record %v", id, last["s3_request_id"], record["id"])
	}
	if last["msg"] != "handled request" || last["status"] != float64(res.StatusCode) || at(last, "request", "client_ip") != "127.0.0.1" ||
		at(last, "request", "uri") != "/photos/k" || last["s3_operation"] != "GetObject" {
		t.Errorf("entry %v", last)
	}
	for _, e := range access {
		if e["s3_operation"] == "PutObject" && e["s3_outcome"] == "ok" && (e["user_id"] != "app" || e["bytes_read"].(float64) < 5 || e["status"] != 200.0) {
			t.Errorf("entry %v", e)
		}
	}
	for _, member := range []string{"time", "revision", "identity", "operation", "resource", "asked", "decided", "sent", "answered", "outcome", "findings", "duration_us"} {
		if _, ok := record[member]; !ok {
			t.Errorf("the record has no %s: %v", member, record)
		}
	}
}

func TestAccessLogFollowsCaddy(t *testing.T) {
	for _, tt := range []struct {
		name string
		logs object
		want map[string]int
	}{
		{"off", nil, map[string]int{}},
		{"named by host", object{"logger_names": object{"127.0.0.1": []string{"s3"}}}, map[string]int{"http.log.access.s3": 1}},
		{"host skipped", object{"skip_hosts": []string{"127.0.0.1"}}, map[string]int{}},
		{"unmapped skipped", object{"skip_unmapped_hosts": true}, map[string]int{}},
		{"default logger", object{"default_logger_name": "rest"}, map[string]int{"http.log.access.rest": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			server := object{"routes": route(b.handler)}
			if tt.logs != nil {
				server["logs"] = tt.logs
			}
			b.config["apps"] = object{"http": httpApp(server)}
			b.start()
			b.send(http.MethodGet, "/", nil)
			byLogger, text := b.logs()
			got := map[string]int{}
			for name, lines := range byLogger {
				if strings.HasPrefix(name, "http.log.access") {
					got[name] = len(lines)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, want %v:\n%s", got, tt.want, text)
			}
		})
	}
}

func TestRecordFile(t *testing.T) {
	b := newBed(t)
	path := filepath.Join(b.dir, "decisions.jsonl")
	b.handler["record"] = object{"output": "file", "filename": path}
	second := object{}
	for name, value := range b.handler {
		second[name] = value
	}
	b.config["apps"] = object{"http": httpApp(object{"routes": []object{
		{"match": []object{{"path": []string{"/second/*"}}}, "handle": []object{second}},
		{"handle": []object{b.handler}},
	}})}
	b.start()
	b.send(http.MethodGet, "/photos/k", nil)
	load(t, b.config) // the writer outlives a reload
	b.url = "http://" + address(t, "main")
	b.send(http.MethodGet, "/second/k", nil)
	key := caddyWriterKey(path)
	if n, _ := recordWriters.References(key); n != 2 {
		t.Errorf("two handlers hold the writer %d times", n)
	}
	byLogger, _ := b.logs()
	if n := len(byLogger["s3_encryption.decision"]); n != 0 {
		t.Errorf("%d records in Caddy's log as well", n)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := jsonLines(t, text)
	if len(lines) != 2 || at(lines[0], "resource", "bucket") != "photos" || at(lines[1], "resource", "bucket") != "second" {
		t.Errorf("records:\n%s", text)
	}
	if _, ok := lines[0]["level"]; ok {
		t.Error("a record carries members of a log entry")
	}
	if n, ok := recordWriters.References(key); ok {
		t.Errorf("the writer is still held %d times", n)
	}
}

// caddyWriterKey is what Caddy's file writer calls itself.
func caddyWriterKey(path string) string { return "file:" + path }

func TestMetrics(t *testing.T) {
	b := newBed(t)
	b.config["apps"] = object{"http": httpApp(object{"routes": []object{
		{"match": []object{{"path": []string{"/-/metrics"}}}, "handle": []object{{"handler": "metrics"}}},
		{"match": []object{{"path": []string{"/second/*"}}}, "handle": []object{b.handler}},
		{"handle": []object{b.handler}},
	}})}
	b.start()
	if _, err := b.client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("secret-name"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	b.send(http.MethodGet, "/second/k?no-such-parameter", nil)
	_, text := b.send(http.MethodGet, "/-/metrics", nil)
	contains(t, text,
		`sealgate_requests_total{mode="sse-s3",operation="PutObject",outcome="ok"} 1`,
		`sealgate_requests_total{mode="",operation="unknown",outcome="refused"} 1`,
		"sealgate_decision_seconds_count", "sealgate_upstream_seconds_count", "sealgate_weak_reply_total 0", "sealgate_open_failures_total 0",
		`sealgate_policy_info{revision="`, "sealgate_policy_loaded_timestamp_seconds", `sealgate_reload_successful{files="policy"} 1`,
		`sealgate_reload_successful{files="clients"} 1`)
	if strings.Contains(text, "secret-name") || strings.Contains(text, "photos") {
		t.Error("a metric names a bucket or key")
	}
}

func TestAdmin(t *testing.T) {
	b := newBed(t)
	socket := filepath.Join(b.dir, "admin.sock")
	b.config["admin"] = object{"listen": "unix/" + socket, "config": object{"persist": false}}
	b.start()
	ask := func(method, path string) (int, object) {
		t.Helper()
		res := askAdmin(t, socket, method, path)
		defer res.Body.Close()
		var answer object
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, answer
	}
	status := func() object {
		t.Helper()
		code, answer := ask(http.MethodGet, "/s3_encryption/status")
		gateways, ok := answer["gateways"].([]any)
		if code != http.StatusOK || !ok || len(gateways) != 1 {
			t.Fatalf("status %d %v", code, answer)
		}
		return gateways[0].(object)
	}

	before := status()
	if before["upstream"] != b.store.URL || before["region"] != "us-east-1" || at(before, "clients", "clients") != 1.0 || at(before, "policy", "revision") == "" {
		t.Errorf("status %v", before)
	}
	b.file("posture.yaml", strings.Replace(testPosture, "sse-s3", "sse-kms", 1))
	if code, answer := ask(http.MethodPost, "/s3_encryption/policy/reload"); code != http.StatusOK {
		t.Errorf("reload: %d %v", code, answer)
	}
	after := status()
	if at(after, "policy", "revision") == at(before, "policy", "revision") {
		t.Error("a reload did not change the revision")
	}
	b.file("posture.yaml", "version: 2\n")
	code, answer := ask(http.MethodPost, "/s3_encryption/policy/reload")
	if code != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(answer["error"]), "version") {
		t.Errorf("reload of an invalid posture: %d %v", code, answer)
	}
	broken := status()
	if at(broken, "policy", "revision") != at(after, "policy", "revision") || at(broken, "policy", "error") == nil {
		t.Errorf("the last good policy did not stay, or the error does not show: %v", broken)
	}
	for method, path := range map[string]string{http.MethodPost: "/s3_encryption/status", http.MethodGet: "/s3_encryption/policy/reload"} {
		if code, _ := ask(method, path); code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, code)
		}
	}
}

func TestWatchedClients(t *testing.T) {
	b := newBed(t).start()
	client := b.client()
	get := func() error {
		_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("k")})
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	b.file("clients.yaml", "version: 1\nclients: []\n")
	deadline := time.After(20 * time.Second) // 5 seconds are promised on a machine that is not busy
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		err := get()
		if err != nil {
			contains(t, err.Error(), "InvalidAccessKeyId")
			return
		}
		select {
		case <-deadline:
			t.Fatal("a client that was taken away is still let in")
		case <-poll.C:
		}
	}
}

func TestLoop(t *testing.T) {
	b := newBed(t).start()
	_, err := b.client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("k")}, func(o *s3.Options) {
		o.HTTPClient = via{"1.1 edge"}
	})
	if err != nil {
		t.Fatal(err)
	}
	requests := b.store.got()
	got := requests[len(requests)-1].Header["Via"]
	if len(got) != 2 || got[0] != "1.1 edge" || !strings.HasPrefix(got[1], "1.1 sealgate-") || strings.Contains(got[1], "127.0.0.1") {
		t.Fatalf("Via to the store %q", got)
	}

	res, body := b.send(http.MethodGet, "/photos/k", http.Header{"Via": {"1.1 edge", "1.0 x, " + got[1]}})
	if res.StatusCode != http.StatusBadRequest || res.Header.Get("X-Amz-Request-Id") == "" {
		t.Errorf("a request that came back: %s", res.Status)
	}
	contains(t, body, "<Code>InvalidRequest</Code>", "already passed through this gateway")
	if n := len(b.store.got()); n != len(requests) {
		t.Errorf("the store was asked %d times more", n-len(requests))
	}
}

// via is an HTTP client behind a proxy.
type via struct{ element string }

func (v via) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Via", v.element)
	return http.DefaultClient.Do(r)
}

// TestCaddyTransport: TLS trust comes from the transport block, and a stored
// gzip object comes back as it was stored.
func TestCaddyTransport(t *testing.T) {
	b := newBed(t)
	b.store = newStore(t, httptest.NewTLSServer)
	b.store.reply.Set("Content-Encoding", "gzip")
	b.handler["upstream"] = b.store.URL
	b.handler["transport"] = object{
		"protocol": "http",
		"tls": object{"ca": object{
			"provider": "inline", "trusted_ca_certs": []string{base64.StdEncoding.EncodeToString(b.store.Certificate().Raw)},
		}},
	}
	b.start()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = zip.Write([]byte(strings.Repeat("stored as it is ", 100)))
	_ = zip.Close()
	client := b.client()
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("k"), Body: bytes.NewReader(zipped.Bytes()), ContentEncoding: aws.String("gzip")}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("k")}, func(o *s3.Options) {
		o.HTTPClient = &http.Client{Transport: &http.Transport{DisableCompression: true}}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if err != nil || !bytes.Equal(got, zipped.Bytes()) {
		t.Errorf("got %d bytes, error %v, want the %d that were stored", len(got), err, zipped.Len())
	}
}

// TestValidate: checking a configuration asks the store nothing, and a handler
// that cannot be built says why and leaves nothing behind.
func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*bed)
		want string // "" is valid
	}{
		{"valid", func(*bed) {}, ""},
		{"default credential chain", func(b *bed) { delete(b.handler, "credentials") }, ""},
		{"unknown field", func(b *bed) { b.handler["colour"] = "red" }, "colour"},
		{"no clients file", func(b *bed) { b.handler["clients"] = filepath.Join(b.dir, "missing.yaml") }, "clients: "},
		{"clients file others can read", func(b *bed) { _ = os.Chmod(filepath.Join(b.dir, "clients.yaml"), 0o644) }, "not private"},
		{"invalid posture", func(b *bed) { b.file("posture.yaml", "version: 1\nbuckets: {x: {}}\n") }, "policy: "},
		{"misspelt action", func(b *bed) { b.file("posture.yaml", strings.Replace(testPosture, "s3:*", "s3:GetObjct", 1)) }, "grants[all]: actions: no request needs \"s3:GetObjct\"; the nearest action is s3:GetObject"},
		{"no policy directory", func(b *bed) { b.handler["policy"] = filepath.Join(b.dir, "missing") }, "policy: "},
		{"compression", func(b *bed) { b.handler["transport"] = object{"protocol": "http", "compression": true} }, "compression must stay off"},
		{"other transport", func(b *bed) { b.handler["transport"] = object{"protocol": "fastcgi"} }, "only http is"},
		{"no such record writer", func(b *bed) { b.handler["record"] = object{"output": "pigeon"} }, "pigeon"},
		{"record file in a missing place", func(b *bed) {
			b.file("occupied", "")
			b.handler["record"] = object{"output": "file", "filename": filepath.Join(b.dir, "occupied", "x.jsonl")}
		}, "record: "},
		{"plaintext upstream", func(b *bed) { b.handler["upstream"] = "http://store.example.org" }, "insecure_upstream"},
		{"plaintext upstream, asked for", func(b *bed) {
			b.handler["upstream"], b.handler["insecure_upstream"] = "http://store.example.org", true
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			tt.set(b)
			b.config["admin"] = object{"disabled": true}
			data, err := json.Marshal(b.config)
			if err != nil {
				t.Fatal(err)
			}
			var config caddy.Config
			if err := json.Unmarshal(data, &config); err != nil {
				t.Fatal(err)
			}
			err = caddy.Validate(&config)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error containing %q", err, tt.want)
			}
			if n := len(b.store.got()); n != 0 {
				t.Errorf("the store was asked %d times", n)
			}
		})
	}
}

// TestCleanupOfNothing: Caddy cleans up what Provision could not finish.
func TestCleanupOfNothing(t *testing.T) {
	t.Parallel()
	if err := new(Handler).Cleanup(); err != nil {
		t.Error(err)
	}
}
