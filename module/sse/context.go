package sse

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxContext is the size of an encryption context in its header, in bytes: S3
// takes 8 KiB of headers altogether.
const maxContext = 8 << 10

// decodeContext reads an encryption context: base64 of a JSON object whose
// values are all strings. An empty object is no context. Errors name a place,
// never a value.
func decodeContext(header string) (map[string]string, error) {
	if len(header) > maxContext {
		return nil, fmt.Errorf("encryption context is longer than %d bytes", maxContext)
	}
	data, ok := decodeBase64(header)
	if !ok {
		return nil, errors.New("encryption context is not base64")
	}
	return parseContext(data)
}

// parseContext reads the JSON of a context. It is strict where readers of JSON
// differ, so that the store cannot read another context than the policy did:
// a name that occurs twice and text that is not UTF-8 are errors.
func parseContext(data []byte) (map[string]string, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("encryption context is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("encryption context is not a JSON object")
	}
	var out map[string]string
	for dec.More() {
		name, ok1 := stringToken(dec)
		value, ok2 := stringToken(dec)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("encryption context is not a map of strings (before byte %d)", dec.InputOffset())
		}
		if _, ok := out[name]; ok {
			return nil, fmt.Errorf("encryption context has a name twice (before byte %d)", dec.InputOffset())
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[name] = value
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('}') {
		return nil, errors.New("encryption context is cut short")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("encryption context has something after the object")
	}
	return out, nil
}

// stringToken reads one string. The replacement character stands for what the
// decoder could not represent (half of a surrogate pair) and is refused.
func stringToken(dec *json.Decoder) (string, bool) {
	t, err := dec.Token()
	if err != nil {
		return "", false
	}
	s, ok := t.(string)
	return s, ok && !strings.ContainsRune(s, utf8.RuneError)
}

// encodeContext is the inverse of decodeContext, with the names sorted.
func encodeContext(c map[string]string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(c) // a map of strings always encodes
	return base64.StdEncoding.EncodeToString(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
