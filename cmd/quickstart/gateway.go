package main

import (
	"context"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/sealgate/sealgate/module/gateway"
)

// envCaddyfile names the Caddyfile in the environment of the gateway's process; the
// variables the Caddyfile itself uses are there too.
const envCaddyfile = "QUICKSTART_CADDYFILE"

// serveGateway runs Caddy with the Caddyfile in the environment.
func serveGateway(ctx context.Context, ready func()) error {
	path := os.Getenv(envCaddyfile)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	adapter := caddyconfig.GetAdapter("caddyfile")
	config, _, err := adapter.Adapt(text, map[string]any{"filename": path})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	if err := caddy.Load(config, true); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	ready()
	<-ctx.Done()
	if err := caddy.Stop(); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return nil
}
