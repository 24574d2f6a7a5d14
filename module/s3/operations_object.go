package s3

// responseOverrides are the query keys that set a reply header on a read.
var responseOverrides = []string{
	"response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires",
}

// objectOperations address one object, or no bucket at all.
var objectOperations = []Operation{
	{
		Name: "AbortMultipartUpload", Method: "DELETE", Scope: ScopeObject, Class: ClassDelete,
		Require: []Term{{Name: "uploadId"}},
		Action:  "s3:AbortMultipartUpload",
	},
	{
		Name: "CompleteMultipartUpload", Method: "POST", Scope: ScopeObject, Class: ClassWrite, Body: BodyDocument,
		Require: []Term{{Name: "uploadId"}},
		Action:  "s3:PutObject", ErrorIn200: true,
	},
	{
		Name: "CopyObject", Method: "PUT", Scope: ScopeObject, Class: ClassWrite,
		RequireHeaders: []Term{{Name: "x-amz-copy-source"}}, Optional: []string{"x-amz-object-annotation-directive"},
		Action: "s3:PutObject", ErrorIn200: true,
	},
	{
		Name: "CreateMultipartUpload", Method: "POST", Scope: ScopeObject, Class: ClassWrite,
		Require: []Term{{Name: "uploads"}},
		Action:  "s3:PutObject",
	},
	{
		Name: "DeleteObject", Method: "DELETE", Scope: ScopeObject, Class: ClassDelete,
		Optional: []string{"versionId"},
		Action:   "s3:DeleteObject",
	},
	{
		Name: "DeleteObjectAnnotation", Method: "DELETE", Scope: ScopeObject, Class: ClassDelete,
		Require: []Term{{Name: "annotation"}, {Name: "annotationName"}}, Optional: []string{"versionId"},
		Action: "s3:DeleteObjectAnnotation", AWSOnly: true,
	},
	{
		Name: "DeleteObjectTagging", Method: "DELETE", Scope: ScopeObject, Class: ClassObjectConfig,
		Require: []Term{{Name: "tagging"}}, Optional: []string{"versionId"},
		Action: "s3:DeleteObjectTagging",
	},
	{
		Name: "GetObject", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Optional: append([]string{"partNumber", "versionId"}, responseOverrides...),
		Action:   "s3:GetObject", ReadOnly: true,
	},
	{
		Name: "GetObjectAcl", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Require: []Term{{Name: "acl"}}, Optional: []string{"versionId"},
		Action: "s3:GetObjectAcl", ReadOnly: true,
	},
	{
		Name: "GetObjectAnnotation", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Require: []Term{{Name: "annotation"}, {Name: "annotationName"}}, Optional: []string{"versionId"},
		Action: "s3:GetObjectAnnotation", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetObjectAttributes", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Require: []Term{{Name: "attributes"}}, RequireHeaders: []Term{{Name: "x-amz-object-attributes"}}, Optional: []string{"versionId"},
		Action: "s3:GetObjectAttributes", ReadOnly: true,
	},
	{
		Name: "GetObjectLegalHold", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Require: []Term{{Name: "legal-hold"}}, Optional: []string{"versionId"},
		Action: "s3:GetObjectLegalHold", ReadOnly: true,
	},
	{
		Name: "GetObjectRetention", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Require: []Term{{Name: "retention"}}, Optional: []string{"versionId"},
		Action: "s3:GetObjectRetention", ReadOnly: true,
	},
	{
		Name: "GetObjectTagging", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Require: []Term{{Name: "tagging"}}, Optional: []string{"versionId"},
		Action: "s3:GetObjectTagging", ReadOnly: true,
	},
	{
		Name: "GetObjectTorrent", Method: "GET", Scope: ScopeObject, Class: ClassRead,
		Require: []Term{{Name: "torrent"}},
		Action:  "s3:GetObjectTorrent", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "HeadObject", Method: "HEAD", Scope: ScopeObject, Class: ClassRead,
		Optional: append([]string{"partNumber", "versionId"}, responseOverrides...),
		Action:   "s3:GetObject", ReadOnly: true,
	},
	{
		Name: "ListBuckets", Method: "GET", Scope: ScopeService, Class: ClassList,
		Optional: []string{"bucket-region", "continuation-token", "max-buckets", "prefix"},
		Action:   "s3:ListAllMyBuckets", ReadOnly: true,
	},
	{
		Name: "ListDirectoryBuckets", Method: "GET", Scope: ScopeService, Class: ClassList,
		Optional: []string{"continuation-token", "max-directory-buckets"},
		Action:   "s3express:ListAllMyDirectoryBuckets", ReadOnly: true, AWSOnly: true, Refused: "Directory buckets are not supported.",
	},
	{
		Name: "ListObjectAnnotations", Method: "GET", Scope: ScopeObject, Class: ClassList,
		Require: []Term{{Name: "annotation"}}, Optional: []string{"annotation-prefix", "continuation-token", "max-annotation-results", "versionId"},
		Action: "s3:ListObjectAnnotations", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "ListParts", Method: "GET", Scope: ScopeObject, Class: ClassList,
		Require: []Term{{Name: "uploadId"}}, Optional: []string{"max-parts", "part-number-marker"},
		Action: "s3:ListMultipartUploadParts", ReadOnly: true,
	},
	{
		Name: "OptionsPreflight", Method: "OPTIONS", Scope: ScopeAny, Class: ClassAdmin,
		RequireHeaders: []Term{{Name: "origin"}, {Name: "access-control-request-method"}},
		ReadOnly:       true,
	},
	{
		Name: "PutObject", Method: "PUT", Scope: ScopeObject, Class: ClassWrite, Body: BodyObject,
		Action: "s3:PutObject",
	},
	{
		Name: "PutObjectAcl", Method: "PUT", Scope: ScopeObject, Class: ClassObjectConfig, Body: BodyDocument,
		Require: []Term{{Name: "acl"}}, Optional: []string{"versionId"},
		Action: "s3:PutObjectAcl", ChecksumRequired: true,
	},
	{
		Name: "PutObjectAnnotation", Method: "PUT", Scope: ScopeObject, Class: ClassWrite, Body: BodyObject,
		Require: []Term{{Name: "annotation"}, {Name: "annotationName"}}, Optional: []string{"versionId"},
		Action: "s3:PutObjectAnnotation", AWSOnly: true,
	},
	{
		Name: "PutObjectLegalHold", Method: "PUT", Scope: ScopeObject, Class: ClassObjectConfig, Body: BodyDocument,
		Require: []Term{{Name: "legal-hold"}}, Optional: []string{"versionId"},
		Action: "s3:PutObjectLegalHold", ChecksumRequired: true,
	},
	{
		Name: "PutObjectRetention", Method: "PUT", Scope: ScopeObject, Class: ClassObjectConfig, Body: BodyDocument,
		Require: []Term{{Name: "retention"}}, Optional: []string{"versionId"},
		Action: "s3:PutObjectRetention", ChecksumRequired: true,
	},
	{
		Name: "PutObjectTagging", Method: "PUT", Scope: ScopeObject, Class: ClassObjectConfig, Body: BodyDocument,
		Require: []Term{{Name: "tagging"}}, Optional: []string{"versionId"},
		Action: "s3:PutObjectTagging", ChecksumRequired: true,
	},
	{
		Name: "RenameObject", Method: "PUT", Scope: ScopeObject, Class: ClassWrite,
		Require: []Term{{Name: "renameObject"}}, RequireHeaders: []Term{{Name: "x-amz-rename-source"}},
		Action: "s3express:CreateSession", AWSOnly: true, Refused: "RenameObject works on directory buckets only, which are not supported.",
	},
	{
		Name: "RestoreObject", Method: "POST", Scope: ScopeObject, Class: ClassObjectConfig, Body: BodyDocument,
		Require: []Term{{Name: "restore"}}, Optional: []string{"versionId"},
		Action: "s3:RestoreObject",
	},
	{
		Name: "SelectObjectContent", Method: "POST", Scope: ScopeObject, Class: ClassRead, Body: BodyDocument,
		Require: []Term{{Name: "select"}, {Name: "select-type", Value: "2"}},
		Action:  "s3:GetObject", ReadOnly: true, AWSOnly: true, Refused: "S3 Select is not supported.",
	},
	{
		Name: "UpdateObjectEncryption", Method: "PUT", Scope: ScopeObject, Class: ClassWrite, Body: BodyDocument,
		Require: []Term{{Name: "encryption"}}, Optional: []string{"versionId"},
		Action: "s3:UpdateObjectEncryption", ChecksumRequired: true, AWSOnly: true,
	},
	{
		Name: "UploadPart", Method: "PUT", Scope: ScopeObject, Class: ClassWrite, Body: BodyObject,
		Require: []Term{{Name: "partNumber"}, {Name: "uploadId"}},
		Action:  "s3:PutObject",
	},
	{
		Name: "UploadPartCopy", Method: "PUT", Scope: ScopeObject, Class: ClassWrite,
		Require: []Term{{Name: "partNumber"}, {Name: "uploadId"}}, RequireHeaders: []Term{{Name: "x-amz-copy-source"}},
		Action: "s3:PutObject", ErrorIn200: true,
	},
	{
		Name: "WriteGetObjectResponse", Method: "POST", Scope: ScopeService, Class: ClassAdmin, Body: BodyObject,
		RequireHeaders: []Term{{Name: "x-amz-request-route"}, {Name: "x-amz-request-token"}},
		Action:         "s3-object-lambda:WriteGetObjectResponse", AWSOnly: true, Refused: "S3 Object Lambda is not supported.",
	},
}
