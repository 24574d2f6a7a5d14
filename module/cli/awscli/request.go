package awscli

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/module/cli/trial"
	"github.com/sealgate/sealgate/module/s3"
)

// place is an object or a bucket.
type place struct{ bucket, key string }

// parsePlace reads s3://bucket/key; ok is false for a local path.
func parsePlace(word string) (p place, ok bool) {
	rest, ok := strings.CutPrefix(word, "s3://")
	p.bucket, p.key, _ = strings.Cut(rest, "/")
	return p, ok && p.bucket != ""
}

// path is a place in the request line.
func (p place) path() string {
	if p.bucket == "" {
		return "/"
	}
	if p.key == "" {
		return "/" + p.bucket
	}
	return "/" + p.bucket + "/" + s3.EscapePath(p.key)
}

// source is a place as x-amz-copy-source.
func (p place) source() string { return p.bucket + "/" + s3.EscapePath(p.key) }

func request(name, method string, p place) trial.Request {
	return trial.Request{Name: name, Method: method, Path: p.path(), Header: make(http.Header)}
}

// ask adds a query parameter.
func ask(r *trial.Request, name, value string) {
	r.Query = append(r.Query, s3.Pair{Name: name, Value: value, HasValue: true})
}

// with sets headers from options that are there, in the order of names.
func (a *arguments) with(r *trial.Request, headers map[string]string, names ...string) {
	for option, header := range headers {
		if len(names) > 0 && !slices.Contains(names, option) {
			continue
		}
		if v, ok := a.values[option]; ok {
			r.Header.Set(header, v)
		}
	}
}

// metadata sets user metadata, written k=v,k=v or as JSON.
func (a *arguments) metadata(r *trial.Request) error {
	if !a.has("metadata") {
		return nil
	}
	entries, err := shorthand(a.values["metadata"])
	if err != nil {
		return usagef("%s: --metadata: %v", a.name, err)
	}
	for k, v := range entries {
		text, ok := v.(string)
		if !ok {
			return usagef("%s: --metadata: %s has no text", a.name, k)
		}
		r.Header.Set("X-Amz-Meta-"+k, text)
	}
	return nil
}

// size is the length of a local file.
func (a *arguments) size(file string) int64 {
	if a.defaults.Size != nil {
		if n := a.defaults.Size(file); n >= 0 {
			return n
		}
	}
	a.note("%s is taken to be %d bytes long", file, int64(DefaultSize))
	return DefaultSize
}

// content is a parameter that may stand in a file.
func (a *arguments) content(option string) (string, error) {
	v := a.values[option]
	file, ok := strings.CutPrefix(v, "file://")
	if !ok {
		return v, nil
	}
	if a.defaults.Read == nil {
		return "", usagef("%s: --%s: files are not read here", a.name, option)
	}
	data, err := a.defaults.Read(file)
	if err != nil {
		return "", fmt.Errorf("%s: --%s: %w", a.name, option, err)
	}
	return string(data), nil
}

// tags turns "a=1&b=2" around so that what is malformed shows here.
func checkTags(v string) error {
	if _, err := url.ParseQuery(v); err != nil {
		return usagef("--tagging: %v", err)
	}
	return nil
}
