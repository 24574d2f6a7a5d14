package upstream

import (
	"net"
	"net/http"
	"time"
)

// NewTransport returns the transport a Client uses if none is configured. The
// caller ends its idle connections with CloseIdleConnections.
//
// HTTP/1.1 only: stores speak it best, and one connection a request keeps a
// stalled upload from holding up others. No compression: it would alter stored
// objects. No proxy from the environment: traffic to the store goes where the
// configuration says, and nowhere else by accident; configure a transport to
// use a proxy. Idle connections end before stores usually end them, so that
// few requests meet a closed one. What is read is not buffered beyond headers and
// a small object: a large read goes past the buffer, with a copy less. The wait for reply headers is long because
// CompleteMultipartUpload and CopyObject take minutes.
func NewTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		Protocols:              &protocols,
		DisableCompression:     true,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        20 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  10 * time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        64 << 10,
		ReadBufferSize:         8 << 10,
	}
}
