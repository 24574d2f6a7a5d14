package engine

import (
	"context"
	"io/fs"
	"net/http"
	"sync"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

// uploadRecords is an UploadStore in memory.
type uploadRecords struct {
	mu      sync.Mutex
	records map[string][2]string // key and envelope, by bucket and id
}

func (u *uploadRecords) Put(_ context.Context, bucket, id, key, envelope string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.records[bucket+"/"+id] = [2]string{key, envelope}
	return nil
}

func (u *uploadRecords) Get(_ context.Context, bucket, id string) (key, envelope string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.records[bucket+"/"+id]
	if !ok {
		return "", "", fs.ErrNotExist
	}
	return r[0], r[1], nil
}

func (u *uploadRecords) Delete(_ context.Context, bucket, id string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.records, bucket+"/"+id)
	return nil
}

func (u *uploadRecords) List(context.Context, string) ([]string, error) { return nil, nil }

func (u *uploadRecords) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.records)
}

// A client goes on with the store's own id, of that name only; the record goes
// with the upload, however it ends.
func TestSealedUploadFromRecord(t *testing.T) {
	t.Parallel()
	records := &uploadRecords{records: make(map[string][2]string)}
	b, store := sealedBed(t, func(c *Config, _ *policy.Options) { c.Uploads = records })
	for name, end := range map[string]func(*uploading){
		"completed": func(u *uploading) {
			if a := u.complete(1); a.StatusCode != http.StatusOK {
				t.Errorf("complete: %d %s", a.StatusCode, a.body)
			}
		},
		"aborted": func(u *uploading) { b.do(b.request(http.MethodDelete, u.path+"?"+u.query(), "")) },
		"unknown to the store": func(u *uploading) {
			store.mu.Lock()
			delete(store.uploads, u.id)
			store.mu.Unlock()
			if a := b.get(u.path + "?" + u.query()); a.err(t).Code != "NoSuchUpload" {
				t.Errorf("list: %d %s", a.StatusCode, a.body)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/bucket/all/" + name[:5]
			b.begin(path)
			u := &uploading{b: b, path: path, id: rawID(store, path), etags: make(map[int]string)}
			u.part(1, pattern(10))
			elsewhere := &uploading{b: b, path: "/bucket/all/elsewhere", id: u.id}
			if a := b.do(b.request(http.MethodPut, elsewhere.path+"?partNumber=1&"+elsewhere.query(), "x")); a.err(t).Code != "NoSuchUpload" {
				t.Errorf("under another name: %d %s", a.StatusCode, a.body)
			}
			if records.count() != 1 {
				t.Fatalf("%d records of one upload", records.count())
			}
			end(u)
			if n := records.count(); n != 0 {
				t.Errorf("%d records are left", n)
			}
		})
	}
}
