package gateway

import (
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

// recordFields writes a decision record as the members of a log entry. It says
// the same as the record's JSON form, which a test compares; going through that
// form would cost more than the rest of a small request.
type recordFields struct{ *engine.Record }

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (r recordFields) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddString("id", r.ID)
	e.AddString("time", r.Time.Format(time.RFC3339Nano))
	e.AddString("revision", r.Revision)
	members := []struct {
		name  string
		value zapcore.ObjectMarshalerFunc
	}{
		{"identity", r.identity},
		{"resource", r.resource},
		{"asked", encryption(r.Asked)},
		{"decided", encryption(r.Decided)},
		{"sent", encryption(r.Sent)},
		{"answered", r.answered},
		{"duration_us", r.durations},
		{"client", r.client},
	}
	e.AddString("operation", r.Operation)
	for _, m := range members {
		if err := e.AddObject(m.name, m.value); err != nil {
			return err
		}
	}
	e.AddString("outcome", string(r.Outcome))
	if err := e.AddArray("findings", findings(r.Findings)); err != nil {
		return err
	}
	addText(e, "cause", r.Cause)
	if r.Input != nil {
		if err := e.AddReflected("input", r.Input); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		name  string
		paths []string
	}{{"hashed", r.Hashed}, {"erased", r.Erased}} {
		if len(m.paths) > 0 {
			if err := e.AddArray(m.name, texts(m.paths)); err != nil {
				return err
			}
		}
	}
	if r.Keys == nil {
		return nil
	}
	return e.AddObject("keys", zapcore.ObjectMarshalerFunc(func(e zapcore.ObjectEncoder) error {
		e.AddInt("named", r.Keys.Named)
		e.AddInt("denied", r.Keys.Denied)
		return nil
	}))
}

func (r recordFields) identity(e zapcore.ObjectEncoder) error {
	e.AddString("auth_method", r.Identity.AuthMethod)
	e.AddString("access_key", r.Identity.AccessKey)
	e.AddString("principal", r.Identity.Principal)
	return e.AddArray("groups", texts(r.Identity.Groups))
}

func (r recordFields) resource(e zapcore.ObjectEncoder) error {
	e.AddString("bucket", r.Resource.Bucket)
	e.AddString("key", r.Resource.Key)
	e.AddString("version_id", r.Resource.VersionID)
	addText(e, "copy_source", r.Resource.CopySource)
	return nil
}

func (r recordFields) answered(e zapcore.ObjectEncoder) error {
	a := &r.Answered
	e.AddInt("status", a.Status)
	addText(e, "code", a.Code)
	addText(e, "mode", a.Mode)
	addText(e, "key_id", a.KeyID)
	addText(e, "version_id", a.VersionID)
	if a.UpstreamStatus != 0 {
		e.AddInt("upstream_status", a.UpstreamStatus)
	}
	addText(e, "upstream_request_id", a.UpstreamRequestID)
	e.AddInt64("bytes_in", a.BytesIn)
	e.AddInt64("bytes_out", a.BytesOut)
	return nil
}

func (r recordFields) durations(e zapcore.ObjectEncoder) error {
	e.AddInt64("total", r.Duration.Total)
	e.AddInt64("decision", r.Duration.Decision)
	e.AddInt64("upstream", r.Duration.Upstream)
	return nil
}

func (r recordFields) client(e zapcore.ObjectEncoder) error {
	c := &r.Client
	e.AddString("ip", c.IP)
	e.AddString("host", c.Host)
	e.AddString("method", c.Method)
	e.AddString("path", c.Path)
	e.AddString("proto", c.Proto)
	addText(e, "tls", c.TLS)
	e.AddString("user_agent", c.UserAgent)
	return nil
}

func encryption(c engine.RecordEncryption) zapcore.ObjectMarshalerFunc {
	return func(e zapcore.ObjectEncoder) error {
		e.AddString("mode", c.Mode)
		addText(e, "key_id", c.KeyID)
		addText(e, "keyring", c.Keyring)
		if len(c.Context) > 0 {
			if err := e.AddArray("context", texts(c.Context)); err != nil {
				return err
			}
		}
		if c.BucketKey != nil {
			e.AddBool("bucket_key", *c.BucketKey)
		}
		addText(e, "on_conflict", c.OnConflict)
		return nil
	}
}

// addText adds a member that is left out when empty.
func addText(e zapcore.ObjectEncoder, name, value string) {
	if value != "" {
		e.AddString(name, value)
	}
}

func texts(list []string) zapcore.ArrayMarshalerFunc {
	return func(a zapcore.ArrayEncoder) error {
		for _, v := range list {
			a.AppendString(v)
		}
		return nil
	}
}

func findings(list []policy.Finding) zapcore.ArrayMarshalerFunc {
	return func(a zapcore.ArrayEncoder) error {
		for _, f := range list {
			if err := a.AppendObject(zapcore.ObjectMarshalerFunc(func(e zapcore.ObjectEncoder) error {
				e.AddString("id", f.ID)
				e.AddString("msg", f.Message)
				e.AddString("path", f.Path)
				e.AddString("action", f.Action)
				e.AddString("waiver", f.Waiver)
				return nil
			})); err != nil {
				return err
			}
		}
		return nil
	}
}
