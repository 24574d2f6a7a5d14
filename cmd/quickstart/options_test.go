package main

import (
	"io"
	"path/filepath"
	"testing"
)

func TestParseOptions(t *testing.T) {
	t.Parallel()
	aws := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
	regional := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}
	relative, err := filepath.Abs("demo")
	if err != nil {
		t.Fatal(err)
	}
	rules, own := filepath.Join(filepath.Dir(relative), "files", "policy"), filepath.Join(filepath.Dir(relative), "files", "posture.yaml")
	for _, tc := range []struct {
		name   string
		args   []string
		env    map[string]string
		want   options
		store  string
		failed bool
	}{
		{name: "defaults", want: options{region: "us-east-1", bucket: defaultBucket}},
		{name: "check", args: []string{"-check"}, want: options{check: true, region: "us-east-1", bucket: defaultBucket}},
		{name: "folder is made absolute", args: []string{"-dir", "demo"}, want: options{dir: relative, region: "us-east-1", bucket: defaultBucket}},
		{name: "listen", args: []string{"-listen", "127.0.0.1:9100"}, want: options{listen: "127.0.0.1:9100", region: "us-east-1", bucket: defaultBucket}},
		{name: "listen on IPv6", args: []string{"-listen", "[::1]:9100"}, want: options{listen: "[::1]:9100", region: "us-east-1", bucket: defaultBucket}},
		{name: "listen on everything", args: []string{"-listen", ":9100"}, failed: true},
		{name: "listen on a name", args: []string{"-listen", "localhost:9100"}, failed: true},
		{name: "listen without a port", args: []string{"-listen", "127.0.0.1"}, failed: true},
		{name: "listen on port 0", args: []string{"-listen", "127.0.0.1:0"}, failed: true},
		{name: "bucket", args: []string{"-bucket", "my.bucket-1"}, want: options{region: "us-east-1", bucket: "my.bucket-1"}},
		{name: "bucket that is none", args: []string{"-bucket", `x": {}`}, failed: true},
		{name: "store", args: []string{"-store", "https://s3.example.com"}, env: aws, store: "https://s3.example.com", want: options{region: "us-east-1", bucket: defaultBucket}},
		{name: "store and region", args: []string{"-store", "https://s3.example.com"}, env: regional, store: "https://s3.example.com", want: options{region: "eu-central-1", bucket: defaultBucket}},
		{name: "store without credentials", args: []string{"-store", "https://s3.example.com"}, failed: true},
		{name: "store on this machine", args: []string{"-store", "http://localhost:9300"}, env: aws, store: "http://localhost:9300", want: options{region: "us-east-1", bucket: defaultBucket}},
		{name: "store in plaintext elsewhere", args: []string{"-store", "http://10.0.0.1:9000"}, env: aws, failed: true},
		{name: "store that is no URL", args: []string{"-store", "s3.example.com"}, env: aws, failed: true},
		{name: "own policy", args: []string{"-policy", "files/policy"}, want: options{policy: rules, region: "us-east-1", bucket: defaultBucket}},
		{name: "own posture", args: []string{"-posture", "files/posture.yaml"}, want: options{posture: own, region: "us-east-1", bucket: defaultBucket}},
		{name: "own policy that is not there", args: []string{"-policy", "files/none"}, failed: true},
		{name: "own posture that is not there", args: []string{"-posture", "files/none"}, failed: true},
		{name: "argument", args: []string{"check"}, failed: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseOptions(tc.args, io.Discard, func(name string) string { return tc.env[name] })
			if tc.failed {
				if err == nil {
					t.Errorf("accepted: %+v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			store := ""
			if got.store != nil {
				store, got.store = got.store.String(), nil
			}
			if got != tc.want || store != tc.store {
				t.Errorf("got %+v, store %q\nwant %+v, store %q", got, store, tc.want, tc.store)
			}
		})
	}
}
