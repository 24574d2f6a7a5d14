package awskms

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the keyring from Caddyfile tokens, of which the
// first is the driver's name. Syntax:
//
//	aws_kms <key ARN> {
//	    old         <key ARNs...>
//	    region      <region>
//	    endpoint    <URL>
//	    timeout     <duration>
//	    credentials default
//	    credentials static <access key> {env.NAME}|{file./path}
//	    reuse {
//	        max_age     <duration>
//	        max_objects <number>
//	    }
//	}
//
// reuse alone, without a block, turns it on with its defaults.
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume driver name
	if !d.AllArgs(&m.Key) {
		return d.ArgErr()
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("%s is already specified", name)
		}
		seen[name] = true
		if err := m.unmarshalOption(d, name); err != nil {
			return err
		}
	}
	return nil
}

func (m *Module) unmarshalOption(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "old":
		if m.Old = d.RemainingArgs(); len(m.Old) == 0 {
			return d.ArgErr()
		}
		return nil
	case "region":
		return oneArg(d, &m.Region)
	case "endpoint":
		return oneArg(d, &m.Endpoint)
	case "timeout":
		return oneDuration(d, &m.Timeout)
	case "credentials":
		return m.unmarshalCredentials(d)
	case "reuse":
		return m.unmarshalReuse(d)
	default:
		return d.Errf("unrecognized option '%s'", name)
	}
}

func (m *Module) unmarshalCredentials(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	// From here on errors do not quote the arguments: one may be a secret.
	m.Credentials = &CredentialsConfig{Source: args[0]}
	switch args[0] {
	case credentialsDefault:
		if len(args) != 1 {
			return d.Err("credentials default takes nothing more")
		}
	case credentialsStatic:
		if len(args) != 3 {
			return d.Err("credentials static takes an access key and a secret placeholder")
		}
		if !placeholder.MatchString(args[2]) {
			return d.WrapErr(errLiteralSecret)
		}
		m.Credentials.AccessKey, m.Credentials.Secret = args[1], args[2]
	default:
		return d.Err("credentials is neither default nor static")
	}
	return nil
}

func (m *Module) unmarshalReuse(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	m.Reuse = new(ReuseConfig)
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("%s is already specified", name)
		}
		seen[name] = true
		switch name {
		case "max_age":
			if err := oneDuration(d, &m.Reuse.MaxAge); err != nil {
				return err
			}
		case "max_objects":
			var text string
			if err := oneArg(d, &text); err != nil {
				return err
			}
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return d.Errf("max_objects '%s' is not a positive number", text)
			}
			m.Reuse.MaxObjects = n
		default:
			return d.Errf("unrecognized option '%s'", name)
		}
	}
	return nil
}

// oneArg reads exactly one argument.
func oneArg(d *caddyfile.Dispenser, target *string) error {
	if !d.AllArgs(target) {
		return d.ArgErr()
	}
	return nil
}

// oneDuration reads exactly one argument that is a positive duration.
func oneDuration(d *caddyfile.Dispenser, target *caddy.Duration) error {
	name := d.Val()
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	duration, err := caddy.ParseDuration(text)
	if err != nil || duration <= 0 {
		return d.Errf("%s '%s' is not a positive duration", name, text)
	}
	*target = caddy.Duration(duration)
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Module)(nil)
