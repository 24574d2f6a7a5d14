package s3

import (
	"strings"
	"testing"
)

func TestParseCopySource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want CopySource
		err  string
	}{
		{in: "bucket/key", want: CopySource{"bucket", "key", ""}},
		{in: "/bucket/key", want: CopySource{"bucket", "key", ""}},
		{in: "/bucket//key", want: CopySource{"bucket", "/key", ""}},
		{in: "%2Fbucket%2Fa%2Fb", want: CopySource{"bucket", "a/b", ""}},
		{in: "bucket/a%20b%2Bc+d", want: CopySource{"bucket", "a b+c+d", ""}},
		{in: "bucket/a%3FversionId%3Dx", want: CopySource{"bucket", "a?versionId=x", ""}},
		{in: "bucket/%2525", want: CopySource{"bucket", "%25", ""}},
		{in: "bucket/../x/./y", want: CopySource{"bucket", "../x/./y", ""}},
		{in: "bucket/é", want: CopySource{"bucket", "é", ""}},
		{in: "bucket/k?versionId=a%2Fb", want: CopySource{"bucket", "k", "a/b"}},
		{in: "bucket/k?versionId=null", want: CopySource{"bucket", "k", "null"}},
		{in: "", err: "InvalidArgument: Copy Source must mention"},
		{in: "/", err: "InvalidArgument"},
		{in: "bucket", err: "InvalidArgument"},
		{in: "bucket/", err: "InvalidArgument"},
		{in: "//bucket/key", err: "InvalidArgument"},
		{in: "Bucket/key", err: "InvalidBucketName"},
		{in: "../bucket/key", err: "InvalidBucketName"},
		{in: "b--use1-az4--x-s3/key", err: "NotImplemented"},
		{in: "arn:aws:s3:us-east-1:1:accesspoint/ap/object/key", err: "NotImplemented: ARN"},
		{in: "arn%3Aaws%3As3%3Aus-east-1%3A1%3Aaccesspoint%2Fap%2Fobject%2Fkey", err: "NotImplemented: ARN"},
		{in: "bucket/%zz", err: "InvalidArgument"},
		{in: "bucket/%00", err: "InvalidArgument"},
		{in: "bucket/%ff", err: "InvalidArgument"},
		{in: "bucket/k?versionId=", err: "InvalidArgument"},
		{in: "bucket/k?", err: "InvalidArgument"},
		{in: "bucket/k?versionid=v", err: "InvalidArgument"},
		{in: "bucket/k?versionId=v&acl", err: "InvalidArgument"},
		{in: "bucket/k?versionId=v?versionId=w", err: "InvalidArgument"},
		{in: "bucket/k?acl", err: "InvalidArgument"},
		{in: "bucket/" + strings.Repeat("k", 1025), err: "KeyTooLongError"},
	} {
		t.Run(printable(c.in), func(t *testing.T) {
			t.Parallel()
			got, err := ParseCopySource(c.in)
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil || got != c.want {
				t.Fatalf("got %v, %v; want %v", got, err, c.want)
			}
			if again, err := ParseCopySource(got.Header()); err != nil || again != got {
				t.Errorf("Header %q reads back as %v, %v", got.Header(), again, err)
			}
		})
	}
	if got, want := (CopySource{"bucket", "a b/+?é", "x/y"}).Header(), "bucket/a%20b/%2B%3F%C3%A9?versionId=x%2Fy"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
