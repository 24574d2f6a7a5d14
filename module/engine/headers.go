package engine

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/sealgate/sealgate/module/sigv4"
)

// stripChunkedEncoding removes the aws-chunked token, which names the framing
// of one hop and is no property of the object.
func stripChunkedEncoding(h http.Header) {
	values := h.Values("Content-Encoding")
	if len(values) == 0 {
		return
	}
	if rest := sigv4.ContentEncoding(values); rest != "" {
		h.Set("Content-Encoding", rest)
		return
	}
	h.Del("Content-Encoding")
}

// addChunkedEncoding announces the framing of our own hop.
func addChunkedEncoding(h http.Header) {
	if rest := h.Get("Content-Encoding"); rest != "" {
		h.Set("Content-Encoding", rest+",aws-chunked")
		return
	}
	h.Set("Content-Encoding", "aws-chunked")
}

func setAll(h, from http.Header) {
	for name, values := range from {
		h[name] = values
	}
}

// sortedNames gives the names of an encryption context for the record.
func sortedNames(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
