package awscli_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/cli/awscli"
	"github.com/sealgate/sealgate/module/cli/trial"
)

// line is a request in one line: method, path, query and headers, sorted.
func line(r trial.Request) string {
	var query []string
	for _, p := range r.Query {
		text := p.Name
		if p.HasValue {
			text += "=" + p.Value
		}
		query = append(query, text)
	}
	out := r.Method + " " + r.Path
	if len(query) > 0 {
		out += "?" + strings.Join(query, "&")
	}
	var headers []string
	for name, v := range r.Header {
		headers = append(headers, strings.ToLower(name)+": "+v[0])
	}
	slices.Sort(headers)
	for _, h := range headers {
		out += " | " + h
	}
	if r.Object != nil {
		out += fmt.Sprintf(" | %d bytes", *r.Object)
	}
	if r.Presigned > 0 {
		out += " | presigned " + r.Presigned.String()
	}
	if r.Times > 0 {
		out += fmt.Sprintf(" | and %d more", r.Times)
	}
	if len(r.Document) > 0 {
		out += " | " + string(r.Document)
	}
	return out
}

const listed = "GET /b?list-type=2&prefix="

func TestParse(t *testing.T) {
	t.Parallel()
	sizes := map[string]int64{"small": 11, "exact": 8 << 20, "large": 8<<20 + 1, "huge": 100 << 20}
	defaults := awscli.Defaults{Size: func(file string) int64 {
		if n, ok := sizes[file]; ok {
			return n
		}
		return -1
	}}
	for command, want := range map[string][]string{
		"s3 cp small s3://b/k":                                  {"PUT /b/k | 11 bytes"},
		"aws s3 cp small s3://b/dir/":                           {"PUT /b/dir/small | 11 bytes"},
		"s3 cp dir/small s3://b":                                {"PUT /b/small | 1024 bytes"},
		"s3 cp exact s3://b/k":                                  {"PUT /b/k | 8388608 bytes"},
		"s3 cp small 's3://b/a b+c'":                            {"PUT /b/a%20b%2Bc | 11 bytes"},
		"s3 cp small s3://b/k --sse":                            {"PUT /b/k | x-amz-server-side-encryption: AES256 | 11 bytes"},
		"s3 cp --sse small s3://b/k":                            {"PUT /b/k | x-amz-server-side-encryption: AES256 | 11 bytes"},
		"s3 cp small s3://b/k --sse=aws:kms --sse-kms-key-id K": {"PUT /b/k | x-amz-server-side-encryption-aws-kms-key-id: K | x-amz-server-side-encryption: aws:kms | 11 bytes"},
		"s3 cp small s3://b/k --acl private --metadata a=1,b=2": {"PUT /b/k | x-amz-acl: private | x-amz-meta-a: 1 | x-amz-meta-b: 2 | 11 bytes"},
		"s3 cp large s3://b/k --sse aws:kms": {
			"POST /b/k?uploads | x-amz-checksum-algorithm: CRC64NVME | x-amz-server-side-encryption: aws:kms",
			"PUT /b/k?partNumber=1&uploadId={upload} | 8388608 bytes | and 1 more",
			"POST /b/k?uploadId={upload} | <CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>",
		},
		"s3 cp s3://b/k .":                                      {"HEAD /b/k", "GET /b/k"},
		"s3 cp s3://b/k s3://c/":                                {"HEAD /b/k", "PUT /c/k | x-amz-copy-source: b/k"},
		"s3 mv s3://b/k s3://c/j --sse AES256":                  {"HEAD /b/k", "PUT /c/j | x-amz-copy-source: b/k | x-amz-server-side-encryption: AES256", "DELETE /b/k"},
		"s3 mv small s3://b/k":                                  {"PUT /b/k | 11 bytes"},
		"s3 rm s3://b/k":                                        {"DELETE /b/k"},
		"s3 rm s3://b/dir --recursive":                          {listed + "dir&encoding-type=url", "DELETE /b/dir/file"},
		"s3 ls":                                                 {"GET /"},
		"s3 ls s3://b/p/":                                       {listed + "p/&delimiter=/&encoding-type=url"},
		"s3 ls b --recursive":                                   {listed + "&encoding-type=url"},
		"s3 sync . s3://b/p":                                    {listed + "p&encoding-type=url", "PUT /b/p/file | 1024 bytes"},
		"s3 sync . s3://b/p --delete":                           {listed + "p&encoding-type=url", "PUT /b/p/file | 1024 bytes", "DELETE /b/p/no-longer-there"},
		"s3 presign s3://b/k":                                   {"GET /b/k | presigned 1h0m0s"},
		"s3 presign s3://b/k --expires-in 604800":               {"GET /b/k | presigned 168h0m0s"},
		"s3api put-object --bucket b --key k":                   {"PUT /b/k | 0 bytes"},
		"s3api get-object --bucket b --key k out":               {"GET /b/k"},
		"s3api delete-object --bucket b --key k --version-id v": {"DELETE /b/k?versionId=v"},
		"s3api put-object --bucket b --key k --body small --server-side-encryption aws:kms --ssekms-key-id K --bucket-key-enabled --tagging a=b": {
			"PUT /b/k | x-amz-server-side-encryption-aws-kms-key-id: K | x-amz-server-side-encryption-bucket-key-enabled: true | x-amz-server-side-encryption: aws:kms | x-amz-tagging: a=b | 11 bytes"},
		`s3api put-object --bucket b --key k --ssekms-encryption-context '{"a":"b"}'`: {"PUT /b/k | x-amz-server-side-encryption-context: eyJhIjoiYiJ9 | 0 bytes"},
		"s3api copy-object --bucket b --key k --copy-source c/j":                      {"PUT /b/k | x-amz-copy-source: c/j"},
		"s3api create-multipart-upload --bucket b --key k --acl private":              {"POST /b/k?uploads | x-amz-acl: private"},
		"s3api delete-objects --bucket b --delete 'Objects=[{Key=a},{Key=b}],Quiet=true'": {
			"POST /b?delete | <Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object><Quiet>true</Quiet></Delete>"},
		`s3api delete-objects --bucket b --delete '{"Objects":[{"Key":"a"}]}'`: {"POST /b?delete | <Delete><Object><Key>a</Key></Object></Delete>"},
		"s3api put-bucket-encryption --bucket b --server-side-encryption-configuration 'Rules=[{ApplyServerSideEncryptionByDefault={SSEAlgorithm=AES256}}]'": {
			"PUT /b?encryption | <ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"},
		"s3api put-bucket-versioning --bucket b --versioning-configuration Status=Suspended": {"PUT /b?versioning | <VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"},
		"s3api put-bucket-acl --bucket b --acl public-read":                                  {"PUT /b?acl | x-amz-acl: public-read"},
		"s3api delete-bucket-encryption --bucket b":                                          {"DELETE /b?encryption"},
		"--region eu-central-1 s3 ls s3://b":                                                 {listed + "&delimiter=/&encoding-type=url"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			c, err := awscli.Parse(command, defaults)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range c.Requests {
				got = append(got, line(r))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestParseGlobals(t *testing.T) {
	t.Parallel()
	c, err := awscli.Parse("s3 ls s3://b --no-sign-request --region eu-west-1 --profile p --endpoint-url https://x", awscli.Defaults{})
	if err != nil || !c.Anonymous || c.Region != "eu-west-1" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"":                                   "a service and an operation",
		"s3":                                 "a service and an operation",
		"ec2 run-instances":                  "only s3 and s3api",
		"s3 frobnicate s3://b":               "there are: cp, ls",
		"s3 cp a s3://b/k --foo bar":         "unknown option --foo",
		"s3 cp a s3://b/k --foo --bar x":     "unknown option --foo, --bar",
		"s3 cp a s3://b/k --acl":             "--acl needs a value",
		"s3 cp a s3://b/k --recursive=yes":   "--recursive takes no value",
		"s3 cp a b":                          "a place such as s3://bucket/key",
		"s3 cp a":                            "what to copy and where to",
		"s3 rm s3://b":                       "names no object",
		"s3 cp 'a s3://b/k":                  "a quote is not closed",
		"s3 presign s3://b/k --expires-in 0": "between 1 and 604800",
		"s3api put-object --bucket b":        "needs --key",
		"s3api put-object --key k":           "needs --bucket",
		"s3api put-object --bucket b --key k --sse AES256":     "unknown option --sse",
		"s3api delete-objects --bucket b --delete 'Objects=['": "--delete",
		"s3api copy-object --bucket b --key k":                 "--copy-source",
		"s3 cp a s3://b/k --sse-c AES256 --sse-c-key short":    "32 bytes",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			c, err := awscli.Parse(command, awscli.Defaults{})
			var usage *awscli.UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v, error %v, want one with %q", c, err, want)
			}
		})
	}
}

// Files are read only where the caller lets them be.
func TestParseFiles(t *testing.T) {
	t.Parallel()
	const command = "s3api put-bucket-policy --bucket b --policy file://p.json"
	if _, err := awscli.Parse(command, awscli.Defaults{}); err == nil {
		t.Error("a file was read")
	}
	c, err := awscli.Parse(command, awscli.Defaults{Read: func(name string) ([]byte, error) {
		if name != "p.json" {
			return nil, os.ErrNotExist
		}
		return []byte("{}"), nil
	}})
	if err != nil || string(c.Requests[0].Document) != "{}" {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"s3 cp a s3://b/k --sse aws:kms", `s3api delete-objects --bucket b --delete '{"Objects":[{"Key":"a"}]}'`,
		"s3api put-bucket-versioning --bucket b --versioning-configuration Status=Enabled", `s3 cp "a b" s3://b/\k`, "--region x s3 ls",
		"s3api put-bucket-encryption --bucket b --server-side-encryption-configuration Rules=[{A={B=[c,d]}}]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, command string) {
		c, err := awscli.Parse(command, awscli.Defaults{})
		var usage *awscli.UsageError
		switch {
		case err != nil && !errors.As(err, &usage):
			t.Errorf("error %v is none of usage", err)
		case err == nil && len(c.Requests) == 0:
			t.Errorf("%q sends nothing", command)
		}
	})
}
