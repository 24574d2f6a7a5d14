package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealgate/sealgate/tests/servers"
)

// A tool is a client program as people have it installed, unaware of any gateway.
type tool struct {
	name    string
	paths   []string // where to look, the first that is there; no slash: in PATH
	version []string // arguments that make it print its version
	steps   func(t *testing.T, c *console)
}

var tools = []tool{
	{"awscli", []string{"/usr/bin/aws", "aws"}, []string{"--version"}, awscli},
	{"s3cmd", []string{"s3cmd"}, []string{"--version"}, s3cmd},
	{"rclone", []string{"rclone"}, []string{"version"}, rclone},
	{"restic", []string{"restic"}, []string{"version"}, restic},
	{"@aws-sdk/client-s3", []string{"node"}, []string{"--version"}, javascript},
	{"boto3", []string{"python3"}, []string{"--version"}, boto3},
}

// TestTools has every client program upload, list, read back and delete through
// the gateway, with multipart uploads, before a store that encrypts and before
// one that is strict about signatures.
func TestTools(t *testing.T) {
	t.Parallel()
	setups := []struct {
		name, bucket string
		start        func(testing.TB) (*servers.RunningGateway, *servers.Store)
	}{
		{"minio with sse-s3", "sse-s3", minioGateway},
		{"minio with sse-kms", "sse-kms", minioGateway},
		{"versitygw", "none", versityGateway},
	}
	for _, tool := range tools {
		for _, setup := range setups {
			t.Run(tool.name+"/"+setup.name, func(t *testing.T) {
				t.Parallel()
				gateway, store := setup.start(t)
				c := newConsole(t, tool, gateway, setup.bucket)
				tool.steps(t, c)
				// What a tool left behind is what it should have left behind.
				transport := authority(t).Transport()
				defer transport.CloseIdleConnections()
				left, err := awsClient(direct(store), transport).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &c.bucket})
				if err != nil || len(left.Contents) != 0 {
					t.Errorf("after the tool cleaned up: %v, %+v", err, left)
				}
			})
		}
	}
}

// console runs one tool in a folder of its own, with an environment of its own.
type console struct {
	t      *testing.T
	path   string
	dir    string // also HOME
	place  place
	bucket string
	env    []string
}

var versionNumber = regexp.MustCompile(`\d+\.\d+[.\d]*`)

func newConsole(t *testing.T, of tool, gateway *servers.RunningGateway, prefix string) *console {
	t.Helper()
	c := &console{t: t, dir: t.TempDir(), place: through(gateway), bucket: bed.bucketName(prefix)}
	i := slices.IndexFunc(of.paths, func(p string) bool {
		found, err := exec.LookPath(p)
		c.path = found
		return err == nil
	})
	if i < 0 {
		t.Fatalf("%s is not installed: run `make clients`", of.paths[len(of.paths)-1])
	}
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LANG=C.UTF-8",
		"AWS_ACCESS_KEY_ID=" + c.place.accessKey, "AWS_SECRET_ACCESS_KEY=" + c.place.secretKey,
		"AWS_DEFAULT_REGION=" + servers.Region, "AWS_REGION=" + servers.Region,
		"AWS_CA_BUNDLE=" + authority(t).File, "NODE_EXTRA_CA_CERTS=" + authority(t).File,
		"ENDPOINT=" + c.place.endpoint, "BUCKET=" + c.bucket,
	}
	if of.name != "@aws-sdk/client-s3" && of.name != "boto3" { // libraries say it themselves
		took.note(of.name, versionNumber.FindString(c.run(of.version...)))
	}
	return c
}

// without takes a variable from the environment.
func (c *console) without(name string) {
	c.env = slices.DeleteFunc(c.env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
}

// run runs the tool, which must succeed, and returns what it printed.
func (c *console) run(args ...string) string {
	c.t.Helper()
	return c.runWith(nil, args...)
}

// runWith is run with something on standard input.
func (c *console) runWith(stdin []byte, args ...string) string {
	c.t.Helper()
	out, err := c.try(stdin, args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", filepath.Base(c.path), strings.Join(args, " "), err, out)
	}
	return out
}

func (c *console) try(stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), c.path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.dir, c.env, bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// write makes a file below the console's folder.
func (c *console) write(name string, body []byte) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// read wants a file below the console's folder to hold body.
func (c *console) read(name string, body []byte) {
	c.t.Helper()
	got, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Error(err)
	} else if !bytes.Equal(got, body) {
		c.t.Errorf("%s holds %d bytes, want %d, or others", name, len(got), len(body))
	}
}

// files are what tools upload: names that are hard, one that needs parts.
var files = map[string][]byte{
	"tree/empty":                 {},
	"tree/small.txt":             []byte("a few words"),
	"tree/a dir/a b+c (d).bin":   content(200_000, 71),
	"tree/a dir/ünïcødé 日本.bin":  content(65_536, 72),
	"tree/large.bin":             content(12<<20+345, 73),
	"tree/deep/er/and/deeper/~x": content(10, 74),
}

func (c *console) writeFiles() {
	c.t.Helper()
	for name, body := range files {
		c.write(name, body)
	}
}

// readFiles wants all the files to be below dir, under the names they have
// below tree.
func (c *console) readFiles(dir string) {
	c.t.Helper()
	for name, body := range files {
		c.read(filepath.Join(dir, strings.TrimPrefix(name, "tree/")), body)
	}
}

// contains wants a text to name all of the words.
func (c *console) contains(text string, words ...string) {
	c.t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			c.t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

func awscli(t *testing.T, c *console) {
	c.write(".aws/config", []byte("[default]\ns3 =\n  multipart_threshold = 6MB\n  multipart_chunksize = 5MB\n"))
	c.env = append(c.env, "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true")
	c.writeFiles()
	aws := func(args ...string) string {
		t.Helper()
		return c.run(append([]string{"--endpoint-url", c.place.endpoint}, args...)...)
	}
	root := "s3://" + c.bucket
	aws("s3", "mb", root)
	aws("s3", "cp", "--no-progress", "--recursive", "tree", root+"/up")
	c.contains(aws("s3", "ls", "--recursive", root+"/up/"), "up/a dir/a b+c (d).bin", "12583257 up/large.bin", "0 up/empty")
	aws("s3", "sync", root+"/up", "down")
	c.readFiles("down")
	if again := aws("s3", "sync", "tree", root+"/up"); strings.TrimSpace(again) != "" {
		t.Errorf("syncing the same again did something: %s", again)
	}
	aws("s3", "cp", root+"/up/large.bin", root+"/copied.bin") // by parts
	aws("s3", "cp", root+"/copied.bin", "copied.bin")
	c.read("copied.bin", files["tree/large.bin"])
	c.runWith(files["tree/large.bin"], "--endpoint-url", c.place.endpoint, "s3", "cp", "-", root+"/piped.bin")
	aws("s3api", "get-object", "--bucket", c.bucket, "--key", "piped.bin", "--range", "bytes=5242870-5242890", "part.bin")
	c.read("part.bin", files["tree/large.bin"][5242870:5242891])
	aws("s3api", "put-object", "--bucket", c.bucket, "--key", "described", "--body", "tree/small.txt", "--metadata", "a_b=c,d.e=f")
	c.contains(aws("s3api", "head-object", "--bucket", c.bucket, "--key", "described"), `"a_b": "c"`, `"d.e": "f"`)
	url := strings.TrimSpace(aws("s3", "presign", root+"/up/a dir/a b+c (d).bin"))
	if body := fetch(t, url); !bytes.Equal(body, files["tree/a dir/a b+c (d).bin"]) {
		t.Errorf("the presigned URL gave %d bytes", len(body))
	}
	aws("s3", "mv", root+"/up/small.txt", root+"/moved.txt")
	aws("s3api", "delete-objects", "--bucket", c.bucket, "--delete", `{"Objects":[{"Key":"moved.txt"},{"Key":"described"}]}`)
	aws("s3", "rm", "--recursive", root)
}

func s3cmd(t *testing.T, c *console) {
	host := strings.TrimPrefix(c.place.endpoint, "https://")
	c.write(".s3cfg", fmt.Appendf(nil, `[default]
access_key = %s
secret_key = %s
host_base = %s
host_bucket = %s
bucket_location = %s
use_https = True
ca_certs_file = %s
multipart_chunk_size_mb = 5
human_readable_sizes = False
`, c.place.accessKey, c.place.secretKey, host, host, servers.Region, authority(t).File))
	c.writeFiles()
	root := "s3://" + c.bucket
	c.run("mb", root)
	c.run("put", "--recursive", "tree/", root+"/up/")
	c.contains(c.run("ls", "--recursive", root), "up/a dir/a b+c (d).bin", "12583257", "up/empty")
	c.write("down/.keep", nil)
	c.run("get", "--recursive", root+"/up/", "down/")
	c.readFiles("down")
	c.run("cp", root+"/up/a dir/a b+c (d).bin", root+"/copied")
	c.run("get", root+"/copied", "copied")
	c.read("copied", files["tree/a dir/a b+c (d).bin"])
	c.contains(c.run("info", root+"/up/large.bin"), "12583257")
	c.run("mv", root+"/copied", root+"/moved")
	c.run("del", root+"/moved")
	c.run("del", "--recursive", "--force", root+"/up/")
}

func rclone(t *testing.T, c *console) {
	c.without("AWS_CA_BUNDLE") // it has a setting of its own, and the SDK in it fails over this one
	c.env = append(c.env, "RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_GW_TYPE=s3", "RCLONE_CONFIG_GW_PROVIDER=Other",
		"RCLONE_CONFIG_GW_ENV_AUTH=true", "RCLONE_CONFIG_GW_ENDPOINT="+c.place.endpoint, "RCLONE_CONFIG_GW_REGION="+servers.Region,
		"RCLONE_CA_CERT="+authority(t).File, "RCLONE_S3_CHUNK_SIZE=5M", "RCLONE_S3_UPLOAD_CUTOFF=6M", "RCLONE_RETRIES=1", "RCLONE_LOW_LEVEL_RETRIES=1")
	if strings.HasPrefix(c.bucket, "sse-kms") {
		// It takes an ETag for an MD5 unless it is told that KMS is in use, with
		// or without a gateway.
		c.env = append(c.env, "RCLONE_S3_SERVER_SIDE_ENCRYPTION=aws:kms")
	}
	c.writeFiles()
	root := "gw:" + c.bucket
	c.run("mkdir", root)
	c.run("copy", "tree", root+"/up")
	c.run("check", "--download", "tree", root+"/up")
	c.contains(c.run("lsl", root+"/up"), "a dir/a b+c (d).bin", "12583257")
	c.run("copy", root+"/up", "down")
	c.readFiles("down")
	if again := c.run("copy", "--dry-run", "-v", "tree", root+"/up"); strings.Contains(again, "Skipped copy") {
		t.Errorf("copying the same again would do something: %s", again)
	}
	c.runWith(files["tree/large.bin"], "rcat", root+"/piped")
	c.run("copyto", root+"/piped", root+"/copied")
	c.run("copyto", root+"/copied", "copied")
	c.read("copied", files["tree/large.bin"])
	c.run("delete", root)
}

func restic(t *testing.T, c *console) {
	c.env = append(c.env, "RESTIC_REPOSITORY=s3:"+c.place.endpoint+"/"+c.bucket, "RESTIC_PASSWORD=of the tests", "RESTIC_CACHE_DIR="+c.dir+"/cache")
	c.writeFiles()
	restic := func(args ...string) string {
		t.Helper()
		return c.run(append([]string{"--cacert", authority(t).File}, args...)...)
	}
	restic("init")
	restic("backup", "tree")
	c.write("tree/small.txt", []byte("other words"))
	restic("backup", "tree")
	c.write("tree/small.txt", files["tree/small.txt"])
	restic("check", "--read-data")
	snapshots := restic("snapshots", "--compact")
	c.contains(snapshots, "2 snapshots")
	first := regexp.MustCompile(`(?m)^[0-9a-f]{8}`).FindString(snapshots)
	restic("restore", first, "--target", "down")
	c.readFiles("down/tree")
	restic("forget", "--keep-last", "1", "--prune")
	restic("check", "--read-data")
	// It has no command to remove itself.
	transport := authority(t).Transport()
	defer transport.CloseIdleConnections()
	client := awsClient(c.place, transport)
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &c.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &c.bucket, Key: o.Key}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
