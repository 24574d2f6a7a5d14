// Command sealgate is Caddy with Sealgate: an S3 gateway that enforces
// encryption policy. It has Caddy's commands (run, reload, validate, ...) and
// Sealgate's own on the top level.
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/sealgate/sealgate/module"
	"github.com/sealgate/sealgate/module/cli"
)

func main() {
	caddy.CustomBinaryName = cli.BinaryName
	caddy.CustomLongDescription = description
	cli.RegisterVerbs()
	caddycmd.Main()
}

const description = `Sealgate stands in front of an S3 endpoint and makes sure that every object is
encrypted the way your policy says. It is a Caddy build: it takes a Caddyfile,
and Caddy's commands work unchanged.

	$ sealgate client add --file clients.yaml --principal billing
	$ sealgate validate --config Caddyfile
	$ sealgate run --config Caddyfile`
