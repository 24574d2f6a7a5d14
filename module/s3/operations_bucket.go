package s3

// bucketOperations address a bucket and concern the objects in it.
var bucketOperations = []Operation{
	{
		Name: "CreateSession", Method: "GET", Scope: ScopeBucket, Class: ClassAdmin,
		Require: []Term{{Name: "session"}},
		Action:  "s3express:CreateSession", ReadOnly: true, AWSOnly: true, Refused: "S3 Express sessions are not supported.",
	},
	{
		Name: "DeleteObjects", Method: "POST", Scope: ScopeBucket, Class: ClassDelete, Body: BodyDocument,
		Require: []Term{{Name: "delete"}},
		Action:  "s3:DeleteObject", ChecksumRequired: true,
	},
	{
		Name: "HeadBucket", Method: "HEAD", Scope: ScopeBucket, Class: ClassList,
		Action: "s3:ListBucket", ReadOnly: true,
	},
	{
		Name: "ListBucketAnalyticsConfigurations", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Require: []Term{{Name: "analytics"}}, Optional: []string{"continuation-token"},
		Action: "s3:GetAnalyticsConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "ListBucketIntelligentTieringConfigurations", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Require: []Term{{Name: "intelligent-tiering"}}, Optional: []string{"continuation-token"},
		Action: "s3:GetIntelligentTieringConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "ListBucketInventoryConfigurations", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Require: []Term{{Name: "inventory"}}, Optional: []string{"continuation-token"},
		Action: "s3:GetInventoryConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "ListBucketMetricsConfigurations", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Require: []Term{{Name: "metrics"}}, Optional: []string{"continuation-token"},
		Action: "s3:GetMetricsConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "ListMultipartUploads", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Require: []Term{{Name: "uploads"}}, Optional: []string{"delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker"},
		Action: "s3:ListBucketMultipartUploads", ReadOnly: true,
	},
	{
		Name: "ListObjectVersions", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Require: []Term{{Name: "versions"}}, Optional: []string{"delimiter", "encoding-type", "key-marker", "max-keys", "prefix", "version-id-marker"},
		Action: "s3:ListBucketVersions", ReadOnly: true,
	},
	{
		Name: "ListObjects", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Optional: []string{"delimiter", "encoding-type", "marker", "max-keys", "prefix"},
		Action:   "s3:ListBucket", ReadOnly: true,
	},
	{
		Name: "ListObjectsV2", Method: "GET", Scope: ScopeBucket, Class: ClassList,
		Require: []Term{{Name: "list-type", Value: "2"}}, Optional: []string{"continuation-token", "delimiter", "encoding-type", "fetch-owner", "max-keys", "prefix", "start-after"},
		Action: "s3:ListBucket", ReadOnly: true,
	},
	{
		Name: "PostObject", Method: "POST", Scope: ScopeBucket, Class: ClassWrite, Body: BodyForm,
		RequireHeaders: []Term{{Name: "content-type", Value: "multipart/form-data"}},
		Action:         "s3:PutObject",
	},
}
