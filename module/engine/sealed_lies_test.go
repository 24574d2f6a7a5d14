package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealgate/sealgate/module/seal"
)

// lying puts a store between that answers as lie does, where lie answers.
func lying(t *testing.T, b *bed, store *objectStore, lie func(w http.ResponseWriter, r *http.Request) bool) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !lie(w, r) {
			store.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b.engine.cfg.Upstream = upstreamOf(t, server.URL)
}

// relabelled serves the request as the store would and lets change have the
// reply before it goes out. It streams nothing.
func (s *objectStore) relabelled(w http.ResponseWriter, r *http.Request, change func(reply *httptest.ResponseRecorder)) bool {
	reply := httptest.NewRecorder()
	s.ServeHTTP(reply, r)
	change(reply)
	maps.Copy(w.Header(), reply.Header())
	w.WriteHeader(reply.Code)
	_, _ = w.Write(reply.Body.Bytes())
	return true
}

// Whatever a store says of what it gives: its statuses, ranges and sizes.
func TestSealedAttackByReply(t *testing.T) {
	t.Parallel()
	const path = "/bucket/all/key"
	plain := pattern(200_000)
	multi := pattern(200_003)
	planted := []byte(strings.Repeat("planted ", 30_000))
	relabel := func(change func(reply *httptest.ResponseRecorder)) func(*objectStore, http.ResponseWriter, *http.Request) bool {
		return func(s *objectStore, w http.ResponseWriter, r *http.Request) bool { return s.relabelled(w, r, change) }
	}
	answered := func(status int, sealed bool) func(*objectStore, http.ResponseWriter, *http.Request) bool {
		return func(s *objectStore, w http.ResponseWriter, _ *http.Request) bool {
			if sealed {
				maps.Copy(w.Header(), s.at(path).header)
			}
			w.Header().Set("ETag", s.at(path).etag)
			w.Header().Set("Location", "http://elsewhere/")
			if status == http.StatusPartialContent {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(planted)-1, len(planted)))
			}
			w.WriteHeader(status)
			if status != http.StatusNoContent && status != http.StatusNotModified {
				_, _ = w.Write(planted)
			}
			return true
		}
	}
	header := func(name string, value func(old string) string) func(*objectStore, http.ResponseWriter, *http.Request) bool {
		return relabel(func(reply *httptest.ResponseRecorder) {
			if old := reply.Header().Get(name); old != "" {
				if v := value(old); v != "" {
					reply.Header().Set(name, v)
				} else {
					reply.Header().Del(name)
				}
			}
		})
	}
	constant := func(v string) func(string) string { return func(string) string { return v } }
	var turn atomic.Int64
	lies := map[string]func(*objectStore, http.ResponseWriter, *http.Request) bool{
		"206 where the whole was asked for": func(s *objectStore, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				r.Header.Set("Range", "bytes=0-65627")
			}
			return s.relabelled(w, r, func(*httptest.ResponseRecorder) {})
		},
		"200 where a range was asked for": func(s *objectStore, w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Range")
			return s.relabelled(w, r, func(*httptest.ResponseRecorder) {})
		},
		"another range": func(s *objectStore, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" {
				r.Header.Set("Range", "bytes=65692-131319")
			}
			return s.relabelled(w, r, func(*httptest.ResponseRecorder) {})
		},
		"another range than it says": func(s *objectStore, w http.ResponseWriter, r *http.Request) bool {
			asked := r.Header.Get("Range")
			if asked != "" {
				r.Header.Set("Range", "bytes=100-70000")
			}
			return s.relabelled(w, r, func(reply *httptest.ResponseRecorder) {
				if asked != "" {
					reply.Header().Set("Content-Range", strings.Replace(asked, "=", " ", 1)+"/200176")
				}
			})
		},
		"no Content-Range":          header("Content-Range", constant("")),
		"Content-Range of garbage":  header("Content-Range", constant("bytes -5-/x")),
		"Content-Range of unknown":  header("Content-Range", func(old string) string { return old[:strings.IndexByte(old, '/')] + "/*" }),
		"Content-Range, huge":       header("Content-Range", constant("bytes 0-9223372036854775806/9223372036854775807")),
		"Content-Range, other size": header("Content-Range", func(old string) string { return old + "9" }),
		"Content-Range from zero": header("Content-Range", func(old string) string {
			return "bytes 0" + old[strings.IndexByte(old, '-'):]
		}),
		"no length": func(s *objectStore, w http.ResponseWriter, r *http.Request) bool {
			reply := httptest.NewRecorder()
			s.ServeHTTP(reply, r)
			maps.Copy(w.Header(), reply.Header())
			w.Header().Del("Content-Length")
			w.WriteHeader(reply.Code)
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(reply.Body.Bytes())
			return true
		},
		"half of what it says": func(s *objectStore, w http.ResponseWriter, r *http.Request) bool {
			reply := httptest.NewRecorder()
			s.ServeHTTP(reply, r)
			maps.Copy(w.Header(), reply.Header())
			w.WriteHeader(reply.Code)
			_, _ = w.Write(reply.Body.Bytes()[:reply.Body.Len()/2])
			return true
		},
		"no ETag":             header("ETag", constant("")),
		"an ETag of a part":   header("ETag", constant(`"x-1"`)),
		"an ETag of many":     header("ETag", constant(`"x-65535"`)),
		"an ETag, changing":   header("ETag", func(string) string { return fmt.Sprintf(`"%d-2"`, turn.Add(1)) }),
		"a version, changing": header("ETag", func(old string) string { turn.Add(1); return old }),
		"nothing in range": func(_ *objectStore, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			w.Header().Set("Content-Range", "bytes */5")
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return true
		},
		"encoded": relabel(func(reply *httptest.ResponseRecorder) { reply.Header().Set("Content-Encoding", "aws-chunked") }),
	}
	for _, status := range []int{200, 201, 203, 204, 206, 299, 301, 304, 307, 404, 412, 503} {
		lies[fmt.Sprintf("%d with plaintext", status)] = answered(status, false)
		lies[fmt.Sprintf("%d with plaintext and envelope", status)] = answered(status, true)
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, store := sealedBed(t)
			for kind, content := range map[string][]byte{"single": plain, "multi": multi} {
				honest := b.engine.cfg.Upstream
				ways := readings(content, len(content))
				if kind == "single" {
					b.put(path, content)
				} else {
					u := b.begin(path)
					u.part(1, content)
					u.complete(1)
				}
				for _, remembered := range []bool{false, true} {
					b.engine.cfg.Upstream = honest
					b.engine.memory = newMemory()
					if remembered {
						b.get(path, "Range: bytes=0-1")
					}
					lying(t, b, store, func(w http.ResponseWriter, r *http.Request) bool { return lie(store, w, r) })
					for _, way := range ways {
						a, cut := b.read(path, way)
						if err := way.wrong(a, cut, content); err != nil {
							t.Errorf("%s, remembered %t, read %s: %v", kind, remembered, way, err)
						}
					}
					head := b.do(b.request(http.MethodHead, path, ""))
					if head.Header.Get(envelopeHeader) != "" || head.Header.Get("x-amz-meta-sealgate") != "" {
						t.Errorf("HEAD shows an envelope: %v", head.Header)
					}
					b.client.(*http.Transport).CloseIdleConnections()
				}
				b.engine.cfg.Upstream = honest
			}
		})
	}
}

// An object that is replaced between two requests of one read: the answer is
// wholly one of the two, or an error.
func TestSealedAttackByReplacing(t *testing.T) {
	t.Parallel()
	const path = "/bucket/all/key"
	b, store := sealedBed(t)
	versions := make([]object, 0, 3)
	contents := [][]byte{pattern(11 * mib), pattern(11*mib + 2)[:11*mib], pattern(100_000)}
	for i, content := range contents {
		if i == 2 {
			b.put(path, content)
		} else {
			u := b.begin(path)
			u.part(1, content[:5*mib])
			u.part(2, content[5*mib:])
			u.complete(1, 2)
		}
		versions = append(versions, *store.at(path))
	}
	for _, sameETag := range []bool{false, true} {
		for every := 1; every <= 4; every++ {
			var count atomic.Int64
			lying(t, b, store, func(_ http.ResponseWriter, r *http.Request) bool {
				n := int(count.Add(1)) / every % len(versions)
				store.setHeader(path, func(o *object) {
					*o = versions[n]
					if sameETag {
						o.etag, o.modified = versions[0].etag, versions[0].modified
					}
				})
				return false
			})
			for _, way := range []reading{{}, {header: "bytes=10-99999"}, {header: "bytes=90000-"}, {header: "bytes=-100"}, {part: 1}, {part: 2}} {
				a, cut := b.read(path, way)
				if a.Response == nil || a.StatusCode >= 300 || cut != nil {
					continue
				}
				known := false
				for i, content := range contents {
					sizes := []int{5 * mib, 6 * mib}
					if i == 2 {
						sizes = []int{len(content)}
					}
					known = known || a.body == string(way.of(content, sizes))
				}
				if !known {
					t.Errorf("every %d, same ETag %t, read %s: %d bytes of none of the objects", every, sameETag, way, len(a.body))
				}
			}
		}
	}
}

// of is what a reading gives of another object than the one it was made for.
func (r reading) of(content []byte, sizes []int) []byte {
	switch {
	case r.part > len(sizes):
		return nil
	case r.part > 0:
		at := 0
		for _, size := range sizes[:r.part-1] {
			at += size
		}
		return content[at : at+sizes[r.part-1]]
	case r.header == "":
		return content
	}
	want, _ := parseRange(r.header)
	e, _ := want.of(int64(len(content)))
	return content[e.Offset:e.End()]
}

// A reply that is cut because of damage does not look like a clean end, also
// where a reply of chunks could.
func TestSealedDamageCutsTheReply(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		b, store := sealedBed(t)
		if secure {
			b.secure()
		}
		plain := pattern(300_000)
		b.put("/bucket/all/key", plain)
		body := slices.Clone(store.at("/bucket/all/key").body)
		body[len(body)-1] ^= 1
		store.setBody("/bucket/all/key", body)
		a, cut := b.read("/bucket/all/key", reading{})
		if cut == nil || errors.Is(cut, io.EOF) || a.StatusCode != 200 || !bytes.HasPrefix(plain, []byte(a.body)) || len(a.body) > 4*65536 {
			t.Errorf("TLS %t: %d, %d bytes, %v", secure, a.StatusCode, len(a.body), cut)
		}
		rec := b.recordOf(a)
		if rec.Outcome != OutcomeDamaged || !strings.Contains(rec.Cause, `key "all/key"`) || rec.Answered.Status != 200 {
			t.Errorf("TLS %t: record %s %q %d", secure, rec.Outcome, rec.Cause, rec.Answered.Status)
		}
	}
}

// A store that tells the truth about the headers of parts, and gives the whole
// object with its parts in another order.
func TestSealedAttackByHonestHeaders(t *testing.T) {
	t.Parallel()
	const path = "/bucket/all/key"
	b, store := sealedBed(t)
	plain := pattern(10*mib + 10)
	u := b.begin(path)
	for n, at := 1, 0; at < len(plain); n++ {
		u.part(n, plain[at:min(at+5*mib, len(plain))])
		at += 5 * mib
	}
	u.complete(1, 2, 3)
	const stored = 5*mib + seal.PartOverhead
	body := store.at(path).body
	first, second, last := body[:stored], body[stored:2*stored], body[2*stored:]
	for name, pieces := range map[string][][]byte{
		"swapped":    {second, first, last},
		"last first": {last, first, second},
		"dropped":    {second, last},
	} {
		for _, etag := range []string{`"e-3"`, `"e-2"`, `"e"`} {
			store.setHeader(path, func(o *object) { o.etag = etag })
			b.engine.memory = newMemory()
			lying(t, b, store, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || r.Header.Get("Range") != "" {
					return false
				}
				return store.relabelled(w, r, func(reply *httptest.ResponseRecorder) {
					reply.Body.Reset()
					for _, piece := range pieces {
						reply.Body.Write(piece)
					}
					reply.Header().Set("Content-Length", strconv.Itoa(reply.Body.Len()))
				})
			})
			way := reading{want: plain}
			a, cut := b.read(path, way)
			if err := way.wrong(a, cut, plain); err != nil {
				t.Errorf("%s, %s: %v", name, etag, err)
			}
		}
	}
}
