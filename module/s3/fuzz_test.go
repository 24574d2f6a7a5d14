package s3

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse looks for panics, for errors that are not *Error, and for keys
// that do not survive being encoded for the store.
func FuzzParse(f *testing.F) {
	for _, target := range []string{
		"/", "/bucket", "/bucket/", "/bucket/k", "/bucket//k", "/bucket/a%20b/../c//d%2B~%C3%A9", "/bucket?list-type=2&prefix=a%2F",
		"/bucket/k?partNumber=1&uploadId=u", "/bucket/k?acl&tagging", "/bucket/k?" + presignedQuery + "&x-amz-acl=private",
		"http://localhost/bucket/k?versionId=v", "*", "//", "/%", "/bucket/%00", "/bucket?a;b+c", lambdaPath, "/bucket/k?x-amz-meta-%0d=%0a",
	} {
		f.Add("PUT", "localhost", target, "X-Amz-Copy-Source", "source/key?versionId=v")
		f.Add("GET", "bucket.s3.example.com:80", target, "Content-Type", "multipart/form-data")
	}
	f.Add("OPTIONS", "[::1]:80", "/bucket", "Origin", "a")
	f.Add("POST", "ap.s3-accesspoint.example", "/bucket", "X-Amz-Meta-A", "\x00")
	f.Fuzz(func(t *testing.T, method, host, target, name, value string) {
		header := http.Header{name: {value}, "X-Amz-Date": {"d"}}
		p := &Parser{Domains: []string{"s3.example.com", "example.com"}}
		r := &http.Request{Method: method, Host: host, RequestURI: target, Header: header}
		before := header.Clone()
		req, err := p.Parse(r)
		if !reflect.DeepEqual(header, before) {
			t.Fatalf("the headers were modified: %v", header)
		}
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Status < 400 {
				t.Fatalf("got %#v", err)
			}
			return
		}
		if req.Op == nil || req.Op.Method != method {
			t.Fatalf("%s gave %v", method, req.Op)
		}
		_, _ = req.Actions(), req.SourceActions()
		if req.Bucket == "" {
			return
		}
		again, err := p.Parse(&http.Request{
			Method: "GET", Host: "localhost", RequestURI: "/" + req.Bucket + "/" + EscapePath(req.Key), Header: http.Header{},
		})
		if err != nil || again.Bucket != req.Bucket || again.Key != req.Key {
			t.Fatalf("%q of %q reads back as %+v, %v", req.Key, req.Bucket, again, err)
		}
		for _, values := range req.Header {
			if len(values) == 0 {
				t.Fatal("a header without values")
			}
		}
		if strings.Contains(req.Key, "\x00") || len(req.Key) > maxKey {
			t.Fatalf("key %q", req.Key)
		}
	})
}

// FuzzParseQuery checks that a query rebuilt from its decoded pairs reads the
// same: that is how the request to the store is made.
func FuzzParseQuery(f *testing.F) {
	for _, raw := range []string{"", "acl", "a=b&c=&d", "a;b=%3B", "prefix=%2B+%20", "%61=%zz", "=&=", "a=b=c&&"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := ParseQuery(raw)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, p := range q {
			b.WriteString("&" + EscapeQuery(p.Name))
			if p.HasValue {
				b.WriteString("=" + EscapeQuery(p.Value))
			}
		}
		again, err := ParseQuery(b.String())
		if err != nil {
			t.Fatal(err)
		}
		var want []Pair
		for _, p := range q {
			if p.Name != "" || p.HasValue {
				want = append(want, p)
			}
		}
		if len(again) != len(want) {
			t.Fatalf("%q became %q", raw, b.String())
		}
		for i := range again {
			if again[i].Name != want[i].Name || again[i].Value != want[i].Value {
				t.Fatalf("%q became %q", raw, b.String())
			}
		}
	})
}

func FuzzCopySource(f *testing.F) {
	for _, v := range []string{"bucket/key", "/bucket//key?versionId=v", "%2Fbucket%2Fkey", "arn:aws:s3:::b/k", "bucket/a%20b+c", "", "bucket/%00"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		c, err := ParseCopySource(v)
		if err != nil {
			return
		}
		if again, err := ParseCopySource(c.Header()); err != nil || again != c {
			t.Fatalf("%q: %+v reads back as %+v, %v", v, c, again, err)
		}
	})
}

func FuzzDecodeXML(f *testing.F) {
	for _, doc := range []string{
		"<D><A>x</A></D>", "<?xml version=\"1.0\"?><D/>", "<!DOCTYPE D [<!ENTITY a \"&b;\">]><D>&a;</D>", "<D/></x><y>", "<D a='1' a='2'/>",
		"<AccessControlPolicy><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></AccessControlPolicy>",
		"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v struct {
			Inner string `xml:",innerxml"`
		}
		if err := DecodeXML(data, &v); err == nil && strings.Contains(strings.ToUpper(v.Inner), "<!DOCTYPE") &&
			!strings.Contains(v.Inner, "<![CDATA[") && !strings.Contains(v.Inner, "<!--") {
			t.Fatalf("a DOCTYPE passed: %q", data)
		}
		if _, err := ParseACL(data); err != nil {
			wantError(t, err, AsError(err).Code)
		}
		if parts, err := ParseCompleteMultipart(data); err == nil && len(parts) == 0 {
			t.Fatal("no parts and no error")
		}
	})
}

func FuzzDelete(f *testing.F) {
	for _, doc := range []string{
		"<Delete><Object><Key>k</Key></Object></Delete>", "<Delete><Quiet>true</Quiet><Object><Key>&#13;&lt;</Key><VersionId>v</VersionId></Object></Delete>",
		"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>", "<Delete/>", "<Delete><Object><Key>a<!-- -->b</Key><ETag>e</ETag></Object></Delete>",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDelete(data)
		if err != nil {
			return
		}
		if again, err := ParseDelete(d.XML()); err != nil || !reflect.DeepEqual(again, d) {
			t.Fatalf("%+v reads back as %+v, %v", d, again, err)
		}
	})
}
