package agreement

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/cli/trial"
	"github.com/sealgate/sealgate/module/s3"
)

// seed makes the requests the same in every run.
const seed = 20261123

// at is when all of them are made, unless they draw another hour.
var at = time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)

// asked is one request of the set.
type asked struct {
	world   string // posture and site rules, "rich+tenants"
	request trial.Request
	who     trial.Caller
	via     trial.Connection
}

var (
	postures = []string{"plain", "sealed", "rich", "audit"}
	sites    = []string{"", "tenants", "hygiene"}

	buckets = []string{"data-a", "data-a", "data-b", "data-c", "logs", "elsewhere"}
	folders = []string{
		"", "", "kms/", "strict/", "own/", "public/", "plain/", "secret/", "mixed/", "office/", "office/legacy/", "kept/", "checked/",
		"context/", "near/", "lenient/", "enforced/", "tenants/blue/", "tenants/red/", "archive/", "tagged/",
	}
	// The second is another name of the first to a store that keeps files.
	names = []string{"a", "report.pdf", "b/c.txt", "id.pem", "x/../y", "x//y"}

	mainKey  = "arn:aws:kms:eu-central-1:111122223333:key/main"
	otherKey = "arn:aws:kms:eu-central-1:111122223333:key/other"
	keys     = []string{"", "", mainKey, mainKey, otherKey, "other", "alias/main", "arn:aws:kms:us-east-1:999999999999:key/evil"}

	addresses = []string{"192.0.2.7", "192.0.2.7", "198.51.100.3", "203.0.113.9", "127.0.0.1", "2001:db8::5"}
	versions  = []string{"1.3", "1.3", "1.3", "1.2", "1.1", ""}
)

var callers = []trial.Caller{
	{Principal: "app", Groups: []string{"writers"}, Attributes: map[string]string{"tenant": "blue"}},
	{Principal: "app", Groups: []string{"writers"}, Attributes: map[string]string{"tenant": "red"}},
	{Principal: "app"},
	{Principal: "olga", Groups: []string{"ops"}},
	{Principal: "rita", Groups: []string{"readers"}},
	{Principal: "stranger"},
	{Anonymous: true},
}

// generator draws requests.
type generator struct{ *rand.Rand }

func newGenerator() generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, list []T) T { return list[g.IntN(len(list))] }

// once in so many times.
func (g generator) once(in int) bool { return g.IntN(in) == 0 }

// draw makes n requests.
func draw(n int) []asked {
	g := newGenerator()
	out := make([]asked, 0, n)
	for range n {
		a := asked{
			world: pick(g, postures) + "+" + pick(g, sites),
			who:   pick(g, callers[:3]), via: trial.Connection{IP: pick(g, addresses), TLS: pick(g, versions)},
		}
		if g.once(3) {
			a.who = pick(g, callers)
		}
		a.request = g.request()
		if a.via.TLS == "" {
			withoutKey(a.request.Header) // refused before it is asked about
		}
		if a.who.Anonymous {
			a.request.Presigned = 0
		}
		out = append(out, a)
	}
	return out
}

func (g generator) key() string { return pick(g, folders) + pick(g, names) }

func (g generator) object(method string) trial.Request {
	return trial.Request{Method: method, Path: "/" + pick(g, buckets) + "/" + s3.EscapePath(g.key()), Header: make(http.Header)}
}

func (g generator) bucket(method, sub string) trial.Request {
	r := trial.Request{Method: method, Path: "/" + pick(g, buckets), Header: make(http.Header)}
	if sub != "" {
		r.Query = s3.Query{{Name: sub}}
	}
	return r
}

// request draws an operation, the common ones more often.
func (g generator) request() trial.Request {
	switch g.IntN(24) {
	case 0, 1, 2, 3, 4, 5, 6:
		r := g.object(http.MethodPut)
		size := pick(g, []int64{0, 11, 4999, 5001, 70000})
		r.Object = &size
		g.describe(&r)
		if g.once(5) {
			r.Presigned = g.life()
		}
		return r
	case 7, 8, 9:
		r := g.object(pick(g, []string{http.MethodGet, http.MethodGet, http.MethodHead}))
		if g.once(2) {
			r.Presigned = g.life()
		}
		return r
	case 10, 11:
		return g.object(http.MethodDelete)
	case 12:
		return g.deleteMany()
	case 13:
		r := g.bucket(http.MethodGet, "")
		r.Query = s3.Query{{Name: "list-type", Value: "2", HasValue: true}, {Name: "prefix", Value: pick(g, folders), HasValue: true}}
		return r
	case 14, 15:
		r := g.object(http.MethodPut)
		// Sealed objects are not there in front of the live gateway.
		source := pick(g, []string{"", "kms/", "strict/", "public/", "plain/"}) + pick(g, names)
		r.Header.Set("X-Amz-Copy-Source", pick(g, buckets)+"/"+s3.EscapePath(source))
		g.describe(&r)
		return r
	case 16, 17:
		r := g.object(http.MethodPost)
		r.Query = s3.Query{{Name: "uploads"}}
		g.describe(&r)
		return r
	case 18:
		r := g.object(http.MethodPut)
		r.Query = s3.Query{{Name: "acl"}}
		g.acl(&r)
		if r.Header.Get("X-Amz-Acl") == "" {
			r.Header.Set("X-Amz-Acl", "private")
		}
		return r
	case 19:
		return g.bucketEncryption()
	case 20:
		return g.bucket(http.MethodDelete, pick(g, []string{"encryption", "policy", ""}))
	case 21:
		r := g.bucket(http.MethodPut, "versioning")
		r.Document = []byte("<VersioningConfiguration><Status>" + pick(g, []string{"Enabled", "Suspended"}) + "</Status></VersioningConfiguration>")
		return r
	case 22:
		r := g.bucket(http.MethodPut, "policy")
		r.Document = []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` +
			pick(g, []string{`"*"`, `{"AWS":"arn:aws:iam::111122223333:root"}`}) + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::data-a/*"}]}`)
		return r
	default:
		r := g.bucket(http.MethodPut, "publicAccessBlock")
		r.Document = []byte("<PublicAccessBlockConfiguration><BlockPublicAcls>" + pick(g, []string{"true", "false"}) +
			"</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>")
		return r
	}
}

func (g generator) life() time.Duration {
	return time.Duration(pick(g, []int{60, 900, 901, 3600, 43200, 43201, 604800})) * time.Second
}

// describe draws what a write says of its object.
func (g generator) describe(r *trial.Request) {
	if !g.once(3) {
		g.encryption(r)
	}
	if g.once(4) {
		g.acl(r)
	}
	if g.once(3) {
		r.Header.Set("X-Amz-Tagging", pick(g, []string{"owner=team-a", "owner=joe", "stage=test"}))
	}
	if g.once(5) {
		r.Header.Set("X-Amz-Storage-Class", "STANDARD_IA")
	}
	if r.Object != nil {
		r.Header.Set("X-Amz-Content-Sha256", pick(g, []string{"hash", "UNSIGNED-PAYLOAD"}))
	}
	if g.once(6) {
		r.Header.Set("X-Amz-Meta-Note", "x")
	}
}

func (g generator) acl(r *trial.Request) {
	switch g.IntN(3) {
	case 0:
		r.Header.Set("X-Amz-Acl", pick(g, []string{"private", "public-read", "authenticated-read", "bucket-owner-full-control"}))
	case 1:
		r.Header.Set("X-Amz-Grant-Read", pick(g, []string{`uri="http://acs.amazonaws.com/groups/global/AllUsers"`, `id="0123456789abcdef"`}))
	}
}

const (
	headerSSE      = "X-Amz-Server-Side-Encryption"
	headerCustomer = headerSSE + "-Customer-"
)

func (g generator) encryption(r *trial.Request) {
	switch mode := pick(g, []string{"AES256", "aws:kms", "aws:kms", "aws:kms:dsse", "customer"}); mode {
	case "customer":
		r.Header.Set(headerCustomer+"Algorithm", "AES256")
		r.Header.Set(headerCustomer+"Key", base64.StdEncoding.EncodeToString(make([]byte, 32)))
		r.Header.Set(headerCustomer+"Key-Md5", "cLyPS3KoaSFGi/joRB3OUQ==")
	case "AES256":
		r.Header.Set(headerSSE, mode)
	default:
		r.Header.Set(headerSSE, mode)
		if key := pick(g, keys); key != "" {
			r.Header.Set(headerSSE+"-Aws-Kms-Key-Id", key)
		}
		if g.once(3) {
			context := pick(g, []string{`{"dept":"finance"}`, `{"dept":"sales"}`, `{"mail":"joe@example.com"}`})
			r.Header.Set(headerSSE+"-Context", base64.StdEncoding.EncodeToString([]byte(context)))
		}
		if mode == "aws:kms" && g.once(4) {
			r.Header.Set(headerSSE+"-Bucket-Key-Enabled", pick(g, []string{"true", "false"}))
		}
	}
}

func withoutKey(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, headerCustomer) {
			h.Del(name)
		}
	}
}

func (g generator) deleteMany() trial.Request {
	r := g.bucket(http.MethodPost, "delete")
	var text strings.Builder
	for i := range 1 + g.IntN(4) {
		fmt.Fprintf(&text, "<Object><Key>%s%d</Key></Object>", g.key(), i)
	}
	r.Document = []byte("<Delete>" + text.String() + "</Delete>")
	return r
}

func (g generator) bucketEncryption() trial.Request {
	r := g.bucket(http.MethodPut, "encryption")
	mode := pick(g, []string{"AES256", "aws:kms", "aws:kms:dsse"})
	key := ""
	if k := pick(g, keys); k != "" && mode != "AES256" {
		key = "<KMSMasterKeyID>" + k + "</KMSMasterKeyID>"
	}
	r.Document = []byte("<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>" + mode +
		"</SSEAlgorithm>" + key + "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>")
	return r
}

// worlds are the postures and site rules that occur.
func worlds() []string {
	var out []string
	for _, p := range postures {
		for _, s := range sites {
			out = append(out, p+"+"+s)
		}
	}
	slices.Sort(out)
	return out
}
