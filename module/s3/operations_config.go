package s3

// configOperations create, delete and configure buckets.
var configOperations = []Operation{
	{
		Name: "CreateBucket", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Action: "s3:CreateBucket",
	},
	{
		Name: "CreateBucketMetadataConfiguration", Method: "POST", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "metadataConfiguration"}},
		Action:  "s3:CreateBucketMetadataTableConfiguration", ChecksumRequired: true, AWSOnly: true,
	},
	{
		Name: "CreateBucketMetadataTableConfiguration", Method: "POST", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "metadataTable"}},
		Action:  "s3:CreateBucketMetadataTableConfiguration", ChecksumRequired: true, AWSOnly: true,
	},
	{
		Name: "DeleteBucket", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Action: "s3:DeleteBucket",
	},
	{
		Name: "DeleteBucketAnalyticsConfiguration", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "analytics"}, {Name: "id"}},
		Action:  "s3:PutAnalyticsConfiguration", AWSOnly: true,
	},
	{
		Name: "DeleteBucketCors", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "cors"}},
		Action:  "s3:PutBucketCORS",
	},
	{
		Name: "DeleteBucketEncryption", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "encryption"}},
		Action:  "s3:PutEncryptionConfiguration",
	},
	{
		Name: "DeleteBucketIntelligentTieringConfiguration", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "intelligent-tiering"}, {Name: "id"}},
		Action:  "s3:PutIntelligentTieringConfiguration", AWSOnly: true,
	},
	{
		Name: "DeleteBucketInventoryConfiguration", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "inventory"}, {Name: "id"}},
		Action:  "s3:PutInventoryConfiguration", AWSOnly: true,
	},
	{
		Name: "DeleteBucketLifecycle", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "lifecycle"}},
		Action:  "s3:PutLifecycleConfiguration",
	},
	{
		Name: "DeleteBucketMetadataConfiguration", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "metadataConfiguration"}},
		Action:  "s3:DeleteBucketMetadataTableConfiguration", AWSOnly: true,
	},
	{
		Name: "DeleteBucketMetadataTableConfiguration", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "metadataTable"}},
		Action:  "s3:DeleteBucketMetadataTableConfiguration", AWSOnly: true,
	},
	{
		Name: "DeleteBucketMetricsConfiguration", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "metrics"}, {Name: "id"}},
		Action:  "s3:PutMetricsConfiguration", AWSOnly: true,
	},
	{
		Name: "DeleteBucketOwnershipControls", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "ownershipControls"}},
		Action:  "s3:PutBucketOwnershipControls",
	},
	{
		Name: "DeleteBucketPolicy", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "policy"}},
		Action:  "s3:DeleteBucketPolicy",
	},
	{
		Name: "DeleteBucketReplication", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "replication"}},
		Action:  "s3:PutReplicationConfiguration",
	},
	{
		Name: "DeleteBucketTagging", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "tagging"}},
		Action:  "s3:PutBucketTagging",
	},
	{
		Name: "DeleteBucketWebsite", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "website"}},
		Action:  "s3:DeleteBucketWebsite",
	},
	{
		Name: "DeletePublicAccessBlock", Method: "DELETE", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "publicAccessBlock"}},
		Action:  "s3:PutBucketPublicAccessBlock",
	},
	{
		Name: "GetBucketAbac", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "abac"}},
		Action:  "s3:GetBucketABAC", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetBucketAccelerateConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "accelerate"}},
		Action:  "s3:GetAccelerateConfiguration", ReadOnly: true,
	},
	{
		Name: "GetBucketAcl", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "acl"}},
		Action:  "s3:GetBucketAcl", ReadOnly: true,
	},
	{
		Name: "GetBucketAnalyticsConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "analytics"}, {Name: "id"}},
		Action:  "s3:GetAnalyticsConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetBucketCors", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "cors"}},
		Action:  "s3:GetBucketCORS", ReadOnly: true,
	},
	{
		Name: "GetBucketEncryption", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "encryption"}},
		Action:  "s3:GetEncryptionConfiguration", ReadOnly: true,
	},
	{
		Name: "GetBucketIntelligentTieringConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "intelligent-tiering"}, {Name: "id"}},
		Action:  "s3:GetIntelligentTieringConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetBucketInventoryConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "inventory"}, {Name: "id"}},
		Action:  "s3:GetInventoryConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetBucketLifecycleConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "lifecycle"}},
		Action:  "s3:GetLifecycleConfiguration", ReadOnly: true, Aliases: []string{"GetBucketLifecycle"},
	},
	{
		Name: "GetBucketLocation", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "location"}},
		Action:  "s3:GetBucketLocation", ReadOnly: true,
	},
	{
		Name: "GetBucketLogging", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "logging"}},
		Action:  "s3:GetBucketLogging", ReadOnly: true,
	},
	{
		Name: "GetBucketMetadataConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "metadataConfiguration"}},
		Action:  "s3:GetBucketMetadataTableConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetBucketMetadataTableConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "metadataTable"}},
		Action:  "s3:GetBucketMetadataTableConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetBucketMetricsConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "metrics"}, {Name: "id"}},
		Action:  "s3:GetMetricsConfiguration", ReadOnly: true, AWSOnly: true,
	},
	{
		Name: "GetBucketNotificationConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "notification"}},
		Action:  "s3:GetBucketNotification", ReadOnly: true, Aliases: []string{"GetBucketNotification"},
	},
	{
		Name: "GetBucketOwnershipControls", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "ownershipControls"}},
		Action:  "s3:GetBucketOwnershipControls", ReadOnly: true,
	},
	{
		Name: "GetBucketPolicy", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "policy"}},
		Action:  "s3:GetBucketPolicy", ReadOnly: true,
	},
	{
		Name: "GetBucketPolicyStatus", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "policyStatus"}},
		Action:  "s3:GetBucketPolicyStatus", ReadOnly: true,
	},
	{
		Name: "GetBucketReplication", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "replication"}},
		Action:  "s3:GetReplicationConfiguration", ReadOnly: true,
	},
	{
		Name: "GetBucketRequestPayment", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "requestPayment"}},
		Action:  "s3:GetBucketRequestPayment", ReadOnly: true,
	},
	{
		Name: "GetBucketTagging", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "tagging"}},
		Action:  "s3:GetBucketTagging", ReadOnly: true,
	},
	{
		Name: "GetBucketVersioning", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "versioning"}},
		Action:  "s3:GetBucketVersioning", ReadOnly: true,
	},
	{
		Name: "GetBucketWebsite", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "website"}},
		Action:  "s3:GetBucketWebsite", ReadOnly: true,
	},
	{
		Name: "GetObjectLockConfiguration", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "object-lock"}},
		Action:  "s3:GetBucketObjectLockConfiguration", ReadOnly: true,
	},
	{
		Name: "GetPublicAccessBlock", Method: "GET", Scope: ScopeBucket, Class: ClassBucketConfig,
		Require: []Term{{Name: "publicAccessBlock"}},
		Action:  "s3:GetBucketPublicAccessBlock", ReadOnly: true,
	},
	{
		Name: "PutBucketAbac", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "abac"}},
		Action:  "s3:PutBucketABAC", AWSOnly: true,
	},
	{
		Name: "PutBucketAccelerateConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "accelerate"}},
		Action:  "s3:PutAccelerateConfiguration",
	},
	{
		Name: "PutBucketAcl", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "acl"}},
		Action:  "s3:PutBucketAcl", ChecksumRequired: true,
	},
	{
		Name: "PutBucketAnalyticsConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "analytics"}, {Name: "id"}},
		Action:  "s3:PutAnalyticsConfiguration", AWSOnly: true,
	},
	{
		Name: "PutBucketCors", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "cors"}},
		Action:  "s3:PutBucketCORS", ChecksumRequired: true,
	},
	{
		Name: "PutBucketEncryption", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "encryption"}},
		Action:  "s3:PutEncryptionConfiguration", ChecksumRequired: true,
	},
	{
		Name: "PutBucketIntelligentTieringConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "intelligent-tiering"}, {Name: "id"}},
		Action:  "s3:PutIntelligentTieringConfiguration", AWSOnly: true,
	},
	{
		Name: "PutBucketInventoryConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "inventory"}, {Name: "id"}},
		Action:  "s3:PutInventoryConfiguration", AWSOnly: true,
	},
	{
		Name: "PutBucketLifecycleConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "lifecycle"}},
		Action:  "s3:PutLifecycleConfiguration", ChecksumRequired: true, Aliases: []string{"PutBucketLifecycle"},
	},
	{
		Name: "PutBucketLogging", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "logging"}},
		Action:  "s3:PutBucketLogging", ChecksumRequired: true,
	},
	{
		Name: "PutBucketMetricsConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "metrics"}, {Name: "id"}},
		Action:  "s3:PutMetricsConfiguration", AWSOnly: true,
	},
	{
		Name: "PutBucketNotificationConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "notification"}},
		Action:  "s3:PutBucketNotification", Aliases: []string{"PutBucketNotification"},
	},
	{
		Name: "PutBucketOwnershipControls", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "ownershipControls"}},
		Action:  "s3:PutBucketOwnershipControls", ChecksumRequired: true,
	},
	{
		Name: "PutBucketPolicy", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "policy"}},
		Action:  "s3:PutBucketPolicy", ChecksumRequired: true,
	},
	{
		Name: "PutBucketReplication", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "replication"}},
		Action:  "s3:PutReplicationConfiguration", ChecksumRequired: true,
	},
	{
		Name: "PutBucketRequestPayment", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "requestPayment"}},
		Action:  "s3:PutBucketRequestPayment", ChecksumRequired: true,
	},
	{
		Name: "PutBucketTagging", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "tagging"}},
		Action:  "s3:PutBucketTagging", ChecksumRequired: true,
	},
	{
		Name: "PutBucketVersioning", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "versioning"}},
		Action:  "s3:PutBucketVersioning", ChecksumRequired: true,
	},
	{
		Name: "PutBucketWebsite", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "website"}},
		Action:  "s3:PutBucketWebsite", ChecksumRequired: true,
	},
	{
		Name: "PutObjectLockConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "object-lock"}},
		Action:  "s3:PutBucketObjectLockConfiguration", ChecksumRequired: true,
	},
	{
		Name: "PutPublicAccessBlock", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "publicAccessBlock"}},
		Action:  "s3:PutBucketPublicAccessBlock", ChecksumRequired: true,
	},
	{
		Name: "UpdateBucketMetadataAnnotationTableConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "metadataAnnotationTable"}},
		Action:  "s3:UpdateBucketMetadataAnnotationTableConfiguration", ChecksumRequired: true, AWSOnly: true,
	},
	{
		Name: "UpdateBucketMetadataInventoryTableConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "metadataInventoryTable"}},
		Action:  "s3:UpdateBucketMetadataInventoryTableConfiguration", ChecksumRequired: true, AWSOnly: true,
	},
	{
		Name: "UpdateBucketMetadataJournalTableConfiguration", Method: "PUT", Scope: ScopeBucket, Class: ClassBucketConfig, Body: BodyDocument,
		Require: []Term{{Name: "metadataJournalTable"}},
		Action:  "s3:UpdateBucketMetadataJournalTableConfiguration", ChecksumRequired: true, AWSOnly: true,
	},
}
