package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/engine"
)

// collector takes decision logs over TLS.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	headers []http.Header
	bodies  []byte // decompressed, one after the other
	events  []object
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	c.Server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		var body bytes.Buffer
		var events []object
		if _, err := body.ReadFrom(z); err != nil || json.Unmarshal(body.Bytes(), &events) != nil {
			t.Errorf("%s: %v", body.Bytes(), err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.headers, c.bodies, c.events = append(c.headers, r.Header), append(c.bodies, body.Bytes()...), append(c.events, events...)
	}))
	t.Cleanup(c.Close)
	return c
}

// trust is a transport that trusts the collector's certificate.
func (c *collector) trust(b *bed) object {
	file := b.file("collector.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})))
	return object{"protocol": "http", "tls": object{"ca": object{"provider": "file", "pem_files": []string{file}}}}
}

func recordFile(b *bed, name string) (string, object) {
	path := filepath.Join(b.dir, name)
	return path, object{"output": "file", "filename": path, "roll_size_mb": 1}
}

// Every sink gets every record, in its own form, with what it may see of it, and no
// secret. What an attacker puts into names makes no lines of its own.
func TestRecordSinks(t *testing.T) {
	b, c := newBed(t), newCollector(t)
	plain, plainWriter := recordFile(b, "plain.jsonl")
	hidden, hiddenWriter := recordFile(b, "hidden.jsonl")
	b.handler["record"] = []object{
		{"writer": plainWriter, "input": "none"},
		{"writer": hiddenWriter, "input": "all", "hash": []string{"key", "principal", "source_ip"}, "hash_key": "{file." + b.file("hash.key", "a-key-for-hashes-0123456789\n") + "}"},
		{},
		{"collector": object{
			"url": c.URL + "/opa", "bearer_token": "{file." + b.file("token", "the-token-of-the-collector\n") + "}",
			"labels": object{"id": "gateway-1"}, "transport": c.trust(b),
		}, "input": "all"},
	}
	b.start()
	client := b.client()
	const forged = "a\n{\"id\":\"FORGED\",\"outcome\":\"ok\"}\r\n\x01\u2028b"
	for _, key := range []string{"dir/Very-Secret-Name.pdf", forged} {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: &key, Body: strings.NewReader("hello")}); err != nil {
			t.Fatal(err)
		}
	}
	presign, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("dir/Very-Secret-Name.pdf")})
	if err != nil {
		t.Fatal(err)
	}
	presigned := strings.TrimPrefix(presign.URL, b.url)
	b.send(http.MethodGet, presigned, nil)
	b.send(http.MethodGet, "/photos/not%FFutf8%0A", http.Header{
		"X-Amz-Server-Side-Encryption-Customer-Key": {"c2Vuc2l0aXZlLWN1c3RvbWVyLWtleQ=="}, "X-Amz-Security-Token": {"sensitive-token"},
		"User-Agent": {"a \"quoted\" agent"},
	})
	byLogger, log := b.logs()

	texts := map[string]string{"collector": string(c.bodies), "log": log}
	files := make(map[string][]object)
	for _, path := range []string{plain, hidden} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		texts[filepath.Base(path)], files[filepath.Base(path)] = string(text), jsonLines(t, text)
	}
	signature := presigned[strings.Index(presigned, "X-Amz-Signature=")+len("X-Amz-Signature="):]
	for name, text := range texts {
		for _, secret := range []string{
			signature, "c2Vuc2l0aXZl", "sensitive-token", clientSecret, "the-gateways-own-secret", "AWS4-HMAC-SHA256 Credential",
			"a-key-for-hashes", "the-token-of-the-collector",
		} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q", name, secret)
			}
		}
	}
	ids := func(records []object, member string) (list []string) {
		for _, r := range records {
			list = append(list, fmt.Sprint(r[member]))
		}
		return list
	}
	want := ids(byLogger["s3_encryption.decision"], "id")
	if len(want) < 4 || slices.Contains(want, "FORGED") {
		t.Fatalf("records of %q:\n%s", want, log)
	}
	for name, got := range map[string][]string{
		"plain": ids(files["plain.jsonl"], "id"), "hidden": ids(files["hidden.jsonl"], "id"), "collector": ids(c.events, "decision_id"),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s has records of %q, the log of %q", name, got, want)
		}
	}
	for _, secret := range []string{"Very-Secret", `"app"`, "127.0.0.1\"", "FORGED"} {
		if strings.Contains(texts["hidden.jsonl"], secret) {
			t.Errorf("the file with hashes shows %q:\n%s", secret, texts["hidden.jsonl"])
		}
	}
	schema := recordSchema(t)
	for name, records := range files {
		for _, r := range records {
			if err := schema.Validate(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for i, r := range files["hidden.jsonl"] {
		open, event := files["plain.jsonl"][i], c.events[i]
		if open["input"] != nil || (r["input"] == nil) != (event["input"] == nil) || open["hashed"] != nil {
			t.Errorf("record %v: inputs are not where they should be", r["id"])
		}
		if r["input"] != nil && at(r, "resource", "key") != at(r, "input", "resource", "key") {
			t.Errorf("equal keys have other hashes: %v", r)
		}
		if at(event, "labels", "id") != "gateway-1" || at(event, "labels", "app") != "sealgate" || at(event, "labels", "version") == nil {
			t.Errorf("labels %v", event["labels"])
		}
		if err := schema.Validate(at(event, "custom", "record")); err != nil {
			t.Errorf("collector: %v", err)
		}
	}
	if at(files["plain.jsonl"][1], "resource", "key") != forged {
		t.Errorf("the forged key was recorded as %q", at(files["plain.jsonl"][1], "resource", "key"))
	}
	for _, h := range c.headers {
		if h.Get("Authorization") != "Bearer the-token-of-the-collector" {
			t.Errorf("authorization %q", h.Get("Authorization"))
		}
	}
}

func recordSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(engine.RecordSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("record.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("record.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// A collector that hangs costs requests nothing: records are dropped, and that shows
// in metrics, status and log. The configuration ends in time.
func TestRecordsDropped(t *testing.T) {
	b := newBed(t)
	entered, release := make(chan struct{}, 100), make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	}))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(release) })
	path, writer := recordFile(b, "records.jsonl")
	b.handler["record"] = []object{
		{"collector": object{"url": hangs.URL, "batch_records": 1}, "queue_records": 2, "drain": "10ms"},
		{"writer": writer},
	}
	b.config["apps"] = object{"http": httpApp(object{"routes": []object{
		{"match": []object{{"path": []string{"/-/metrics"}}}, "handle": []object{{"handler": "metrics"}}},
		{"handle": []object{b.handler}},
	}})}
	b.start()
	b.send(http.MethodGet, "/photos/k", nil)
	<-entered // the first record is on its way and will never arrive
	for range 9 {
		b.send(http.MethodGet, "/photos/k", nil)
	}
	_, text := b.send(http.MethodGet, "/-/metrics", nil)
	contains(t, text, `sealgate_records_dropped_total{sink="http"} 7`, `sealgate_records_dropped_total{sink="file"} 0`, `sealgate_records_queued{sink="http"} 2`)
	status := recordStatus(b.app().records.all())
	if len(status) != 2 || status[0].Sink != "http" || status[0].Place != hangs.URL || status[0].Dropped != 7 || status[0].Capacity != 2 || status[1].Place != path {
		t.Errorf("status %+v", status)
	}
	byLogger, log := b.logs()
	told := 0.
	for _, line := range byLogger["http.handlers.s3_encryption"] {
		if line["msg"] == "decision records dropped" {
			told += line["dropped"].(float64)
		}
	}
	if told != 10 {
		t.Errorf("the log tells of %v records, want 10:\n%s", told, log)
	}
	written, err := os.ReadFile(path)
	if err != nil || len(jsonLines(t, written)) != 10 {
		t.Errorf("the file has\n%s\n%v", written, err)
	}
}

// validate provisions a bed's configuration and starts nothing.
func validate(t *testing.T, b *bed) error {
	t.Helper()
	b.config["admin"] = object{"disabled": true}
	data, err := json.Marshal(b.config)
	if err != nil {
		t.Fatal(err)
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(data, config); err != nil {
		t.Fatal(err)
	}
	delete(b.config, "admin")
	return caddy.Validate(config)
}

// What is wrong with the record field is told when the configuration is loaded, and
// without the secret somebody wrote where its placeholder belongs.
func TestRecordErrors(t *testing.T) {
	t.Setenv("GATEWAY_TEST_EMPTY", "")
	t.Setenv("GATEWAY_TEST_SHORT", "0123456789")
	const secret = "a-literal-secret-of-some-length"
	collector := func(fields object) object {
		all := object{"url": "https://collector.example.net"}
		maps.Copy(all, fields)
		return object{"collector": all}
	}
	for name, tt := range map[string]struct {
		sink any
		want string
	}{
		"nothing but a list":        {object{}, ""},
		"unknown member":            {object{"colour": "red"}, "colour"},
		"two in one":                {object{"writer": object{"output": "stdout"}, "collector": object{"url": "https://c.example"}}, "not both"},
		"unknown writer":            {object{"writer": object{"output": "pigeon"}}, "pigeon"},
		"unknown input":             {object{"input": "some"}, `"some" is none of`},
		"unknown value to hash":     {object{"hash": []string{"colour"}}, `"colour" is neither`},
		"hash key without hash":     {object{"hash_key": "{env.GATEWAY_TEST_SHORT}"}, "hash_key without hash"},
		"literal hash key":          {object{"hash": []string{"key"}, "hash_key": secret}, "must be a placeholder"},
		"empty hash key":            {object{"hash": []string{"key"}, "hash_key": "{env.GATEWAY_TEST_EMPTY}"}, "is empty"},
		"short hash key":            {object{"hash": []string{"key"}, "hash_key": "{env.GATEWAY_TEST_SHORT}"}, "at least 16"},
		"random hash key":           {object{"hash": []string{"key"}}, ""},
		"negative queue":            {object{"queue_records": -1}, "must not be negative"},
		"collector":                 {collector(nil), ""},
		"no URL":                    {collector(object{"url": ""}), "no URL set"},
		"no http URL":               {collector(object{"url": "ftp://c.example/" + secret}), "not an http"},
		"plaintext":                 {collector(object{"url": "http://c.example"}), "in plaintext"},
		"plaintext, asked for":      {collector(object{"url": "http://c.example", "insecure": true}), ""},
		"a password in the URL":     {collector(object{"url": "https://u:" + secret + "@c.example"}), "use bearer_token"},
		"a token in the URL":        {collector(object{"url": "https://c.example?token=" + secret}), "a query"},
		"literal token":             {collector(object{"bearer_token": secret}), "must be a placeholder"},
		"empty token":               {collector(object{"bearer_token": "{env.GATEWAY_TEST_EMPTY}"}), "is empty"},
		"no token file":             {collector(object{"bearer_token": "{file./does/not/exist}"}), "bearer_token"},
		"negative batch":            {collector(object{"batch_records": -1}), "must not be negative"},
		"other transport":           {collector(object{"transport": object{"protocol": "fastcgi"}}), "only http is"},
		"unknown collector setting": {collector(object{"colour": "red"}), "colour"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.handler["record"] = []any{tt.sink}
			err := validate(t, b)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// Validating a configuration does not touch the end of a file that a running gateway
// may be writing.
func TestValidateLeavesRecordsAlone(t *testing.T) {
	b := newBed(t)
	path, writer := recordFile(b, "records.jsonl")
	const torn = "{\"id\":\"A\"}\n{\"id\":\"B"
	b.file("records.jsonl", torn)
	b.handler["record"] = []object{{"writer": writer}}
	if err := validate(t, b); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != torn {
		t.Errorf("the file is %q, %v", text, err)
	}
	b.start()
	b.send(http.MethodGet, "/photos/k", nil)
	b.logs()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := jsonLines(t, text); len(lines) != 2 || lines[0]["id"] != "A" || lines[1]["outcome"] != "refused" && lines[1]["outcome"] != "denied" {
		t.Errorf("the file is\n%s", text)
	}
}
