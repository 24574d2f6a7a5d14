package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// An empty 200 for another host name would tell an S3 client that its object
// was stored.
func TestUnknownHostIsNotAnswered200(t *testing.T) {
	b := newBed(t)
	here := object{"match": []object{{"host": []string{"here.example.com"}}}, "handle": []object{b.handler}}
	b.config["apps"] = object{"http": httpApp(object{"routes": []object{here}})}
	b.start()
	for _, method := range []string{http.MethodPut, http.MethodGet, http.MethodHead} {
		r, err := http.NewRequest(method, b.url+"/bucket/key", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "elsewhere.example.com"
		reply, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s for another host: %d, want 421", method, reply.StatusCode)
		}
	}
	if n := len(b.store.got()); n != 0 {
		t.Errorf("%d requests reached the store", n)
	}
}
