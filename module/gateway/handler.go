package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/records"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/bundle"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler puts an encryption policy in front of an S3 endpoint. It verifies each
// request's signature, asks the policy, injects, checks or refuses the
// encryption of what is written, signs the request anew and forwards it.
//
// It ends the route: no handler behind it is called. Mount it on a host name,
// not on a path: a path prefix is part of what clients sign. Keep directives
// that change paths, queries or bodies (rewrite, uri, handle_path, encode,
// request_body) off its site.
//
// Placeholders in string fields are replaced once, when the configuration is
// loaded: `{env.*}`, `{file.*}` and `{system.*}`. A field that is empty after
// that counts as not set.
type Handler struct {
	// The store's endpoint URL, `https://host[:port]`. An `http://` URL is
	// accepted for this machine only, unless `insecure_upstream` is set. Required.
	Upstream string `json:"upstream,omitempty"`

	// The region signed upstream and expected in clients' signatures.
	// Default: `us-east-1`.
	Region string `json:"region,omitempty"`

	// Base names for virtual-host style requests: with `s3.example.com`, a
	// request for `photos.s3.example.com` is for bucket `photos`. Values may hold
	// several names separated by blanks or commas. Default: none, path style only.
	Domain []string `json:"domain,omitempty"`

	// How the gateway addresses the store: `path` or `virtual`. Independent of
	// how clients address the gateway. Default: `path`.
	Addressing string `json:"addressing,omitempty"`

	// What the gateway signs with. Default: the AWS default chain.
	Credentials *Credentials `json:"credentials,omitempty"`

	// Path of clients.yaml: access keys, secrets and identities. Its mode must
	// be 0600. Watched: a change is in force within 5 seconds, an invalid file
	// keeps the last good one. Required.
	Clients string `json:"clients,omitempty"`

	// Directory with the site's own Rego, added to the built-in library.
	// Watched like `clients`. Default: none.
	Policy string `json:"policy,omitempty"`

	// The site's own Rego as a signed bundle from a server, in the place of a
	// directory. Default: none.
	PolicyBundle *PolicyBundle `json:"policy_bundle,omitempty"`

	// What a changed policy or posture has to pass before it is put into force.
	// Default: it is looked through, and its own tests are run.
	Gate *Gate `json:"gate,omitempty"`

	// Path of posture.yaml: which encryption which prefix needs, and who may do
	// what. Watched like `clients`. Required.
	Posture string `json:"posture,omitempty"`

	// Whether the store must confirm the encryption that was decided:
	// `required`, `if_reported` (silence is tolerated) or `off`.
	// Default: `required`.
	Verify string `json:"verify,omitempty"`

	// Who checks a payload hash or checksum that is forwarded unchanged:
	// `gateway`, or `store` to spare the gateway the hashing. Chunk signatures
	// and trailers are always checked here. Default: `gateway`.
	PayloadCheck string `json:"payload_check,omitempty"`

	// Whether the store gets a CRC-64/NVME checksum of the bytes that sealed objects
	// are stored as: `crc64nvme`, `none`, or `auto`, which is to AWS over TLS, and
	// elsewhere only with object lock. Larger bodies then go out as
	// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`. Gateways that serve parts of one upload
	// must agree on it. Default: `auto`.
	SealedChecksum string `json:"sealed_checksum,omitempty"`

	// The connection to the store, configured as Caddy's reverse_proxy transport
	// `http`. Compression stays off and `versions` defaults to `1.1`;
	// `proxy_protocol` is not available. Default: a transport for S3's timing.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`

	// Where decision records go: a list, of which a single log writer is the short
	// form. Default: the logger `s3_encryption.decision`.
	Record RecordSinks `json:"record,omitempty"`

	// Which decision records hold the input document that policy was asked about, from
	// which `sealgate policy explain` explains a decision, in sinks that do not say it
	// themselves: `denied` (denials and faults), `all` or `none`. It shows user
	// metadata, tags and the values of encryption contexts, and no secrets.
	// Default: `denied`.
	RecordInput string `json:"record_input,omitempty"`

	// Allows an `http://` upstream that is not this machine. Object bytes then
	// cross the network in plaintext. Default: false.
	InsecureUpstream bool `json:"insecure_upstream,omitempty"`

	app       *App
	logger    *zap.Logger
	accessLog *zap.Logger
	settings  settings

	engine   *engine.Engine
	store    *upstream.Client
	uploads  *uploads // nil where nothing is sealed
	clients  *clients.Store
	policy   *policy.Engine
	bundle   *bundle.Source // nil without one
	shared   *sharedPolicy
	recorder engine.Recorder
	records  []*records.Queue // the app's to close

	// Released by Cleanup; nil until taken.
	stopWatching func()
	closeIdle    func()
	closePolicy  func() error
}

// Credentials say what the gateway signs with upstream.
type Credentials struct {
	// Where they come from: `default` (AWS default chain: environment, shared
	// files, web identity, container, instance), `static`, or `client` (the
	// caller's own access key and secret, which the store must know too).
	// Default: `default`.
	Source string `json:"source,omitempty"`

	// The access key for `static`.
	AccessKey string `json:"access_key,omitempty"`

	// The secret for `static`: a single `{env.NAME}` or `{file./path}`
	// placeholder, never the secret itself. It is read when the configuration is
	// loaded. When access key and secret are both empty then, `default` applies.
	Secret string `json:"secret,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.s3_encryption",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision reads the files and builds the engine. It calls nothing remote:
// credentials are fetched and the store is contacted when the first request comes.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.accessLog = ctx.Logger(new(caddyhttp.App)).Named("log.access")
	app, err := ctx.App("s3_encryption")
	if err != nil {
		return err
	}
	h.app = app.(*App)

	if h.settings, err = h.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := h.loadFiles(); err != nil {
		return err
	}
	if h.store, err = h.connect(ctx); err != nil {
		return err
	}
	if err := h.openRecords(ctx); err != nil {
		return err
	}
	var open engine.UploadStore
	if h.app.keyrings != nil { // otherwise nothing is sealed
		h.uploads = newUploads(ctx.Storage(), h.settings.endpoint.Host)
		open = h.uploads
	}
	h.engine, err = engine.New(engine.Config{
		Parser:            s3.Parser{Domains: h.settings.domains},
		Verifier:          sigv4.NewVerifier(sigv4.VerifierConfig{Region: h.settings.region}),
		Clients:           h.clients,
		Policy:            h.policy,
		Upstream:          h.store,
		Keyrings:          h.app.keyrings.all(),
		Uploads:           open,
		Region:            h.settings.region,
		ClientCredentials: h.settings.source == credentialsClient,
		Verify:            h.settings.verify,
		PayloadCheck:      h.settings.payloadCheck,
		SealedChecksum:    h.settings.sealedChecksum,
		ClientIP:          clientIP,
		Recorder:          h.recorder,
		RecordInput:       h.settings.recordInput,
		Observer:          h.app.metrics,
	})
	if err != nil {
		return err
	}
	if srv, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && h.app.gateways.firstOn(srv) {
		watchServer(srv)
	}
	h.app.gateways.join(h)
	h.stopWatching = h.watch(ctx)
	return nil
}

// loadFiles opens the clients and policy files; their first state must be good.
func (h *Handler) loadFiles() (err error) {
	if h.clients, err = clients.Open(h.settings.clients); err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	if err = h.openPolicy(); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	h.logNotices()
	return nil
}

// connect builds the client of the store.
func (h *Handler) connect(ctx caddy.Context) (*upstream.Client, error) {
	transport, closeIdle, err := h.loadTransport(ctx)
	if err != nil {
		return nil, err
	}
	h.closeIdle = closeIdle
	client, err := upstream.New(upstream.Config{
		Endpoint:    h.settings.endpoint,
		Insecure:    h.InsecureUpstream,
		Region:      h.settings.region,
		Addressing:  h.settings.addressing,
		Credentials: h.provider(),
		Transport:   transport,
	})
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	return client, nil
}

// provider gives the gateway's own credentials, nil when it signs with its
// callers'.
func (h *Handler) provider() upstream.Provider {
	switch h.settings.source {
	case credentialsStatic:
		return upstream.Static(upstream.Credentials{AccessKey: h.settings.accessKey, Secret: h.settings.secret})
	case credentialsClient:
		return nil
	}
	if h.Credentials != nil && h.Credentials.Source == credentialsStatic {
		h.logger.Warn("static credentials are empty; using the AWS default chain")
	}
	return upstream.DefaultChain(h.settings.region)
}

// ServeHTTP answers the request itself, errors included; next is never called.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	w, r, done := h.logAccess(w, r)
	defer done()
	h.engine.ServeHTTP(w, restoreMetadata(r))
	return nil
}

// clientIP is the client's address as Caddy sees it: the peer's, or what a
// trusted proxy says. Caddy alone decides which proxies are trusted.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// Cleanup ends the watchers and releases what Provision took, however far it came.
func (h *Handler) Cleanup() error {
	if h.stopWatching != nil {
		h.stopWatching()
	}
	if h.app != nil {
		h.app.gateways.leave(h)
	}
	if h.closeIdle != nil {
		h.closeIdle()
	}
	if h.closePolicy != nil {
		return h.closePolicy()
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
