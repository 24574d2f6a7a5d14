package vault

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the keyring from Caddyfile tokens, of which the
// first is the driver's name. Syntax:
//
//	vault {
//	    address    <URL>
//	    mount      <path>
//	    key        <name>
//	    id         <text>
//	    namespace  <name>
//	    timeout    <duration>
//	    tls_ca     <PEM file>
//	    token      {env.NAME}|{file./path}
//	    token_file <path>
//	    approle {
//	        mount          <path>
//	        role_id        <id>
//	        secret_id_file <path>
//	    }
//	}
//
// One of token, token_file and approle says how to log in.
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume driver name
	if d.NextArg() {
		return d.ArgErr()
	}
	login := ""
	return block(d, func(name string) error {
		switch name {
		case "token", "token_file", "approle":
			if login != "" {
				return d.Errf("%s and %s exclude each other", login, name)
			}
			login = name
		}
		return m.unmarshalOption(d, name)
	})
}

func (m *Module) unmarshalOption(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "address":
		return oneArg(d, &m.Address)
	case "mount":
		return oneArg(d, &m.Mount)
	case "key":
		return oneArg(d, &m.Key)
	case "id":
		return oneArg(d, &m.ID)
	case "namespace":
		return oneArg(d, &m.Namespace)
	case "timeout":
		return oneDuration(d, &m.Timeout)
	case "tls_ca":
		return oneArg(d, &m.TLSCA)
	case "token":
		if err := oneArg(d, &m.Token); err != nil {
			return err
		}
		if !placeholder.MatchString(m.Token) {
			return d.WrapErr(errLiteralToken)
		}
		return nil
	case "token_file":
		return oneArg(d, &m.TokenFile)
	case "approle":
		return m.unmarshalAppRole(d)
	default:
		return d.Errf("unrecognized option '%s'", name)
	}
}

func (m *Module) unmarshalAppRole(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	m.AppRole = new(AppRoleConfig)
	return block(d, func(name string) error {
		switch name {
		case "mount":
			return oneArg(d, &m.AppRole.Mount)
		case "role_id":
			return oneArg(d, &m.AppRole.RoleID)
		case "secret_id_file":
			return oneArg(d, &m.AppRole.SecretIDFile)
		default:
			return d.Errf("unrecognized option '%s'", name)
		}
	})
}

// block reads a block in which each option may be once.
func block(d *caddyfile.Dispenser, option func(name string) error) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("%s is already specified", name)
		}
		seen[name] = true
		if err := option(name); err != nil {
			return err
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
