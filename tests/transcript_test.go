package tests

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A transcript is what a client was told: every reply with its status, headers
// and body, in order, and the outcome of every call. What differs between any
// two runs (times, ids, the bucket's name) is replaced by a name, so that two
// runs of the same steps can be compared line by line.
type transcript struct {
	next    http.RoundTripper
	replace *strings.Replacer
	omit    []string // prefixes of header names that are left out, in lower case

	mu      sync.Mutex
	entries []string
	named   map[string]string // version and upload ids -> "<version 1>"
}

// incidental headers say nothing about S3, or differ with every reply.
var incidental = []string{
	"date", "server", "via", "alt-svc", "connection", "keep-alive", "vary", "x-amz-request-id", "x-amz-id-2",
	"strict-transport-security", "x-content-type-options", "x-xss-protection", "content-security-policy",
	"x-ratelimit-", "transfer-encoding",
	"x-amz-object-size", // versitygw alone, and not after every write
}

func (x *transcript) RoundTrip(req *http.Request) (*http.Response, error) {
	request := req.Method + " " + req.URL.RequestURI()
	resp, err := x.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("reading the reply to %s: %w", request, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.learn(resp.Header, body)
	x.entries = append(x.entries, x.describe(request, resp, body))
	return resp, nil
}

// CloseIdleConnections lets http.Client reach the transport below.
func (x *transcript) CloseIdleConnections() {
	if next, ok := x.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// outcome adds how a call ended for the client.
func (x *transcript) outcome(err error) {
	line := "  => ok"
	if err != nil {
		line = "  => " + errorCode(err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.entries = append(x.entries, line)
}

// say adds something the client found out.
func (x *transcript) say(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.entries = append(x.entries, "  => "+x.replace.Replace(fmt.Sprintf(format, args...)))
}

func (x *transcript) describe(request string, resp *http.Response, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %d", x.canonical(withoutSignature(request)), resp.StatusCode)
	if resp.StatusCode >= 400 {
		// Texts of errors are a store's own affair.
		fmt.Fprintf(&b, " %s", errorDocument(body))
		return b.String()
	}
	for _, name := range slices.Sorted(keysOf(resp.Header)) {
		lower := strings.ToLower(name)
		if slices.ContainsFunc(append(incidental, x.omit...), func(p string) bool { return strings.HasPrefix(lower, p) }) {
			continue
		}
		if lower == "content-length" && isXML(body) {
			continue // it depends on how many digits the times in the document have
		}
		if lower == "content-type" && resp.StatusCode == http.StatusNotModified {
			continue // of what is not there
		}
		for _, v := range resp.Header[name] {
			if v = x.header(lower, v); v != "" {
				fmt.Fprintf(&b, "\n  %s: %s", lower, v)
			}
		}
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "\n  %s", strings.ReplaceAll(x.body(resp, body), "\n", "\n  "))
	}
	return b.String()
}

func (x *transcript) header(name, v string) string {
	switch name {
	case "last-modified":
		return "<time>"
	case "content-encoding":
		// A store that is handed aws-chunked may keep the word, which is a fault
		// the gateway mends by decoding.
		return strings.Trim(strings.ReplaceAll(v, "aws-chunked", ""), ", ")
	}
	return x.canonical(v)
}

func (x *transcript) body(resp *http.Response, body []byte) string {
	if isXML(body) {
		if text, err := x.xml(body); err == nil {
			return text
		}
	}
	return fmt.Sprintf("body of %d bytes, sha256 %x", len(body), sha256.Sum256(body))
}

func isXML(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<?xml")) }

// learn names the ids of a reply in order of their appearance.
func (x *transcript) learn(h http.Header, body []byte) {
	if x.named == nil {
		x.named = make(map[string]string)
	}
	name := func(kind, id string) {
		if _, known := x.named[id]; !known && id != "" && id != "null" {
			x.named[id] = fmt.Sprintf("<%s %d>", kind, len(x.named)+1)
		}
	}
	name("version", h.Get("x-amz-version-id"))
	name("version", h.Get("x-amz-copy-source-version-id"))
	for _, m := range idElement.FindAllSubmatch(body, -1) {
		name(strings.ToLower(string(m[1])), string(m[2]))
	}
}

var (
	idElement = regexp.MustCompile(`<(UploadId|VersionId|DeleteMarkerVersionId|NextVersionIdMarker|NextUploadIdMarker|NextContinuationToken)>([^<]+)</`)
	endpoint  = regexp.MustCompile(`https?://(127\.0\.0\.1|localhost|[a-z0-9.-]+\.localhost):\d+`)
	sealedTag = regexp.MustCompile(`"?\b2000[0-9a-f]{92}\b"?`) // MinIO at times shows the ETag as it stores it
	httpDate  = regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)
)

// canonical replaces in a text what differs from run to run.
func (x *transcript) canonical(text string) string {
	for id, name := range x.named {
		text = strings.ReplaceAll(text, id, name)
		text = strings.ReplaceAll(text, url.QueryEscape(id), name)
	}
	if endpoint.MatchString(text) { // stores differ in whether a slash is escaped in Location
		text = strings.ReplaceAll(endpoint.ReplaceAllString(text, "<endpoint>"), "%2F", "/")
	}
	text = sealedTag.ReplaceAllString(text, "<sealed ETag>")
	text = httpDate.ReplaceAllString(text, "<time>")
	return x.replace.Replace(text)
}

var timeElements = []string{"LastModified", "CreationDate", "Initiated"}

// xml writes a document with one element a line, so that white space, prefixes
// and the order of attributes do not count. The order of elements does, but for
// documents that are flat, and for tags.
func (x *transcript) xml(body []byte) (string, error) {
	var b strings.Builder
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var stack []string
	deepest := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			text := strings.TrimSuffix(b.String(), "\n")
			switch {
			case deepest <= 2: // a flat one is a set of values
				text = sorted(text, "\n  <")
			case strings.HasPrefix(text, " <Tagging>"): // some stores keep no order
				text = sorted(text, "\n   <Tag>")
			}
			return text, nil
		}
		if err != nil {
			return "", err
		}
		switch v := token.(type) {
		case xml.StartElement:
			stack = append(stack, v.Name.Local)
			deepest = max(deepest, len(stack))
			fmt.Fprintf(&b, "%s<%s>\n", strings.Repeat(" ", len(stack)), v.Name.Local)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			text := strings.TrimSpace(string(v))
			if text == "" {
				continue
			}
			if len(stack) > 0 && slices.Contains(timeElements, stack[len(stack)-1]) {
				text = "<time>"
			}
			fmt.Fprintf(&b, "%s %s\n", strings.Repeat(" ", len(stack)), x.canonical(text))
		}
	}
}

// sorted puts the parts of text that begin with mark in order.
func sorted(text, mark string) string {
	parts := strings.Split(text, mark)
	slices.Sort(parts[1:])
	return strings.Join(parts, mark)
}

// errorDocument returns the code of an S3 error body, if there is one.
func errorDocument(body []byte) string {
	var e struct {
		Code string `xml:"Code"`
	}
	if len(body) == 0 {
		return "(no body)"
	}
	if err := xml.Unmarshal(body, &e); err != nil || e.Code == "" {
		return fmt.Sprintf("(not an S3 error: %.200q)", body)
	}
	return e.Code
}

func withoutSignature(request string) string {
	method, uri, _ := strings.Cut(request, " ")
	path, query, ok := strings.Cut(uri, "?")
	if !ok {
		return request
	}
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool { return strings.HasPrefix(strings.ToLower(p), "x-amz-") })
	return method + " " + path + "?" + strings.Join(pairs, "&")
}

// same fails the test where two transcripts part.
func same(t *testing.T, direct, through []string) {
	t.Helper()
	for i := range max(len(direct), len(through)) {
		var want, got = "(nothing)", "(nothing)"
		if i < len(direct) {
			want = direct[i]
		}
		if i < len(through) {
			got = through[i]
		}
		if want != got {
			t.Errorf("step %d differs\nfrom the store:\n%s\nthrough the gateway:\n%s", i+1, want, got)
			if i >= len(direct) || i >= len(through) || firstLine(want) != firstLine(got) {
				return // the rest is about other steps
			}
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func keysOf(h http.Header) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if !yield(name) {
				return
			}
		}
	}
}
