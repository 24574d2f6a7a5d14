package s3

import (
	"slices"
	"strings"
	"testing"
)

func TestActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target string
		headers        []string
		want           string // space separated
		source         string
	}{
		{"GET", "/bucket/k", nil, "s3:GetObject", ""},
		{"HEAD", "/bucket/k", nil, "s3:GetObject", ""},
		{"GET", "/bucket/k?versionId=v", nil, "s3:GetObjectVersion", ""},
		{"HEAD", "/bucket/k?versionId=null", nil, "s3:GetObjectVersion", ""},
		{"GET", "/bucket/k?attributes", []string{"X-Amz-Object-Attributes: ETag"}, "s3:GetObjectAttributes s3:GetObject", ""},
		{"GET", "/bucket/k?attributes&versionId=v", []string{"X-Amz-Object-Attributes: ETag"}, "s3:GetObjectVersionAttributes s3:GetObjectVersion", ""},
		{"GET", "/bucket/k?tagging&versionId=v", nil, "s3:GetObjectVersionTagging", ""},
		{"PUT", "/bucket/k?tagging", nil, "s3:PutObjectTagging", ""},
		{"PUT", "/bucket/k?tagging&versionId=v", nil, "s3:PutObjectVersionTagging", ""},
		{"DELETE", "/bucket/k?tagging&versionId=v", nil, "s3:DeleteObjectVersionTagging", ""},
		{"GET", "/bucket/k?acl&versionId=v", nil, "s3:GetObjectVersionAcl", ""},
		{"PUT", "/bucket/k?acl&versionId=v", []string{"X-Amz-Acl: private"}, "s3:PutObjectVersionAcl", ""},
		{"PUT", "/bucket/k", nil, "s3:PutObject", ""},
		{"PUT", "/bucket/k", []string{"X-Amz-Tagging: a=b"}, "s3:PutObject s3:PutObjectTagging", ""},
		{"PUT", "/bucket/k", []string{"X-Amz-Acl: public-read"}, "s3:PutObject s3:PutObjectAcl", ""},
		{"POST", "/bucket/k?uploads", []string{"X-Amz-Grant-Read: id=1"}, "s3:PutObject s3:PutObjectAcl", ""},
		{"PUT", "/bucket/k", []string{"X-Amz-Object-Lock-Mode: GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date: x", "X-Amz-Object-Lock-Legal-Hold: ON"},
			"s3:PutObject s3:PutObjectRetention s3:PutObjectLegalHold", ""},
		{"PUT", "/bucket/k", []string{"X-Amz-Object-Lock-Event-Hold: ON"}, "s3:PutObject s3:PutObjectRetention", ""},
		{"PUT", "/bucket/k?" + presignedQuery + "&x-amz-acl=public-read", nil, "s3:PutObject s3:PutObjectAcl", ""},
		{"PUT", "/bucket/k?partNumber=1&uploadId=u", nil, "s3:PutObject", ""},
		{"PUT", "/bucket/k?partNumber=1&uploadId=u", []string{copySource}, "s3:PutObject", "s3:GetObject"},
		{"PUT", "/bucket/k", []string{copySource}, "s3:PutObject", "s3:GetObject"},
		{"PUT", "/bucket/k", []string{copySource + "?versionId=v"}, "s3:PutObject", "s3:GetObjectVersion"},
		{"PUT", "/bucket/k", []string{copySource, "X-Amz-Tagging-Directive: COPY"}, "s3:PutObject s3:PutObjectTagging", "s3:GetObject s3:GetObjectTagging"},
		{"PUT", "/bucket/k", []string{copySource + "?versionId=v", "X-Amz-Tagging-Directive: COPY"}, "s3:PutObject s3:PutObjectTagging", "s3:GetObjectVersion s3:GetObjectVersionTagging"},
		{"PUT", "/bucket/k", []string{copySource, "X-Amz-Object-Annotation-Directive: COPY"}, "s3:PutObject s3:PutObjectAnnotation", "s3:GetObject s3:GetObjectAnnotation"},
		{"POST", "/bucket/k?uploadId=u", nil, "s3:PutObject", ""},
		{"DELETE", "/bucket/k", nil, "s3:DeleteObject", ""},
		{"DELETE", "/bucket/k?versionId=v", []string{"X-Amz-Bypass-Governance-Retention: true"}, "s3:DeleteObjectVersion s3:BypassGovernanceRetention", ""},
		{"DELETE", "/bucket/k", []string{"X-Amz-Bypass-Governance-Retention: false"}, "s3:DeleteObject", ""},
		{"POST", "/bucket?delete", []string{"X-Amz-Bypass-Governance-Retention: TRUE"}, "s3:DeleteObject s3:BypassGovernanceRetention", ""},
		{"PUT", "/bucket/k?retention", []string{"X-Amz-Bypass-Governance-Retention: true"}, "s3:PutObjectRetention s3:BypassGovernanceRetention", ""},
		{"PUT", "/bucket", nil, "s3:CreateBucket", ""},
		{"PUT", "/bucket", []string{"X-Amz-Acl: private", "X-Amz-Bucket-Object-Lock-Enabled: true", "X-Amz-Object-Ownership: ObjectWriter"},
			"s3:CreateBucket s3:PutBucketAcl s3:PutBucketObjectLockConfiguration s3:PutBucketVersioning s3:PutBucketOwnershipControls", ""},
		{"PUT", "/bucket?encryption", nil, "s3:PutEncryptionConfiguration", ""},
		{"DELETE", "/bucket?encryption", nil, "s3:PutEncryptionConfiguration", ""},
		{"GET", "/bucket?versioning", nil, "s3:GetBucketVersioning", ""},
		{"GET", "/bucket", nil, "s3:ListBucket", ""},
		{"HEAD", "/bucket", nil, "s3:ListBucket", ""},
		{"GET", "/bucket?versions", nil, "s3:ListBucketVersions", ""},
		{"GET", "/bucket?uploads", nil, "s3:ListBucketMultipartUploads", ""},
		{"GET", "/bucket/k?uploadId=u", nil, "s3:ListMultipartUploadParts", ""},
		{"DELETE", "/bucket/k?uploadId=u", nil, "s3:AbortMultipartUpload", ""},
		{"GET", "/", nil, "s3:ListAllMyBuckets", ""},
		{"OPTIONS", "/bucket/k", []string{"Origin: a", "Access-Control-Request-Method: PUT"}, "", ""},
	} {
		t.Run(c.method+" "+c.target+" "+strings.Join(c.headers, ","), func(t *testing.T) {
			t.Parallel()
			r := parse(t, c.method, c.target, c.headers...)
			if got := r.Actions(); !slices.Equal(got, strings.Fields(c.want)) {
				t.Errorf("got actions %v, want %s", got, c.want)
			}
			if got := r.SourceActions(); !slices.Equal(got, strings.Fields(c.source)) {
				t.Errorf("got source actions %v, want %s", got, c.source)
			}
		})
	}
}
