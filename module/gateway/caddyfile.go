package gateway

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("s3_encryption", parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective("s3_encryption", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("s3_encryption", httpcaddyfile.Before, "reverse_proxy")
}

func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return handler, nil
}

// parseGlobalOption parses the s3_encryption global option. Syntax:
//
//	s3_encryption {
//	    keyring <name> <driver> <arguments...> {
//	        ...
//	    }
//	    sweep_uploads <duration>
//	}
//
// Every keyring has a name, which the posture refers to, and a driver, which has
// the arguments and the block.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // consume option name
	if existing != nil {
		return nil, d.Err("s3_encryption is already specified")
	}
	if d.NextArg() {
		return nil, d.ArgErr()
	}
	app := new(App)
	for d.NextBlock(0) {
		switch d.Val() {
		case "keyring":
			if err := app.unmarshalKeyring(d); err != nil {
				return nil, err
			}
		case "sweep_uploads":
			if err := app.unmarshalSweep(d); err != nil {
				return nil, err
			}
		default:
			return nil, d.Errf("unrecognized option '%s'", d.Val())
		}
	}
	return httpcaddyfile.App{Name: "s3_encryption", Value: caddyconfig.JSON(app, nil)}, nil
}

func (a *App) unmarshalSweep(d *caddyfile.Dispenser) error {
	if a.SweepUploads != 0 {
		return d.Err("sweep_uploads is already specified")
	}
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	every, err := caddy.ParseDuration(text)
	if err != nil || every <= 0 {
		return d.Errf("sweep_uploads '%s' is not a positive duration", text)
	}
	a.SweepUploads = caddy.Duration(every)
	return nil
}

func (a *App) unmarshalKeyring(d *caddyfile.Dispenser) error {
	var name, driver string
	if !d.Args(&name, &driver) {
		return d.ArgErr()
	}
	if _, ok := a.KeyringsRaw[name]; ok {
		return d.Errf("keyring '%s' is already specified", name)
	}
	id := keyringNamespace + "." + driver
	if _, err := caddy.GetModule(id); err != nil {
		return d.Errf("keyring driver '%s' is not in this build", driver)
	}
	guest, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	if a.KeyringsRaw == nil {
		a.KeyringsRaw = make(map[string]json.RawMessage)
	}
	a.KeyringsRaw[name] = caddyconfig.JSONModuleObject(guest, driverKey, driver, nil)
	return nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	s3_encryption [<matcher>] <upstream> {
//	    region            <region>
//	    domain            <names...>
//	    addressing        path|virtual
//	    credentials       default
//	    credentials       static <access key> {env.NAME}|{file./path}
//	    credentials       client
//	    clients           <clients.yaml>
//	    policy            <directory>
//	    policy bundle     <url> {
//	        ...
//	    }
//	    gate {
//	        ...
//	    }
//	    posture           <posture.yaml>
//	    verify            required|if_reported|off
//	    payload_check     gateway|store
//	    sealed_checksum   auto|crc64nvme|none
//	    record            [<log writer>|http <url>] {
//	        input         denied|all|none
//	        hash          <values...>
//	        hash_key      {env.NAME}|{file./path}
//	        queue         <records> [<size>]
//	        drain         <duration>
//	        ...
//	    }
//	    transport http {
//	        ...
//	    }
//	    insecure_upstream
//	}
//
// record may be there several times. It takes a log writer as the output option of
// Caddy's log directive does: stdout, stderr, discard, file, net; without one, records
// go to their logger. The options shown are those of every record directive, the
// others are the writer's. record http sends OPA's decision logs to a service, and has
// these options:
//
//	record http <url> {
//	    bearer_token  {env.NAME}|{file./path}
//	    label         <name> <value>
//	    batch         <records> [<size>]
//	    batch_wait    <duration>
//	    timeout       <duration>
//	    give_up       <duration>
//	    insecure
//	    transport http {
//	        ...
//	    }
//	}
//
// policy bundle takes the site's Rego as a signed OPA bundle, and has these options:
//
//	policy bundle <url> {
//	    verification_key <file> [<id> [<algorithm>]]
//	    key_id           <id>
//	    scope            <scope>
//	    token            {env.NAME}|{file./path}
//	    trusted_ca       <file>
//	    interval         <duration>
//	    timeout          <duration>
//	    persist          <directory>
//	    max_staleness    <duration>
//	    when_stale       deny_writes|deny|serve
//	    size_limit       <size>
//	    allow_unsigned
//	}
//
// verification_key may be there several times. gate says what a changed policy or
// posture has to pass:
//
//	gate {
//	    lint             on|off
//	    tests            on|off
//	    canaries         <file>
//	    replay           <requests>|off
//	    tightening       replay|skip
//	    budget {
//	        deny_to_allow   <share>
//	        weaker          <share>
//	        allow_to_deny   <share>
//	        faults          <share>
//	        not_replayable  <share>
//	    }
//	}
//
// A share is a number from 0 to 1 or a percentage.
//
// Sizes are bytes, or have the unit KiB, MiB or GiB. transport takes what it takes in
// Caddy's reverse_proxy, except compression and proxy_protocol.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if !d.AllArgs(&h.Upstream) {
		return d.ArgErr()
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		if seen[name] && name != "record" {
			return d.Errf("%s is already specified", name)
		}
		seen[name] = true
		if err := h.unmarshalSubdirective(d, name); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) unmarshalSubdirective(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "region":
		return oneArg(d, &h.Region)
	case "clients":
		return oneArg(d, &h.Clients)
	case "policy":
		return h.unmarshalPolicy(d)
	case "gate":
		return h.unmarshalGate(d)
	case "posture":
		return oneArg(d, &h.Posture)
	case "addressing":
		return oneWord(d, &h.Addressing, addressingWords)
	case "verify":
		return oneWord(d, &h.Verify, verifyWords)
	case "payload_check":
		return oneWord(d, &h.PayloadCheck, payloadCheckWords)
	case "sealed_checksum":
		return oneWord(d, &h.SealedChecksum, sealedChecksumWords)
	case "domain":
		if h.Domain = d.RemainingArgs(); len(h.Domain) == 0 {
			return d.ArgErr()
		}
		return nil
	case "insecure_upstream":
		if d.NextArg() {
			return d.ArgErr()
		}
		h.InsecureUpstream = true
		return nil
	case "credentials":
		return h.unmarshalCredentials(d)
	case "transport":
		return h.unmarshalTransport(d)
	case "record":
		return h.unmarshalRecord(d)
	default:
		return d.Errf("unrecognized subdirective '%s'", name)
	}
}

// oneArg reads exactly one argument.
func oneArg(d *caddyfile.Dispenser, target *string) error {
	if !d.AllArgs(target) {
		return d.ArgErr()
	}
	return nil
}

// oneWord reads exactly one argument that is one of words, or a placeholder
// that will be.
func oneWord(d *caddyfile.Dispenser, target *string, words []string) error {
	name := d.Val()
	if err := oneArg(d, target); err != nil {
		return err
	}
	if !strings.Contains(*target, "{") && !slices.Contains(words, *target) {
		return d.Errf("%s '%s' is none of %s", name, *target, strings.Join(words, ", "))
	}
	return nil
}

func (h *Handler) unmarshalCredentials(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	// From here on errors do not quote the arguments: one may be a secret.
	h.Credentials = &Credentials{Source: args[0]}
	switch args[0] {
	case credentialsDefault, credentialsClient:
		if len(args) != 1 {
			return d.Errf("credentials %s takes nothing more", args[0])
		}
	case credentialsStatic:
		if len(args) != 3 {
			return d.Err("credentials static takes an access key and a secret placeholder")
		}
		if !placeholder.MatchString(args[2]) {
			return d.WrapErr(errLiteralSecret)
		}
		h.Credentials.AccessKey, h.Credentials.Secret = args[1], args[2]
	default:
		return d.Errf("credentials is none of %s", strings.Join(credentialsWords, ", "))
	}
	return nil
}

func (h *Handler) unmarshalTransport(d *caddyfile.Dispenser) (err error) {
	h.TransportRaw, err = transportGuest(d)
	return err
}

// transportGuest reads the transport of one subdirective.
func transportGuest(d *caddyfile.Dispenser) (json.RawMessage, error) {
	if !d.NextArg() {
		return nil, d.ArgErr()
	}
	if d.Val() != "http" {
		return nil, d.Errf("transport '%s' is not available; only http is", d.Val())
	}
	segment := d.NextSegment()
	if err := checkTransportOptions(segment); err != nil {
		return nil, err
	}
	transport := new(reverseproxy.HTTPTransport)
	if err := transport.UnmarshalCaddyfile(caddyfile.NewDispenser(segment)); err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(transport, "protocol", "http", nil), nil
}

// checkTransportOptions refuses options that the gateway cannot have, at their
// own line. Caddy reads "compression on" as no setting at all, so that one shows
// here only.
func checkTransportOptions(segment caddyfile.Segment) error {
	for scan := caddyfile.NewDispenser(segment); scan.Next(); {
		switch scan.Val() {
		case "compression":
			if !scan.NextArg() || scan.Val() != "off" {
				return scan.WrapErr(errCompression)
			}
		case "proxy_protocol":
			return scan.WrapErr(errProxyProtocol)
		}
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Handler)(nil)
