package servers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Gateway says how to run the gateway.
type Gateway struct {
	// Binary is its path, see BuildGateway.
	Binary string
	// Authority issues its certificate, also for the Domain and any bucket of it.
	Authority *Authority
	// Caddyfile is the configuration. The environment below can be used in it as
	// {$NAME}. If empty, DefaultCaddyfile.
	Caddyfile string
	// Files are written beside the Caddyfile, with mode 0600; names may have
	// folders. "clients.yaml" and "posture.yaml" are what DefaultCaddyfile wants.
	Files map[string]string
	// Upstream is the store's endpoint, UPSTREAM in the environment; AccessKey and
	// SecretKey the pair it is spoken to with.
	Upstream, AccessKey, SecretKey string
	// Options are further lines of the handler in DefaultCaddyfile.
	Options string
	// Globals are further lines of the global options in DefaultCaddyfile.
	Globals string
	// Env is added to the environment, as NAME=value.
	Env []string
}

// Domain is the base name for virtual-host style of every gateway started here.
const Domain = "s3.localhost"

// DefaultCaddyfile serves one store over TLS and over plain HTTP. Decision
// records go to a file of their own, one JSON object a line.
const DefaultCaddyfile = `{
	admin unix/{$DIR}/admin.sock
	auto_https off
	servers {
		protocols h1 h2
	}
	log default {
		exclude s3_encryption.decision
		format json
	}
	log decisions {
		include s3_encryption.decision
		output file {$DIR}/decisions.json {
			roll_disabled
		}
		format json
	}
}

(gateway) {
	bind 127.0.0.1
	s3_encryption {$UPSTREAM} {
		region {$REGION}
		domain {$DOMAIN}
		credentials static {$UPSTREAM_ACCESS_KEY} {env.UPSTREAM_SECRET_KEY}
		clients {$DIR}/clients.yaml
		posture {$DIR}/posture.yaml
		%s
	}
}

https://:{$PORT} {
	tls {$CERT} {$KEY}
	import gateway
}

http://:{$PLAIN_PORT} {
	import gateway
}
`

// RunningGateway is a gateway that serves. Close ends it.
type RunningGateway struct {
	// Endpoint is its base URL over TLS, PlainEndpoint without.
	Endpoint, PlainEndpoint string
	// Dir is its folder: Caddyfile, the Files, its log.
	Dir string
	// Process is the child; its Output is worth printing when a test fails.
	Process *Process
}

// Start runs the gateway until it is closed.
func (g Gateway) Start(ctx context.Context) (*RunningGateway, error) {
	dir, err := os.MkdirTemp("", "sealgate-gateway-")
	if err != nil {
		return nil, err
	}
	running, err := g.start(ctx, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return running, nil
}

func (g Gateway) start(ctx context.Context, dir string) (*RunningGateway, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	plain, err := freePort()
	if err != nil {
		return nil, err
	}
	running := &RunningGateway{
		Endpoint:      "https://127.0.0.1:" + strconv.Itoa(port),
		PlainEndpoint: "http://127.0.0.1:" + strconv.Itoa(plain),
		Dir:           dir,
	}
	if err := g.write(dir); err != nil {
		return nil, err
	}
	cert, err := g.Authority.Issue("gateway-"+strconv.Itoa(port), Domain, "*."+Domain)
	if err != nil {
		return nil, err
	}
	env := append([]string{
		"PATH=/usr/bin:/bin", "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir,
		"DIR=" + dir, "PORT=" + strconv.Itoa(port), "PLAIN_PORT=" + strconv.Itoa(plain),
		"CERT=" + cert.CertFile, "KEY=" + cert.KeyFile, "AUTHORITY=" + g.Authority.File,
		"REGION=" + Region, "DOMAIN=" + Domain, "UPSTREAM=" + g.Upstream,
		"UPSTREAM_ACCESS_KEY=" + g.AccessKey, "UPSTREAM_SECRET_KEY=" + g.SecretKey,
	}, g.Env...)
	transport := g.Authority.Transport()
	defer transport.CloseIdleConnections()
	running.Process, err = start(ctx, command{
		path: g.Binary, args: []string{"run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile"},
		env: env, dir: dir,
		ready: answers(transport, running.Endpoint+"/", anyReply),
	})
	return running, err
}

func (g Gateway) write(dir string) error {
	caddyfile := g.Caddyfile
	if caddyfile == "" {
		options := g.Options
		if strings.HasPrefix(g.Upstream, "https:") {
			options += "\n\t\ttransport http {\n\t\t\ttls_trust_pool file {$AUTHORITY}\n\t\t}"
		}
		caddyfile = "{\n\t" + g.Globals + strings.TrimPrefix(fmt.Sprintf(DefaultCaddyfile, options), "{")
	}
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(caddyfile), 0o600); err != nil {
		return err
	}
	for name, content := range g.Files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the gateway and removes its folder.
func (g *RunningGateway) Close() {
	g.Process.Stop()
	_ = os.RemoveAll(g.Dir)
}

// Rewrite replaces one of the gateway's files at once, as an operator's tools do.
func (g *RunningGateway) Rewrite(name, content string) error {
	path := filepath.Join(g.Dir, name)
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// ErrNoRecord is returned where a request left no decision record.
var ErrNoRecord = errors.New("no decision record")

// Decision waits for the decision record of one request, by the id that the
// client saw as x-amz-request-id. Records are written as requests end, so a
// client may well be ahead of them.
func (g *RunningGateway) Decision(ctx context.Context, id string) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		record, err := g.find(id)
		if err == nil || !errors.Is(err, ErrNoRecord) {
			return record, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// Decisions returns the decision records written so far, as one line of JSON each.
func (g *RunningGateway) Decisions() ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(g.Dir, "decisions.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (g *RunningGateway) find(id string) (map[string]any, error) {
	data, err := g.Decisions()
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(bytes.NewReader(data))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // what has no line end is still being written
			return nil, fmt.Errorf("request %q: %w", id, ErrNoRecord)
		}
		if err != nil {
			return nil, err
		}
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("decision record %q: %w", line, err)
		}
		if record["id"] == id {
			return record, nil
		}
	}
}

// Get asks the gateway's admin socket for a path, such as /s3_encryption/status.
func (g *RunningGateway) Get(ctx context.Context, path string) ([]byte, error) {
	return g.admin(ctx, http.MethodGet, path, nil)
}

// Post sends a body to the gateway's admin socket.
func (g *RunningGateway) Post(ctx context.Context, path string, body io.Reader) ([]byte, error) {
	return g.admin(ctx, http.MethodPost, path, body)
}
