package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// object is JSON in the making.
type object = map[string]any

// load runs a configuration in this process until the test ends. A process has
// one running Caddy configuration, so tests that call it are not parallel.
func load(t *testing.T, config object) {
	t.Helper()
	if _, ok := config["admin"]; !ok {
		config["admin"] = object{"disabled": true, "config": object{"persist": false}}
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(data, true); err != nil {
		t.Fatalf("loading configuration: %v", err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
}

// address is where the running server of that name listens.
func address(t *testing.T, server string) string {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		t.Fatal(err)
	}
	return app.(*caddyhttp.App).Servers[server].Listeners()[0].Addr().String()
}

// httpApp is a configuration of one server, named "main", on a free port.
func httpApp(server object) object {
	server["listen"] = []string{"127.0.0.1:0"}
	server["automatic_https"] = object{"disable": true}
	return object{"servers": object{"main": server}}
}

// route is a route of one handler.
func route(handler object) []object {
	return []object{{"handle": []object{handler}}}
}

// certified are the names of the test certificate.
var certified = []string{"localhost", "s3.example.com", "s3.eu-central-1.amazonaws.com"}

// selfSigned is a certificate for those names and the pool that trusts it.
func selfSigned(t *testing.T) (certificate, key string, trust *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     certified,
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	trust = x509.NewCertPool()
	trust.AppendCertsFromPEM([]byte(certificate))
	return certificate, key, trust
}

// clientFor speaks one protocol version, with TLS when trust is not nil.
func clientFor(t *testing.T, version int, trust *x509.CertPool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(version == 1)
	protocols.SetHTTP2(version == 2 && trust != nil)
	protocols.SetUnencryptedHTTP2(version == 2 && trust == nil)
	transport := &http.Transport{Protocols: &protocols}
	if trust != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: trust}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// askAdmin asks the admin API on a unix socket.
func askAdmin(t *testing.T, socket, method, path string) *http.Response {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}
