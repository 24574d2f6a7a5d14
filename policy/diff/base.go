package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// base is an ordinary request of one operation, by one identity, about one resource.
type base struct {
	op    Operation
	in    *policy.Input
	facts [2]policy.Posture // what the postures of A and B say of it
	paths map[string]bool   // that a difference of this base can depend on, beside rules.focus
}

// Bounds of what bases are made of, so that a posture of a thousand buckets does not
// make millions of them.
const (
	maxResources  = 200
	maxIdentities = 40
	maxMoments    = 20
)

// preferred operations stand for those that are treated like them.
var preferred = []string{"PutObject", "GetObject", "DeleteObject", "ListObjectsV2", "CopyObject", "CreateMultipartUpload",
	"UploadPart", "HeadObject", "DeleteObjects", "PutObjectAcl", "PutBucketPolicy", "PutBucketEncryption", "CreateBucket", "ListBuckets"}

// basesOf makes the requests that the two policies tell apart. Those no grant of either
// covers are left out and counted: the gateway itself denies them, and nothing lifts it.
func basesOf(o Options, x *rules) (bases []base, skipped int, cut bool) {
	operations := slices.Clone(o.Operations)
	slices.SortStableFunc(operations, func(a, b Operation) int { return cmp.Compare(preference(a), preference(b)) })
	resources, cutResources := resourcesOf(o, x)
	identities, cutIdentities := identitiesOf(o, x)
	d := distinguisher{x: x, sides: [2]*policy.Generation{o.A, o.B}, seen: map[string]bool{}, facts: map[string]string{}}
	for _, g := range d.sides {
		for _, t := range g.Mentioned().Moments[:min(maxMoments, len(g.Mentioned().Moments))] {
			d.moments = append(d.moments, t.Add(-time.Second), t)
		}
	}
	for _, op := range operations {
		asked := map[[2]string]bool{}
		for _, r := range resources {
			if !op.Object {
				r.Key = ""
			}
			if !op.Bucket {
				r.Bucket = ""
			}
			at := [2]string{r.Bucket, r.Key}
			if asked[at] || op.Object && r.Key == "" {
				continue
			}
			asked[at] = true
			for _, id := range identities {
				b := base{op: op, in: ordinary(o, op, r, id)}
				switch d.add(&b) {
				case fresh:
					b.suit()
					bases = append(bases, b)
				case ungranted:
					skipped++
				}
			}
		}
	}
	return bases, skipped, cutResources || cutIdentities
}

func preference(op Operation) int {
	if i := slices.Index(preferred, op.Name); i >= 0 {
		return i
	}
	return len(preferred)
}

// distinguisher finds the requests that both policies treat alike.
type distinguisher struct {
	x       *rules
	sides   [2]*policy.Generation
	seen    map[string]bool
	facts   map[string]string // of entries, by side and id
	moments []time.Time
}

type novelty int

const (
	known novelty = iota
	ungranted
	fresh
)

func (d *distinguisher) add(b *base) novelty {
	var sign strings.Builder
	op := b.op
	fmt.Fprintf(&sign, "%s %s %t %t %t %t %t %t|", op.Class, op.Method, op.ReadOnly, op.Bucket, op.Object, op.Document, op.Encrypts, op.Copies)
	for _, name := range []string{op.Name, op.Action, b.in.Identity.Principal} {
		if slices.Contains(d.x.named, name) {
			sign.WriteString(name)
		}
		sign.WriteByte('|')
	}
	id := b.in.Identity
	fmt.Fprintf(&sign, "%s|", id.AuthMethod)
	for _, g := range id.Groups {
		if slices.Contains(d.x.named, g) {
			sign.WriteString(g + " ")
		}
	}
	for _, text := range d.x.named {
		if text != "" && (strings.Contains(b.in.Resource.Key, text) || strings.Contains(b.in.Resource.Bucket, text)) {
			fmt.Fprintf(&sign, "%q", text)
		}
	}
	granted := false
	var waivers, actions [2]map[string]string
	for i, g := range d.sides {
		in := b.in.Clone()
		g.Fill(in)
		b.facts[i] = in.Posture
		granted = granted || len(in.Grants.Missing) == 0
		waivers[i], actions[i] = dated(g, in, d.moments)
		fmt.Fprintf(&sign, "|%t %s %v", len(in.Grants.Missing) == 0, d.factsOf(i, in.Posture), waivers[i])
	}
	if d.seen[sign.String()] {
		return known
	}
	d.seen[sign.String()] = true
	if !granted {
		return ungranted
	}
	b.paths = map[string]bool{}
	for rule, paths := range d.x.byID {
		if waivers[0][rule] != waivers[1][rule] || actions[0][rule] != actions[1][rule] || b.facts[0].Enforcement != b.facts[1].Enforcement {
			maps.Copy(b.paths, paths)
			b.paths["time"] = true // exceptions and actions have dates
		}
	}
	return fresh
}

// dated is what exceptions, windows and actions there are for a request, by rule, at
// the present and at the moments at which any of it changes.
func dated(g *policy.Generation, in *policy.Input, moments []time.Time) (waivers, actions map[string]string) {
	waivers, actions = map[string]string{}, map[string]string{}
	note := func() {
		for _, w := range in.Posture.Waivers {
			waivers[w.Rule] += fmt.Sprint(in.Time.NS, w.Kind, w.ID, " ")
		}
		for rule, action := range in.Posture.Actions {
			actions[rule] += fmt.Sprint(in.Time.NS, action, " ")
		}
	}
	note()
	for _, t := range moments {
		in.Time = policy.TimeAt(t)
		g.Fill(in)
		note()
	}
	return waivers, actions
}

// factsOf is what an entry says, without its name and what depends on the request.
func (d *distinguisher) factsOf(side int, p policy.Posture) string {
	key := fmt.Sprint(side, p.ID)
	if text, ok := d.facts[key]; ok {
		return text
	}
	covered := p.ID != ""
	p.ID, p.BucketGlob, p.Prefix, p.Waivers = "", "", "", nil
	document, err := json.Marshal(p)
	if err != nil {
		panic("internal error: " + err.Error()) // it is made of texts and numbers
	}
	d.facts[key] = fmt.Sprint(covered, string(document))
	return d.facts[key]
}

// ordinary is a request nobody would find anything wrong with.
func ordinary(o Options, op Operation, r policy.Resource, id policy.Identity) *policy.Input {
	in := &policy.Input{
		Identity: id,
		Request: policy.Request{
			ID: "DIFF", Operation: op.Name, Action: op.Action, Class: op.Class, Method: op.Method, ReadOnly: op.ReadOnly,
			Payload: policy.PayloadNone,
		},
		Resource:  r,
		Transport: policy.Transport{TLS: true, TLSVersion: "1.3", SourceIP: "203.0.113.7", SNI: "s3.example.com", Cipher: "TLS_AES_128_GCM_SHA256"},
		Time:      policy.TimeAt(o.Now),
		Gateway:   policy.Gateway{Upstream: "s3.example.com", Region: "us-east-1"},
	}
	if op.Class == policy.ClassWrite || op.Document {
		in.Request.Payload, in.Request.ContentLength = policy.PayloadHash, 11
	}
	if op.Name == "PostObject" && id.Verified {
		in.Identity.AuthMethod = policy.AuthPost
	}
	if op.Copies {
		in.Request.SourceActions = policy.List{"s3:GetObject"}
		in.CopySource = policy.CopySource{Present: true, Resource: policy.Resource{Bucket: r.Bucket, Key: r.Key}}
	}
	if strings.HasPrefix(op.Name, "UploadPart") {
		in.Request.Multipart = policy.Multipart{Active: true, UploadID: "upload", PartNumber: 1}
	}
	if op.Name == "DeleteObjects" {
		in.Request.KeyCount = 1
	}
	if op.Document {
		in.Document = policy.Document{Present: true}
	}
	return in
}

// suit makes an ordinary request fit what the postures ask for, so that one thing which
// is wrong with all requests does not hide every difference.
func (b *base) suit() {
	for _, p := range b.facts {
		if p.Checksum != "" {
			b.in.Request.Checksum = "sha256"
		}
		if p.ClientCert != "" {
			b.in.Transport.ClientCert = policy.ClientCert{Present: true, Subject: "CN=client"}
		}
		if len(p.Residency) > 0 {
			b.in.Gateway.Region = p.Residency[0]
		}
	}
}

// resourcesOf lists buckets and objects: one for each entry of the postures and pattern
// of the grants and waivers, and for each text that rules may compare keys with, and one
// nobody has named.
func resourcesOf(o Options, x *rules) (out []policy.Resource, cut bool) {
	var buckets, keys []string
	var have [][2]string
	add := func(bucket, key string) {
		at := [2]string{bucket, key}
		if bucket != "" && !slices.Contains(have, at) {
			have = append(have, at)
			out = append(out, policy.Resource{Bucket: bucket, Key: key})
		}
	}
	for _, g := range []*policy.Generation{o.A, o.B} {
		for r := range g.PostureRules() {
			bucket := posture.Sample(r.BucketGlob, "x")
			buckets = append(buckets, bucket)
			add(bucket, r.Prefix+"k")
		}
		for _, pattern := range g.Mentioned().Resources {
			bucket, key, inside := strings.Cut(posture.Sample(pattern, "x"), "/")
			if strings.HasPrefix(pattern, "*") {
				keys = append(keys, key)
				continue
			}
			buckets = append(buckets, bucket)
			if inside && key != "" {
				add(bucket, key)
			} else {
				add(bucket, "k")
			}
		}
	}
	for _, path := range []string{"resource.bucket", "copy_source.resource.bucket"} {
		buckets = append(buckets, x.texts[path]...)
	}
	for _, path := range []string{"resource.key", "resource.prefixes", "copy_source.resource.key", "copy_source.resource.prefixes"} {
		for _, text := range x.texts[path] {
			if strings.HasSuffix(text, "/") {
				text += "k"
			}
			keys = append(keys, text)
		}
	}
	buckets = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(buckets))), func(b string) bool { return strings.ContainsAny(b, "/ ") })
	for _, bucket := range append(buckets, "unnamed-bucket") {
		add(bucket, "k")
		for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
			add(bucket, key)
		}
	}
	slices.SortStableFunc(out, func(a, b policy.Resource) int {
		return cmp.Or(cmp.Compare(strings.Count(a.Key, "/"), strings.Count(b.Key, "/")), cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key))
	})
	if len(out) > maxResources {
		return out[:maxResources], true
	}
	return out, false
}

// identitiesOf lists one identity for each principal and group that is named, one
// nobody has named, and nobody.
func identitiesOf(o Options, x *rules) (out []policy.Identity, cut bool) {
	var principals, groups []string
	for _, g := range []*policy.Generation{o.A, o.B} {
		n := g.Mentioned()
		principals, groups = append(principals, n.Principals...), append(groups, n.Groups...)
	}
	principals = append(principals, x.texts["identity.principal"]...)
	groups = append(groups, x.texts["identity.groups"]...)
	unique := func(list []string) []string {
		return slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(list))), func(s string) bool { return s == "" })
	}
	signed := func(principal string, groups ...string) policy.Identity {
		return policy.Identity{AuthMethod: policy.AuthHeader, Verified: true, AccessKey: "AKDIFF", Principal: principal, Groups: groups}
	}
	for _, name := range unique(principals) {
		out = append(out, signed(name))
	}
	for _, name := range unique(groups) {
		out = append(out, signed("somebody", name))
	}
	if len(out) > maxIdentities {
		out, cut = out[:maxIdentities], true
	}
	return append(out, signed("somebody"), policy.Identity{AuthMethod: policy.AuthAnonymous}), cut
}
