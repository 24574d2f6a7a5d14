package tests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sealgate/sealgate/tests/servers"
)

// reused is how many data keys an intermediate key of these tests wraps.
const reused = 20

// keyServices are the keyrings that ask a key service, as a Caddyfile has them.
var keyServices = map[string]string{
	"kms": "aws_kms " + serviceARN + " {\n" +
		"endpoint {$KEY_SERVICE}\ncredentials static " + serviceKeyID + " {env.KEY_SERVICE_SECRET}\ntimeout 1s\n}",
	"kms-reuse": "aws_kms " + serviceARN + " {\n" +
		"endpoint {$KEY_SERVICE}\ncredentials static " + serviceKeyID + " {env.KEY_SERVICE_SECRET}\ntimeout 1s\nreuse {\nmax_age 1h\nmax_objects " + fmt.Sprint(reused) + "\n}\n}",
	"vault": "vault {\naddress {$KEY_SERVICE}\nkey objects\ntoken {env.KEY_SERVICE_TOKEN}\ntimeout 1s\n}",
}

// keyed is a gateway whose objects' data keys a key service wraps, but for those
// under "local/".
type keyed struct {
	t       *testing.T
	kind    string // of keyServices
	service *keyService
	store   *servers.Store
	config  servers.Gateway
	gateway *servers.RunningGateway
}

var keyedModes = posture(`  "*": {"": {mode: cse, keyring: remote, context: {team: blue}, sealed: all}, "local/": {mode: cse, keyring: main, sealed: all}}`)

// eachKeyed runs a test with each kind of key service before every store.
func eachKeyed(t *testing.T, test func(t *testing.T, k *keyed)) {
	t.Parallel()
	for kind := range keyServices {
		for name, store := range map[string]func(testing.TB) *servers.Store{"minio": minioStore, "versitygw": versityStore} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				k := &keyed{t: t, kind: kind, service: startKeyService(t), store: store(t)}
				k.config = sealing(t, k.store)
				k.config.Globals = "s3_encryption {\nkeyring main local {$DIR}/main.keyring\nkeyring remote " + keyServices[kind] + "\n}\n"
				k.config.Files["posture.yaml"] = keyedModes
				k.config.Env = []string{"KEY_SERVICE=" + k.service.endpoint, "KEY_SERVICE_SECRET=" + serviceSecret, "KEY_SERVICE_TOKEN=" + serviceToken}
				k.gateway = ownGateway(t, k.config)
				test(t, k)
			})
		}
	}
}

// bucket is a new one, through the gateway.
func (k *keyed) bucket() *sealedBucket {
	k.t.Helper()
	b := openSealed(k.t, k.gateway, k.store, "keyed")
	b.create(k.t)
	return b
}

// cold is a bucket through another gateway, which has asked for no key yet.
func (k *keyed) cold(b *sealedBucket) *sealedBucket {
	k.t.Helper()
	return b.via(ownGateway(k.t, k.config))
}

// asked wants the service to have been asked to encrypt and to decrypt so many
// keys of a bucket.
func (k *keyed) asked(b *sealedBucket, encrypt, decrypt int) {
	k.t.Helper()
	if e, d := len(k.service.calls(b.bucket, true)), len(k.service.calls(b.bucket, false)); e != encrypt || d != decrypt {
		k.t.Errorf("the service was asked %d times to encrypt and %d to decrypt, want %d and %d", e, d, encrypt, decrypt)
	}
}

// wraps is how many calls it takes to wrap n data keys of one bucket.
func (k *keyed) wraps(n int) int {
	if k.kind == "kms-reuse" {
		return (n + reused - 1) / reused
	}
	return n
}

// TestSealedKeyServices: with keys of a service, objects are written, read, copied
// and uploaded in parts, through one gateway and another; and opened without any.
func TestSealedKeyServices(t *testing.T) {
	eachKeyed(t, func(t *testing.T, k *keyed) {
		b := k.bucket()
		single, parts := content(3*chunk+5, 201), pieces(content(partSize+1000, 202), partSize)
		b.put(t, "secret-name", single)
		u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("parts")})
		other := k.cold(b)
		there := &upload{session: other.session, t: t, key: u.key, id: u.id, done: u.done}
		there.part(2, parts[1], "")
		there.part(1, parts[0], "")
		b.ok(t, u.complete(1, 2))
		for _, from := range []string{"secret-name", "parts"} {
			_, err := b.aws.CopyObject(b.ctx, &s3.CopyObjectInput{Bucket: &b.bucket, Key: aws.String("copy of " + from), CopySource: aws.String(b.bucket + "/" + from)})
			b.ok(t, err)
			_, err = b.aws.CopyObject(b.ctx, &s3.CopyObjectInput{Bucket: &b.bucket, Key: aws.String("local/" + from), CopySource: aws.String(b.bucket + "/" + from)})
			b.ok(t, err)
		}
		for _, c := range []*sealedBucket{b, other} {
			for _, place := range []string{"", "copy of "} {
				c.holds(t, place+"secret-name", single)
				c.ranges(place+"secret-name", single, [][2]int{{0, 0}, {chunk - 1, chunk}, {2 * chunk, 3*chunk + 4}})
				c.byParts(place+"parts", parts...)
			}
			c.holds(t, "local/secret-name", single)
			c.holds(t, "local/parts", bytes.Join(parts, nil))
		}
		b.unseen()
		for _, key := range []string{"secret-name", "copy of secret-name", "parts"} {
			if stored := b.stored(key); bytes.Contains(stored.body, single[100:132]) || bytes.Contains(stored.body, parts[0][100:132]) {
				t.Errorf("the store has plaintext of %s", key)
			}
		}
		k.bound(b)
		k.breakGlass(b, "secret-name", single)
		k.breakGlass(b, "parts", bytes.Join(parts, nil))
	})
}

// bound wants every call to say what its key is for, and none to say an object's
// name where the service would keep it in its log.
func (k *keyed) bound(b *sealedBucket) {
	k.t.Helper()
	for _, encrypt := range []bool{true, false} {
		calls := k.service.calls(b.bucket, encrypt)
		if len(calls) == 0 {
			k.t.Error("no call")
		}
		for _, c := range calls {
			if k.kind == "vault" {
				if aad := c.bound["aad"]; !strings.Contains(aad, "team") || !strings.Contains(aad, "blue") {
					k.t.Errorf("associated data %q", aad)
				}
				continue
			}
			per := "sealgate:bind"
			if k.kind == "kms-reuse" {
				per = "sealgate:use"
			}
			if c.bound["team"] != "blue" || c.bound["sealgate:ns"] != b.bucket || c.bound[per] == "" || len(c.bound) != 3 ||
				strings.Contains(string(oneText(c.bound)), "secret-name") {
				k.t.Errorf("encryption context %v", c.bound)
			}
		}
	}
}

// breakGlass opens an object's raw bytes with the keyring of the gateway's
// configuration.
func (k *keyed) breakGlass(b *sealedBucket, key string, body []byte) {
	k.t.Helper()
	dir, stored := k.t.TempDir(), b.stored(key)
	raw, out := filepath.Join(dir, "raw"), filepath.Join(dir, "out")
	if err := os.WriteFile(raw, stored.body, 0o600); err != nil {
		k.t.Fatal(err)
	}
	open := func(key string) ([]byte, error) {
		cmd := exec.CommandContext(k.t.Context(), value(k.t, bed.binary), "object", "open", raw, "--envelope", stored.metadata[envelope],
			"--bucket", b.bucket, "--key", key, "--config", filepath.Join(k.gateway.Dir, "Caddyfile"), "--keyring", "remote", "-o", out)
		cmd.Env = append([]string{
			"PATH=/usr/bin:/bin", "HOME=" + dir, "DIR=" + k.gateway.Dir, "PORT=1", "PLAIN_PORT=2", "CERT=c", "KEY=k", "AUTHORITY=a",
			"REGION=" + servers.Region, "DOMAIN=" + servers.Domain, "UPSTREAM=" + k.store.Endpoint, "UPSTREAM_ACCESS_KEY=none",
		}, k.config.Env...)
		return cmd.CombinedOutput()
	}
	if said, err := open(key + "x"); err == nil || !strings.Contains(string(said), "is not that of bucket") {
		k.t.Errorf("opened under another name: %v, %s", err, said)
	}
	said, err := open(key)
	if err != nil {
		k.t.Errorf("%v: %s", err, said)
		return
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) {
		k.t.Errorf("%s opened to %d bytes, or others: %v", key, len(got), err)
	}
}

// TestSealedKeyCalls: a key service is called no more often than it must be.
func TestSealedKeyCalls(t *testing.T) {
	eachKeyed(t, func(t *testing.T, k *keyed) {
		const objects = 50
		b := k.bucket()
		key := func(i int) string { return fmt.Sprintf("%02d", i) }
		together(objects, func(i int) { b.put(t, key(i), content(1000+i, 210)) })
		k.asked(b, k.wraps(objects), 0)
		together(objects, func(i int) { b.holds(t, key(i), content(1000+i, 210)) })
		k.asked(b, k.wraps(objects), 0)

		// Nothing is answered until all have asked.
		other, release := k.cold(b), k.service.hold()
		defer release()
		var sent sync.WaitGroup
		sent.Add(objects)
		go func() { sent.Wait(); release() }()
		together(objects, func(int) {
			ctx := httptrace.WithClientTrace(b.ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent.Done() }})
			got, err := other.aws.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: aws.String(key(0))})
			if err != nil {
				t.Error(err)
				return
			}
			defer got.Body.Close()
			if body, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(body, content(1000, 210)) {
				t.Errorf("%d bytes, or others: %v", len(body), err)
			}
		})
		k.asked(b, k.wraps(objects), 1)
		together(objects, func(i int) { other.holds(t, key(i), content(1000+i, 210)) })
		k.asked(b, k.wraps(objects), k.wraps(objects))

		// An upload costs a gateway one call, and none where it began.
		b = k.bucket()
		other = k.cold(b)
		u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("k")})
		there := &upload{session: other.session, t: t, key: u.key, id: u.id, done: u.done}
		for n := range int32(3) {
			there.part(n+1, content(partSize, 211), "")
			u.part(n+4, content(partSize, 211), "")
		}
		b.ok(t, there.complete(1, 2, 3, 4, 5, 6))
		k.asked(b, 1, 1)
	})
}

// together calls f for each number below n, all at once, and waits.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// TestSealedKeyOutage: without its key service a gateway stores nothing and says
// so in time, gives what it has the keys of, and goes on when the service does.
func TestSealedKeyOutage(t *testing.T) {
	eachKeyed(t, func(t *testing.T, k *keyed) {
		known, old := k.bucket(), content(2*chunk, 220)
		known.put(t, "k", old)
		cold := k.cold(known)
		for _, wrong := range []trouble{down, throttled, denied, slow} {
			t.Run(string(wrong), func(t *testing.T) {
				k.t = t
				b := k.bucket() // for which no key is at hand
				k.service.be(wrong)
				t.Cleanup(func() { k.service.be("") })
				unavailable(t, "PutObject", func(ctx context.Context) error {
					_, err := b.aws.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String("k"), Body: bytes.NewReader(old)})
					return err
				})
				unavailable(t, "CreateMultipartUpload", func(ctx context.Context) error {
					_, err := b.aws.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: aws.String("k")})
					return err
				})
				unavailable(t, "CopyObject", func(ctx context.Context) error {
					_, err := b.aws.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &b.bucket, Key: aws.String("k"), CopySource: aws.String(known.bucket + "/k")})
					return err
				})
				for _, span := range []string{"", "bytes=1-2"} {
					unavailable(t, "GetObject "+span, func(ctx context.Context) error {
						in := &s3.GetObjectInput{Bucket: &known.bucket, Key: aws.String("k")}
						if span != "" {
							in.Range = &span
						}
						_, err := cold.aws.GetObject(ctx, in)
						return err
					})
				}
				b.absent("k")
				left, err := b.raw.ListMultipartUploads(b.ctx, &s3.ListMultipartUploadsInput{Bucket: &b.bucket})
				if err != nil || len(left.Uploads) > 0 {
					t.Errorf("the store has uploads %v: %v", left.Uploads, err)
				}
				known.holds(t, "k", old)
				known.ranges("k", old, [][2]int{{chunk - 1, chunk}})
				b.put(t, "local/k", old)
				b.holds(t, "local/k", old)

				k.service.be("")
				recovered(t, func() error {
					_, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String("k"), Body: bytes.NewReader(old)})
					return err
				})
				recovered(t, func() error {
					_, _, err := cold.via(k.gateway).read("k", "")
					return err
				})
				b.holds(t, "k", old)
			})
			k.t = t
		}
		recovered(t, func() error {
			_, _, err := cold.read("k", "")
			return err
		})
		cold.holds(t, "k", old)
	})
}

// inTime is how long a client of these tests waits for an answer. Key services
// are given a second.
const inTime = 15 * time.Second

// unavailable wants a call to be answered with 503, and in time.
func unavailable(t *testing.T, what string, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), inTime)
	defer cancel()
	if err := call(ctx); errorCode(err) != "ServiceUnavailable" {
		t.Errorf("%s: %v, want ServiceUnavailable", what, err)
	}
}

// recovered calls until that succeeds.
func recovered(t *testing.T, call func() error) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := call()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

// TestSealedKeyRotation: a key that gets new versions while objects are read and
// written opens all of them.
func TestSealedKeyRotation(t *testing.T) {
	eachKeyed(t, func(t *testing.T, k *keyed) {
		b := k.bucket()
		body := func(i int) []byte { return content(chunk+i, 230) }
		var written sync.Mutex
		names := []string{"0"}
		b.put(t, "0", body(0))
		over := make(chan struct{})
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-over:
						return
					default:
					}
					written.Lock()
					n := i % len(names)
					written.Unlock()
					b.holds(t, fmt.Sprint(n), body(n))
				}
			})
		}
		for i := 1; i <= 3*reused; i++ {
			if i%reused == reused/2 {
				k.service.rotate()
			}
			b.put(t, fmt.Sprint(i), body(i))
			written.Lock()
			names = append(names, fmt.Sprint(i))
			written.Unlock()
		}
		close(over)
		readers.Wait()
		other := k.cold(b)
		for i := range names {
			other.holds(t, fmt.Sprint(i), body(i))
		}
	})
}

// TestSealedForeignKeyring: an object is not opened where the posture does not
// accept the keyring that wrapped its key.
func TestSealedForeignKeyring(t *testing.T) {
	eachKeyed(t, func(t *testing.T, k *keyed) {
		b := k.bucket()
		text := content(1000, 240)
		b.put(t, "k", text)
		accepts := func(rule string) *sealedBucket {
			config := k.config
			config.Files = map[string]string{"posture.yaml": posture(`  "*": {"": {mode: cse, ` + rule + `}}`), "main.keyring": k.config.Files["main.keyring"]}
			return b.via(ownGateway(t, config))
		}
		for _, sealed := range []string{"all", "mixed"} {
			other := accepts("keyring: main, sealed: " + sealed)
			for _, span := range []string{"", "bytes=1-2"} {
				if got, _, err := other.read("k", span); err == nil || len(got) > 0 {
					t.Errorf("sealed: %s, range %q: %d bytes, %v", sealed, span, len(got), err)
				}
			}
			_, err := other.aws.CopyObject(b.ctx, &s3.CopyObjectInput{Bucket: &b.bucket, Key: aws.String("copy"), CopySource: aws.String(b.bucket + "/k")})
			other.refused(t, err)
			resp, _ := exactly(t, other.session, http.MethodGet, "/"+b.bucket+"/k", nil, nil)
			if resp.StatusCode != http.StatusBadGateway {
				t.Errorf("sealed: %s: status %d", sealed, resp.StatusCode)
			}
		}
		k.asked(b, 1, 0)
		b.absent("copy")
		accepts("keyring: main, keyrings: [remote], sealed: all").holds(t, "k", text)
		k.asked(b, 1, 1)

		// An upload that was begun under a keyring does not go on under another.
		u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("parts")})
		other := accepts("keyring: main, keyrings: [remote], sealed: all")
		_, err := other.aws.UploadPart(b.ctx, &s3.UploadPartInput{Bucket: &b.bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(1), Body: bytes.NewReader(text)})
		if errorCode(err) != "AccessDenied" {
			t.Errorf("a part under another keyring: %v", err)
		}
		_, err = other.aws.CompleteMultipartUpload(b.ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &b.bucket, Key: &u.key, UploadId: u.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String("x")}}},
		})
		if errorCode(err) != "AccessDenied" {
			t.Errorf("completed under another keyring: %v", err)
		}
	})
}
