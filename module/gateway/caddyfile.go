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
		default:
			return nil, d.Errf("unrecognized option '%s'", d.Val())
		}
	}
	return httpcaddyfile.App{Name: "s3_encryption", Value: caddyconfig.JSON(app, nil)}, nil
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
//	    posture           <posture.yaml>
//	    verify            required|if_reported|off
//	    payload_check     gateway|store
//	    record            <log writer> {
//	        ...
//	    }
//	    transport http {
//	        ...
//	    }
//	    insecure_upstream
//	}
//
// record takes a log writer as the output option of Caddy's log directive does:
// stdout, stderr, discard, file, net. transport takes what it takes in Caddy's
// reverse_proxy, except compression and proxy_protocol.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if !d.AllArgs(&h.Upstream) {
		return d.ArgErr()
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		if seen[name] {
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
		return oneArg(d, &h.Policy)
	case "posture":
		return oneArg(d, &h.Posture)
	case "addressing":
		return oneWord(d, &h.Addressing, addressingWords)
	case "verify":
		return oneWord(d, &h.Verify, verifyWords)
	case "payload_check":
		return oneWord(d, &h.PayloadCheck, payloadCheckWords)
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

func (h *Handler) unmarshalTransport(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	if d.Val() != "http" {
		return d.Errf("transport '%s' is not available; only http is", d.Val())
	}
	segment := d.NextSegment()
	if err := checkTransportOptions(segment); err != nil {
		return err
	}
	transport := new(reverseproxy.HTTPTransport)
	if err := transport.UnmarshalCaddyfile(caddyfile.NewDispenser(segment)); err != nil {
		return err
	}
	h.TransportRaw = caddyconfig.JSONModuleObject(transport, "protocol", "http", nil)
	return nil
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

func (h *Handler) unmarshalRecord(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	var opener caddy.WriterOpener
	switch name { // these three cannot unmarshal themselves from a Caddyfile
	case "stdout":
		opener = caddy.StdoutWriter{}
	case "stderr":
		opener = caddy.StderrWriter{}
	case "discard":
		opener = caddy.DiscardWriter{}
	default:
		guest, err := caddyfile.UnmarshalModule(d, "caddy.logging.writers."+name)
		if err != nil {
			return err
		}
		var ok bool
		if opener, ok = guest.(caddy.WriterOpener); !ok {
			return d.Errf("record '%s' is not a log writer", name)
		}
	}
	h.RecordRaw = caddyconfig.JSONModuleObject(opener, "output", name, nil)
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Handler)(nil)
