package bench

import (
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// manyRules is how many entries of a posture requests are made for.
const manyRules = 50

// requestsFor makes ordinary requests for the entries of a posture, by the first
// identities that its grants name.
func requestsFor(postureFile string) ([]policy.Input, error) {
	data, err := os.ReadFile(postureFile) //nolint:gosec // the author names the file
	if err != nil {
		return nil, err
	}
	p, err := posture.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", postureFile, err)
	}
	who, err := identity(data)
	if err != nil {
		return nil, err
	}
	var out []policy.Input
	for rule := range p.Rules() {
		if len(out) >= manyRules*len(ordinary) {
			break
		}
		bucket := strings.NewReplacer("*", "x", "?", "x").Replace(rule.BucketGlob)
		for _, make := range ordinary {
			in := make(bucket, rule.Prefix+"2026/report.csv")
			in.Identity = who
			out = append(out, in)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: the posture has no buckets", postureFile)
	}
	return out, nil
}

// identity is one that has grants, as far as names tell.
func identity(data []byte) (policy.Identity, error) {
	var file struct {
		Grants []struct {
			Principals []string `yaml:"principals"`
			Groups     []string `yaml:"groups"`
		} `yaml:"grants"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return policy.Identity{}, err
	}
	who := policy.Identity{AuthMethod: policy.AuthHeader, Verified: true, AccessKey: "AKIDBENCH", Principal: "bench"}
	for _, g := range file.Grants {
		for _, name := range g.Principals {
			if name != "*" && name != "anonymous" && who.Principal == "bench" {
				who.Principal = name
			}
		}
		who.Groups = append(who.Groups, g.Groups...)
	}
	return who, nil
}

// ordinary are the requests that most traffic is made of.
var ordinary = []func(bucket, key string) policy.Input{
	func(b, k string) policy.Input { return request(policy.ClassWrite, "PutObject", "PUT", b, k) },
	func(b, k string) policy.Input { return request(policy.ClassRead, "GetObject", "GET", b, k) },
	func(b, k string) policy.Input { return request(policy.ClassRead, "HeadObject", "HEAD", b, k) },
	func(b, k string) policy.Input { return request(policy.ClassDelete, "DeleteObject", "DELETE", b, k) },
	func(b, _ string) policy.Input { return request(policy.ClassList, "ListObjectsV2", "GET", b, "") },
	func(b, k string) policy.Input {
		in := request(policy.ClassWrite, "UploadPart", "PUT", b, k)
		in.Request.Action = "s3:PutObject"
		in.Request.Multipart = policy.Multipart{Active: true, UploadID: "u", PartNumber: 7}
		return in
	},
	func(b, k string) policy.Input {
		in := request(policy.ClassRead, "GetObject", "GET", b, k)
		in.Request.Presign = policy.Presign{Active: true, AgeS: 20, ExpiresS: 300}
		return in
	},
	func(b, k string) policy.Input {
		in := request(policy.ClassWrite, "CopyObject", "PUT", b, k)
		in.Request.Action, in.Request.SourceActions = "s3:PutObject", policy.List{"s3:GetObject"}
		in.CopySource = policy.CopySource{Present: true, Resource: policy.Resource{Bucket: b, Key: k}}
		return in
	},
}

func request(class, operation, method, bucket, key string) policy.Input {
	return policy.Input{
		Request: policy.Request{
			ID: "4e1f0c9a", Operation: operation, Action: "s3:" + operation, Class: class, Method: method,
			ReadOnly: class == policy.ClassRead || class == policy.ClassList, ContentLength: 4096, Payload: policy.PayloadHash,
			Headers: policy.Map{"x-amz-content-sha256": strings.Repeat("0", 64), "x-amz-date": "20261123T080910Z"},
		},
		Resource:  policy.Resource{Bucket: bucket, Key: key},
		Transport: policy.Transport{TLS: true, TLSVersion: "1.3", SourceIP: "192.0.2.7", SNI: "s3.example.com"},
		Gateway:   policy.Gateway{Upstream: "s3.eu-central-1.amazonaws.com", Region: "eu-central-1"},
	}
}
