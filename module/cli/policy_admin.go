package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
)

// Bounds of what the admin API is asked. Putting a policy into force can take its own
// tests and a replay.
const (
	adminTimeout = 5 * time.Minute
	maxAnswer    = 64 << 20 // bytes
)

// adminFlags say which gateway to talk to.
type adminFlags struct{ address string }

func (f *adminFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "address", caddy.DefaultAdminListen, "admin API of the gateway: host:port, or unix//path")
}

// do calls the admin API and reads its answer into into, which may be nil. What a
// gateway refuses is a finding.
func (f *adminFlags) do(ctx context.Context, method, path string, body, into any) error {
	at, err := caddy.ParseNetworkAddress(f.address)
	if err != nil || at.PortRangeSize() > 1 {
		return usagef("--address %s: want host:port, or unix//path", f.address)
	}
	origin := "http://" + at.JoinHostPort(0)
	if at.IsUnixNetwork() {
		origin = "http://127.0.0.1" // a socket has no name of its own
	}
	var content io.Reader
	if body != nil {
		document, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(document)
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, origin+path, content)
	if err != nil {
		return err
	}
	if !at.IsUnixNetwork() { // a socket is not an origin that is checked
		req.Header.Set("Origin", origin)
	}
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, at.Network, at.JoinHostPort(0))
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req) //nolint:gosec // the operator names the address
	if err != nil {
		return fmt.Errorf("no gateway answers at %s: %w", f.address, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer of the gateway: %w", err)
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s has no Sealgate, or one without %s", f.address, path)
	case resp.StatusCode >= http.StatusBadRequest:
		return refusal(resp.StatusCode, answer)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("reading the answer of the gateway: %w", err)
	}
	return nil
}

// refusal is what the admin API says no with: {"error": "..."}.
func refusal(status int, answer []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	err := fmt.Errorf("the gateway answers with status %d", status)
	if json.Unmarshal(answer, &said) == nil && said.Error != "" {
		err = errors.New(printable(said.Error))
	}
	if status >= http.StatusInternalServerError {
		return err
	}
	return finding(err)
}
