package sse

import (
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// Document is what an XML document says about encryption and about buckets
// that it makes the store write to.
type Document struct {
	// Kind is the name of the root element, such as
	// "ServerSideEncryptionConfiguration".
	Kind string
	// Settings are the encryptions it chooses, in document order. A document
	// that leaves the encryption to a bucket's default has none.
	Settings []Setting
	// Blocked are the kinds of encryption a bucket is told to refuse ("SSE-C",
	// or "NONE" to refuse none); nil leaves that as it is.
	Blocked []string
	// Destinations are the buckets the store will write to, by name where the
	// document has arn:…:s3:::NAME, otherwise as written (ARNs of table buckets).
	Destinations []string
}

// Setting is one encryption that a document chooses.
type Setting struct {
	// Path of the element below the root, repeated elements numbered from 1:
	// "Rule[1]/Destination/EncryptionConfiguration".
	Path string
	// Mode is "" for a setting that names no algorithm: a rule that only sets
	// the bucket key or what is blocked.
	Mode      Mode
	KeyID     string
	BucketKey *bool
	Context   map[string]string
}

// reader is how the documents of one operation are read.
type reader struct {
	root   string
	schema schema
	read   func(root *element, d *Document) error
	empty  bool // the body may be missing
}

// readers has an entry for every operation whose body chooses an encryption or
// makes the store write to another bucket (SDK model of S3, service/s3
// v1.114.8). Paths are relative to the root element.
var readers = map[string]reader{
	"PutBucketEncryption": {root: "ServerSideEncryptionConfiguration", read: readBucketEncryption, schema: schema{
		"Rule": many,
		"Rule/ApplyServerSideEncryptionByDefault":                branch,
		"Rule/ApplyServerSideEncryptionByDefault/SSEAlgorithm":   leaf,
		"Rule/ApplyServerSideEncryptionByDefault/KMSMasterKeyID": leaf,
		"Rule/BucketKeyEnabled":                                  leaf,
		"Rule/BlockedEncryptionTypes":                            branch,
		"Rule/BlockedEncryptionTypes/EncryptionType":             leaves,
	}},
	"UpdateObjectEncryption": {root: "ObjectEncryption", read: readObjectEncryption, schema: schema{
		"SSE-KMS":                  branch,
		"SSE-KMS/KMSKeyArn":        leaf,
		"SSE-KMS/BucketKeyEnabled": leaf,
	}},
	"PutBucketReplication": {root: "ReplicationConfiguration", read: readReplication, schema: schema{
		"Rule":                    many,
		"Rule/Destination":        branch,
		"Rule/Destination/Bucket": leaf,
		"Rule/Destination/EncryptionConfiguration":                   branch,
		"Rule/Destination/EncryptionConfiguration/ReplicaKmsKeyID":   leaf,
		"Rule/SourceSelectionCriteria":                               branch,
		"Rule/SourceSelectionCriteria/SseKmsEncryptedObjects":        branch,
		"Rule/SourceSelectionCriteria/SseKmsEncryptedObjects/Status": leaf,
	}},
	"PutBucketInventoryConfiguration": {root: "InventoryConfiguration", read: readInventory, schema: schema{
		"Destination":                                              branch,
		"Destination/S3BucketDestination":                          branch,
		"Destination/S3BucketDestination/Bucket":                   leaf,
		"Destination/S3BucketDestination/Encryption":               branch,
		"Destination/S3BucketDestination/Encryption/SSE-S3":        branch,
		"Destination/S3BucketDestination/Encryption/SSE-KMS":       branch,
		"Destination/S3BucketDestination/Encryption/SSE-KMS/KeyId": leaf,
	}},
	"RestoreObject": {root: "RestoreRequest", read: readRestore, schema: schema{
		"OutputLocation":                              branch,
		"OutputLocation/S3":                           branch,
		"OutputLocation/S3/BucketName":                leaf,
		"OutputLocation/S3/Encryption":                branch,
		"OutputLocation/S3/Encryption/EncryptionType": leaf,
		"OutputLocation/S3/Encryption/KMSKeyId":       leaf,
		"OutputLocation/S3/Encryption/KMSContext":     leaf,
	}},
	"CreateBucketMetadataConfiguration": {root: "MetadataConfiguration", read: readMetadata, schema: schema{
		"JournalTableConfiguration":                                         branch,
		"JournalTableConfiguration/EncryptionConfiguration":                 branch,
		"JournalTableConfiguration/EncryptionConfiguration/SseAlgorithm":    leaf,
		"JournalTableConfiguration/EncryptionConfiguration/KmsKeyArn":       leaf,
		"InventoryTableConfiguration":                                       branch,
		"InventoryTableConfiguration/EncryptionConfiguration":               branch,
		"InventoryTableConfiguration/EncryptionConfiguration/SseAlgorithm":  leaf,
		"InventoryTableConfiguration/EncryptionConfiguration/KmsKeyArn":     leaf,
		"AnnotationTableConfiguration":                                      branch,
		"AnnotationTableConfiguration/EncryptionConfiguration":              branch,
		"AnnotationTableConfiguration/EncryptionConfiguration/SseAlgorithm": leaf,
		"AnnotationTableConfiguration/EncryptionConfiguration/KmsKeyArn":    leaf,
	}},
	"CreateBucketMetadataTableConfiguration": {root: "MetadataTableConfiguration", read: readTableDestination, schema: schema{
		"S3TablesDestination":                branch,
		"S3TablesDestination/TableBucketArn": leaf,
	}},
	"UpdateBucketMetadataInventoryTableConfiguration":  {root: "InventoryTableConfiguration", read: readTable, schema: tableSchema},
	"UpdateBucketMetadataJournalTableConfiguration":    {root: "JournalTableConfiguration", read: readTable},
	"UpdateBucketMetadataAnnotationTableConfiguration": {root: "AnnotationTableConfiguration", read: readTable, schema: tableSchema},
	"CreateBucket": {root: "CreateBucketConfiguration", read: readNothing, empty: true},
	"PutBucketLogging": {root: "BucketLoggingStatus", read: readLogging, schema: schema{
		"LoggingEnabled":              branch,
		"LoggingEnabled/TargetBucket": leaf,
	}},
	"PutBucketAnalyticsConfiguration": {root: "AnalyticsConfiguration", read: readAnalytics, schema: schema{
		"StorageClassAnalysis":                                                   branch,
		"StorageClassAnalysis/DataExport":                                        branch,
		"StorageClassAnalysis/DataExport/Destination":                            branch,
		"StorageClassAnalysis/DataExport/Destination/S3BucketDestination":        branch,
		"StorageClassAnalysis/DataExport/Destination/S3BucketDestination/Bucket": leaf,
	}},
}

var tableSchema = schema{
	"EncryptionConfiguration":              branch,
	"EncryptionConfiguration/SseAlgorithm": leaf,
	"EncryptionConfiguration/KmsKeyArn":    leaf,
}

// ParseDocument reads the body of an operation. ok is false for an operation
// whose documents neither choose an encryption nor name another bucket; the
// body is not looked at then. Errors are [*s3.Error], MalformedXML unless S3
// has a better one.
//
// Elements that have nothing to do with either are tolerated. An element whose
// name belongs to an encryption, in any case of letters, and that stands where
// S3 does not know it, is not: the store could read what the policy did not.
func ParseDocument(operation string, body []byte) (doc Document, ok bool, err error) {
	r, ok := readers[operation]
	if !ok {
		return Document{}, false, nil
	}
	if len(body) == 0 && r.empty {
		return Document{Kind: r.root}, true, nil
	}
	root, err := parseTree(body, r)
	if err != nil {
		return Document{}, true, err
	}
	d := Document{Kind: r.root}
	if err := r.read(root, &d); err != nil {
		return Document{}, true, err
	}
	return d, true, nil
}

// choose adds a setting made of an algorithm and a key, as four of the
// documents have it. where is the argument S3 blames.
func (d *Document) choose(s Setting, algorithm string, where string) error {
	m, ok := modeOf(algorithm)
	switch {
	case foreign(algorithm):
		return s3.ErrNotImplemented.WithMessage(msgUnsupported).With("ArgumentName", where).With("ArgumentValue", algorithm)
	case !ok:
		return s3.ErrMalformedXML
	case s.KeyID != "" && !m.usesKMS():
		return s3.ErrInvalidArgument.WithMessage(msgKeyForOther).With("ArgumentName", where)
	case len(s.Context) > 0 && !m.usesKMS():
		return s3.ErrInvalidArgument.WithMessage(msgKeyWithoutKMS).With("ArgumentName", where)
	case m == DSSE && s.BucketKey != nil && *s.BucketKey:
		return s3.ErrInvalidArgument.WithMessage(msgBucketKeyDSSE).With("ArgumentName", where)
	}
	s.Mode = m
	d.Settings = append(d.Settings, s)
	return nil
}

// msgKeyForOther is S3's sentence for a key without a use in a bucket's
// default; we use it for the other documents too.
const msgKeyForOther = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"

// writesTo adds a destination, which must not be empty.
func (d *Document) writesTo(bucket string) error {
	if bucket == "" {
		return s3.ErrMalformedXML
	}
	d.Destinations = append(d.Destinations, bucketName(bucket))
	return nil
}

// bucketName shortens arn:PARTITION:s3:::NAME to NAME.
func bucketName(s string) string {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" && parts[2] == "s3" && parts[3] == "" && parts[4] == "" {
		return parts[5]
	}
	return s
}
