package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
)

// Config describes one store.
type Config struct {
	// Endpoint is scheme and host, with a port if it is not the usual one:
	// https://s3.eu-central-1.amazonaws.com. Plain http is refused for hosts
	// other than this one (by name: localhost and loopback addresses).
	Endpoint *url.URL
	// Insecure allows plain http to other hosts.
	Insecure   bool
	Region     string // signed for
	Addressing Addressing
	// Credentials sign calls that bring none of their own; nil if all do.
	Credentials Provider
	// Transport sends the requests; NewTransport() if nil. One that
	// decompresses or follows redirects must not be used. It is asked for one
	// request at a time and must close request bodies, as http.Transport does.
	Transport http.RoundTripper
	Now       func() time.Time // time.Now if nil
}

// Client sends requests to one store. It is safe for concurrent use.
type Client struct {
	endpoint    *url.URL
	region      string
	addressing  Addressing
	credentials Provider
	transport   http.RoundTripper
	now         func() time.Time
	keys        *sigv4.KeyCache
	turns       turns
}

// New checks c and returns a Client. It does not connect.
func New(c Config) (*Client, error) {
	if err := checkEndpoint(c.Endpoint, c.Insecure); err != nil {
		return nil, err
	}
	if c.Addressing == VirtualHost && net.ParseIP(c.Endpoint.Hostname()) != nil {
		return nil, errors.New("endpoint is an address: virtual-host addressing needs a host name")
	}
	if c.Region == "" {
		return nil, errors.New("region is missing")
	}
	client := &Client{
		endpoint: &url.URL{Scheme: c.Endpoint.Scheme, Host: c.Endpoint.Host}, region: c.Region, addressing: c.Addressing,
		credentials: c.Credentials, transport: c.Transport, now: c.Now,
		keys: new(sigv4.KeyCache),
	}
	if client.transport == nil {
		client.transport = NewTransport()
	}
	if client.now == nil {
		client.now = time.Now
	}
	return client, nil
}

// IsAWS reports whether the store is AWS's own.
func (c *Client) IsAWS() bool { return isAWS(c.endpoint.Hostname()) }

// IsTLS reports whether the store is spoken to over TLS.
func (c *Client) IsTLS() bool { return c.endpoint.Scheme == "https" }

// Name is the store's host, and port if there is one, for records and metrics.
func (c *Client) Name() string { return c.endpoint.Host }

// Call is one request to the store.
type Call struct {
	Method      string
	Bucket, Key string   // decoded; Key is encoded as AWS does
	Query       s3.Query // decoded; sent in this order, every pair with "="
	// Header is copied, not changed. Headers of one hop, of the signature and
	// of the connection are dropped from the copy.
	Header http.Header
	// Body is read to its end, and not after Do has returned; Do does not
	// close it. Length is its exact length in bytes, 0 with or without a Body.
	Body   io.Reader
	Length int64
	// Data is a body that is wholly there, in place of Body and Length. It must
	// not change any more, also after Do has returned: a store may answer
	// before it has taken all of it. A call with Data is sent again when a kept
	// connection turns out to be dead, unless Once is set; one with a Body, or
	// a POST without either, is sent once in any case.
	Data []byte
	Once bool
	// PayloadHash is the value of x-amz-content-sha256: 64 hex digits,
	// UNSIGNED-PAYLOAD, or STREAMING-UNSIGNED-PAYLOAD-TRAILER, for which
	// Header has the content-encoding, decoded length and trailer announced.
	PayloadHash string
	// Interrupt makes a Read of Body that waits return soon, with any error;
	// nil if that cannot be done. It is called at most once, from any
	// goroutine but not after Do has returned, when ctx has ended or the store
	// has answered while the transport still waits for Body. Do waits for that
	// Read in any case.
	Interrupt func()
	// As signs the call in somebody else's name; nil: the client's provider.
	As *Credentials
}

// length is the number of bytes the request carries.
func (c *Call) length() int64 {
	if c.Data != nil {
		return int64(len(c.Data))
	}
	return c.Length
}

// Unavailable says that the store could not be reached or did not answer in
// HTTP: name resolution, connection, TLS, time-out, a reply cut short. For a
// request that was sent it is not known whether the store carried it out.
type Unavailable struct{ Err error }

// Error describes the failure; it holds no URL and no header.
func (u *Unavailable) Error() string { return "store unavailable: " + u.Err.Error() }

// Unwrap returns the failure.
func (u *Unavailable) Unwrap() error { return u.Err }

// Do signs and sends one call. Whatever status the store answers is a response;
// redirects are not followed. The caller closes Response.Body. Response.Request
// is nil, since it would carry credentials.
//
// Errors: that of Body, wrapped, if it failed or had another length, also when
// the store had answered already; that of ctx; an [*Unavailable]; anything else
// is a call that could not be made. On every error the store has not got a
// complete request, or it is unknown whether it has.
func (c *Client) Do(ctx context.Context, call Call) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := c.send(ctx, &call)
		var stale *staleError
		if err == nil || !errors.As(err, &stale) {
			return resp, err
		}
		if attempt == maxAttempts || !mayRepeat(&call) {
			return nil, &Unavailable{stale.err}
		}
		call.Body = nil // it had no bytes, and its end has been read
	}
}

// send makes one attempt at a call. A [*staleError] may be tried again.
func (c *Client) send(ctx context.Context, call *Call) (*http.Response, error) {
	used := &connection{turns: &c.turns}
	body, err := newGuard(call, used)
	if err != nil {
		return nil, err
	}
	if body != nil {
		return c.sendBody(ctx, call, body)
	}
	req, err := c.request(used.trace(ctx), call, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := c.transport.RoundTrip(req) //nolint:bodyclose // the caller closes it
	used.leave()
	if err != nil {
		return nil, used.explain(ctx, err)
	}
	resp.Request = nil
	return resp, nil
}

// sendBody makes one attempt at a call with a body. The request does not run
// under ctx itself: net/http would end the connection on its own, and orderly.
func (c *Client) sendBody(ctx context.Context, call *Call, body *guard) (*http.Response, error) {
	inner, end := context.WithCancel(context.WithoutCancel(ctx))
	req, err := c.request(body.used.trace(inner), call, body.reader())
	if err != nil {
		end()
		return nil, err
	}
	release := body.watch(ctx, end)
	resp, err := c.transport.RoundTrip(req) //nolint:bodyclose // the caller closes it
	body.used.leave()
	if err == nil {
		err = body.settle(resp)
	}
	if failed := body.stop(); failed != nil {
		err = wrapBody(failed)
	} else if err != nil {
		err = body.used.explain(ctx, err)
	}
	release()
	if err != nil {
		end()
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, err
	}
	resp.Request = nil
	resp.Body = &replyBody{ReadCloser: resp.Body, unlink: context.AfterFunc(ctx, end), end: end}
	return resp, nil
}

// replyBody ends its request's context when it is closed.
type replyBody struct {
	io.ReadCloser
	unlink func() bool
	end    context.CancelFunc
}

// Close implements io.Closer.
func (r *replyBody) Close() error {
	defer r.end()
	r.unlink()
	return r.ReadCloser.Close()
}

// request builds and signs the HTTP request of a call.
func (c *Client) request(ctx context.Context, call *Call, body io.ReadCloser) (*http.Request, error) {
	credentials, err := c.credentialsFor(ctx, call)
	if err != nil {
		return nil, err
	}
	u, err := c.locate(call)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: call.Method, URL: u, Host: u.Host, Header: headerFor(call),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: call.length(), Body: body,
	}).WithContext(ctx)
	sigv4.Signer{
		AccessKey: credentials.AccessKey, Secret: credentials.Secret.Reveal(),
		SessionToken: credentials.SessionToken.Reveal(), Region: c.region, Keys: c.keys,
	}.Sign(req, call.PayloadHash, c.now())
	return req, nil
}

func (c *Client) credentialsFor(ctx context.Context, call *Call) (Credentials, error) {
	if call.As != nil {
		return *call.As, nil
	}
	if c.credentials == nil {
		return Credentials{}, ErrNoCredentials
	}
	return c.credentials.Retrieve(ctx)
}
