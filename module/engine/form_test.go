package engine

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// signedForm gives the fields of a form whose policy allows what conditions say.
func signedForm(conditions ...string) [][2]string {
	now := time.Now().UTC()
	date, day := now.Format("20060102T150405Z"), now.Format("20060102")
	credential := testKey + "/" + day + "/" + testRegion + "/s3/aws4_request"
	all := append([]string{
		`{"bucket":"bucket"}`, `["starts-with","$key","up/"]`, `{"x-amz-algorithm":"AWS4-HMAC-SHA256"}`,
		fmt.Sprintf(`{"x-amz-credential":%q}`, credential), fmt.Sprintf(`{"x-amz-date":%q}`, date),
	}, conditions...)
	policy := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf(`{"expiration":%q,"conditions":[%s]}`,
		now.Add(time.Hour).Format(time.RFC3339), strings.Join(all, ","))))
	mac := func(key []byte, data string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(data))
		return h.Sum(nil)
	}
	key := mac(mac(mac(mac([]byte("AWS4"+testSecret), day), testRegion), "s3"), "aws4_request")
	return [][2]string{
		{"policy", policy}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"}, {"x-amz-credential", credential},
		{"x-amz-date", date}, {"x-amz-signature", hex.EncodeToString(mac(key, policy))},
	}
}

// post sends a form with a file; after are fields behind the file.
func (b *bed) post(fields [][2]string, filename string, file []byte, after ...[2]string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range fields {
		_ = w.WriteField(f[0], f[1])
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="file"; filename=%q`, filename))
	h.Set("Content-Type", "application/octet-stream")
	part, _ := w.CreatePart(h)
	_, _ = part.Write(file)
	for _, f := range after {
		_ = w.WriteField(f[0], f[1])
	}
	_ = w.Close()
	r, err := http.NewRequest(http.MethodPost, b.gateway.URL+"/bucket", &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.do(r)
}

func TestFormUpload(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef\r\n--"), 40_000)
	for _, file := range []struct {
		name string
		data []byte
	}{{"empty", nil}, {"small", []byte("hello\r\n--")}, {"one block", large[:64<<10]}, {"one block and a byte", large[:64<<10+1]}, {"large", large}} {
		t.Run(file.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: sse-kms", "key_id: key-a"))
			fields := append(signedForm(`["starts-with","$Content-Type",""]`, `{"x-amz-meta-file_name":"n"}`, `{"success_action_status":"201"}`),
				[2]string{"key", "up/${filename}"}, [2]string{"Content-Type", "text/x"}, [2]string{"x-amz-meta-file_name", "n"}, [2]string{"success_action_status", "201"})
			reply := b.post(fields, "a b.txt", file.data)
			if reply.StatusCode != http.StatusCreated {
				t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
			}
			got := b.store.only(t)
			if got.method != http.MethodPut || got.uri != "/bucket/up/a%20b.txt" || !bytes.Equal(got.body, file.data) || !got.complete {
				t.Errorf("the store got %s %s with %d bytes, want %d", got.method, got.uri, len(got.body), len(file.data))
			}
			for name, want := range map[string]string{sseHeader: "aws:kms", "Content-Type": "text/x", "X-Amz-Meta-File_name": "n"} {
				if v := got.header.Get(name); v != want {
					t.Errorf("%s = %q, want %q", name, v, want)
				}
			}
			if !strings.Contains(reply.body, "<Location>"+b.gateway.URL+"/bucket/up/a%20b.txt</Location>") {
				t.Errorf("reply %s", reply.body)
			}
		})
	}
}

func TestFormRefusals(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 200<<10)
	key := [2]string{"key", "up/a"}
	tests := []struct {
		name   string
		fields [][2]string
		file   []byte
		after  [][2]string
		status int
		code   string
	}{
		{"key not covered by the policy", append(signedForm(), [2]string{"key", "elsewhere/a"}), []byte("x"), nil, 403, "AccessDenied"},
		{"field not in the policy", append(signedForm(), key, [2]string{"x-amz-storage-class", "GLACIER"}), []byte("x"), nil, 403, "AccessDenied"},
		{"weaker encryption than decided", append(signedForm(`{"x-amz-server-side-encryption":"AES256"}`), key, [2]string{"x-amz-server-side-encryption", "AES256"}), []byte("x"), nil, 403, "AccessDenied"},
		{"too large", append(signedForm(`["content-length-range",0,10]`), key), []byte("12345678901"), nil, 400, "EntityTooLarge"},
		{"large file followed by a field", append(signedForm(), key), large, [][2]string{{"submit", "Upload"}}, 400, "MalformedPOSTRequest"},
		{"no key", signedForm(), []byte("x"), nil, 400, "InvalidArgument"},
		{"a field twice", append(signedForm(), key, key), []byte("x"), nil, 400, "InvalidArgument"},
		{"unknown x-amz field", append(signedForm(`{"x-amz-copy-source":"/b/k"}`), key, [2]string{"x-amz-copy-source", "/b/k"}), []byte("x"), nil, 400, "InvalidArgument"},
		{"an append", append(signedForm(`{"x-amz-write-offset-bytes":"5"}`), key, [2]string{"x-amz-write-offset-bytes", "5"}), []byte("x"), nil, 501, "NotImplemented"},
		{"a name no header can have", append(signedForm(`{"x-amz-meta-a b":"c"}`), key, [2]string{"x-amz-meta-a b", "c"}), []byte("x"), nil, 400, "InvalidArgument"},
		{"metadata without a name", append(signedForm(`{"x-amz-meta-":"c"}`), key, [2]string{"x-amz-meta-", "c"}), []byte("x"), nil, 400, "InvalidArgument"},
		{"a value that ends the header", append(signedForm(`["starts-with","$x-amz-meta-a",""]`), key, [2]string{"x-amz-meta-a", "b\r\nX-Amz-Acl: public-read"}), []byte("x"), nil, 400, "InvalidArgument"},
		{"framing of one hop", append(signedForm(`["starts-with","$content-encoding",""]`), key, [2]string{"Content-Encoding", "gzip, aws-chunked"}), []byte("x"), nil, 400, "InvalidArgument"},
		{"fields too large", append(signedForm(), key, [2]string{"x-ignore-a", strings.Repeat("y", 70<<10)}), []byte("x"), nil, 400, "MalformedPOSTRequest"},
		{"anonymous", [][2]string{key}, []byte("x"), nil, 403, "AccessDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: sse-kms", "key_id: key-a"))
			reply := b.post(tt.fields, "f", tt.file, tt.after...)
			if e := reply.err(t); reply.StatusCode != tt.status || e.Code != tt.code {
				t.Errorf("got %d %s (%s), want %d %s", reply.StatusCode, e.Code, e.Message, tt.status, tt.code)
			}
			for _, got := range b.store.seen() {
				if got.complete {
					t.Errorf("the store got a whole object: %s with %d bytes", got.uri, len(got.body))
				}
			}
		})
	}
}

// A file name cannot be made to stand for much more than was sent.
func TestFilenameDoesNotMultiply(t *testing.T) {
	t.Parallel()
	b := newBed(t, openPosture("mode: none"))
	reply := b.post([][2]string{{"key", "a"}, {"x-ignore-a", strings.Repeat("${filename}", 2500)}}, strings.Repeat("f", 30<<10), []byte("x"))
	if e := reply.err(t); e.Code != "MalformedPOSTRequest" {
		t.Errorf("got %d %s", reply.StatusCode, e.Code)
	}
	b.store.untouched(t)
}
