package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// taggedRules has a finding for every piece of a key: its rule id.
const taggedRules = `package site.rules.tagged

deny contains {"id": id, "msg": "tagged"} if {
	some id in split(input.resource.key, ".")
	regex.match("^[A-Z]{3}-[0-9]{3}$", id)
}
`

func withRules(t *testing.T, text string) bedOption {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.rego"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(_ *Config, o *policy.Options) { o.SiteDir = dir }
}

const warningPosture = `version: 1
buckets:
  bucket:
    "": {mode: sse-kms, key_id: alias/k, on_conflict: replace}
    "audit.": {mode: sse-kms, key_id: alias/k, enforcement: audit, on_conflict: replace}
rules:
  WRN-001: {action: warn}
  WRN-002: {action: warn}
  AUD-001: {action: audit}
  OFF-001: {action: "off"}
exceptions:
  - {id: legacy, rules: [LEG-001], resources: ["bucket/*"], until: 2199-01-01, owner: o, ticket: t}
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["*"]}
`

func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, key string
		status      int
		header      string
		findings    string // id action waiver
	}{
		"nothing":           {http.MethodPut, "a", 200, "", ""},
		"warn":              {http.MethodPut, "WRN-001", 200, "WRN-001", "WRN-001 warn"},
		"two":               {http.MethodPut, "WRN-002.WRN-001", 200, "WRN-001, WRN-002", "WRN-001 warn,WRN-002 warn"},
		"audit":             {http.MethodPut, "AUD-001", 200, "", "AUD-001 audit"},
		"off":               {http.MethodPut, "OFF-001", 200, "", ""},
		"exception":         {http.MethodPut, "LEG-001", 200, "LEG-001", "LEG-001 warn legacy"},
		"read":              {http.MethodGet, "WRN-001", 200, "WRN-001", "WRN-001 warn"},
		"head":              {http.MethodHead, "WRN-001", 200, "WRN-001", "WRN-001 warn"},
		"delete":            {http.MethodDelete, "WRN-001.AUD-001", 200, "WRN-001", "AUD-001 audit,WRN-001 warn"},
		"denied":            {http.MethodPut, "ABC-001.WRN-001.AUD-001", 403, "WRN-001", "ABC-001 deny,AUD-001 audit,WRN-001 warn"},
		"audited prefix":    {http.MethodPut, "audit.ABC-001", 200, "", "ABC-001 audit"},
		"audit, but locked": {http.MethodPut, "audit.ABC-001.ENC-001", 403, "", "ABC-001 audit,ENC-001 deny"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, warningPosture, withRules(t, taggedRules))
			b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
				echo(w.Header(), r.Header)
				w.Header().Set(warningHeader, "STO-001")
				w.Header().Set("ETag", `"e"`)
			})
			reply := b.do(b.request(test.method, "/bucket/"+test.key, ""))
			if reply.StatusCode != test.status || reply.Header.Get(warningHeader) != test.header {
				t.Errorf("got %d with %q, want %d with %q", reply.StatusCode, reply.Header.Get(warningHeader), test.status, test.header)
			}
			rec := b.recordOf(reply)
			var found []string
			for _, f := range rec.Findings {
				found = append(found, strings.TrimSpace(f.ID+" "+f.Action+" "+f.Waiver))
			}
			slices.Sort(found)
			if got := strings.Join(found, ","); got != test.findings {
				t.Errorf("recorded %s, want %s", got, test.findings)
			}
			if test.status == http.StatusForbidden {
				b.store.untouched(t)
				if e := reply.err(t); strings.Contains(e.Message, "WRN-001") || len(e.RuleID) != 1 {
					t.Errorf("the client is told %q for %v", e.Message, e.RuleID)
				}
				return
			}
			if sent := b.store.only(t); test.method == http.MethodPut && sent.header.Get(sseHeader) != "aws:kms" {
				t.Errorf("sent with %q", sent.header.Get(sseHeader))
			}
		})
	}
}

// TestAuditStillReplaces: a client that asks for less gets what the posture says, under
// whatever enforcement.
func TestAuditStillReplaces(t *testing.T) {
	t.Parallel()
	b := newBed(t, warningPosture)
	reply := b.do(b.request(http.MethodPut, "/bucket/audit.x", "x", sseHeader+": AES256"))
	if sent := b.store.only(t); reply.StatusCode != http.StatusOK || sent.header.Get(sseHeader) != "aws:kms" {
		t.Errorf("got %d, sent with %q", reply.StatusCode, sent.header.Get(sseHeader))
	}
}

func TestWarningsOfDeleteObjects(t *testing.T) {
	t.Parallel()
	b := newBed(t, warningPosture, withRules(t, taggedRules), func(c *Config, _ *policy.Options) { c.RecordInput = RecordInputAll })
	b.store.setReply(func(w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = io.WriteString(w, `<DeleteResult/>`) })
	reply := b.do(b.request(http.MethodPost, "/bucket?delete",
		`<Delete><Object><Key>WRN-001</Key></Object><Object><Key>WRN-001.WRN-002</Key></Object><Object><Key>ABC-001</Key></Object></Delete>`))
	if got := reply.Header.Get(warningHeader); got != "WRN-001, WRN-002" {
		t.Errorf("got %q", got)
	}
	if sent := string(b.store.only(t).body); strings.Contains(sent, "ABC-001") || strings.Count(sent, "<Key>") != 2 {
		t.Errorf("sent %s", sent)
	}
	rec := b.recordOf(reply)
	if len(rec.Findings) != 3 || rec.Keys.Denied != 1 {
		t.Errorf("recorded %+v, %+v", rec.Findings, rec.Keys)
	}
	if rec.Input == nil || rec.Input.Request.KeyCount != 3 {
		t.Errorf("policy was told of %+v", rec.Input)
	}
}

// certificate makes a certificate for a client, signed by itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := url.Parse("spiffe://example.org/app")
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app", Organization: []string{"Example"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"app.example.org"}, EmailAddresses: []string{"app@example.org"},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 7)}, URIs: []*url.URL{id},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// TestTransportFacts: policy is told of the connection, and of a client certificate
// only where the server verified it.
func TestTransportFacts(t *testing.T) {
	t.Parallel()
	cert, authorities := certificate(t)
	_, others := certificate(t)
	want := policy.ClientCert{
		Present: true, Subject: "CN=app,O=Example",
		SANs: policy.List{"app.example.org", "app@example.org", "192.0.2.7", "spiffe://example.org/app"},
	}
	for name, test := range map[string]struct {
		auth  tls.ClientAuthType
		pool  *x509.CertPool
		shows bool
		want  policy.ClientCert
	}{
		"verified":                {tls.RequireAndVerifyClientCert, authorities, true, want},
		"verified if given":       {tls.VerifyClientCertIfGiven, authorities, true, want},
		"none given":              {tls.VerifyClientCertIfGiven, authorities, false, policy.ClientCert{}},
		"shown, not verified":     {tls.RequireAnyClientCert, others, true, policy.ClientCert{}},
		"asked for, not verified": {tls.RequestClientCert, authorities, true, policy.ClientCert{}},
		"not asked for":           {tls.NoClientCert, authorities, true, policy.ClientCert{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: sse-s3"), func(c *Config, _ *policy.Options) { c.RecordInput = RecordInputAll })
			b.gateway = httptest.NewUnstartedServer(b.engine)
			b.gateway.TLS = &tls.Config{ClientAuth: test.auth, ClientCAs: test.pool, MinVersion: tls.VersionTLS13}
			b.gateway.StartTLS()
			t.Cleanup(b.gateway.Close)
			transport := b.gateway.Client().Transport.(*http.Transport).Clone()
			if test.shows {
				transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
			}
			t.Cleanup(transport.CloseIdleConnections)
			b.client = transport
			reply := b.do(b.request(http.MethodPut, "/bucket/key", "x"))
			if reply.StatusCode != http.StatusOK {
				t.Fatalf("got %d %s", reply.StatusCode, reply.body)
			}
			got := b.recordOf(reply).Input.Transport
			if !strings.HasPrefix(got.Cipher, "TLS_") || got.TLSVersionNum != 13 {
				t.Errorf("got cipher %q of TLS %s", got.Cipher, got.TLSVersion)
			}
			if c := got.ClientCert; c.Present != test.want.Present || c.Subject != test.want.Subject || !slices.Equal(c.SANs, test.want.SANs) {
				t.Errorf("got %+v, want %+v", c, test.want)
			}
		})
	}
}
