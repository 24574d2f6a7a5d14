package sse

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/s3"
)

const (
	ns     = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`
	tbl    = `<EncryptionConfiguration><SseAlgorithm>aws:kms</SseAlgorithm><KmsKeyArn>` + arnA + `</KmsKeyArn></EncryptionConfiguration>`
	tblS3  = `<EncryptionConfiguration><SseAlgorithm>AES256</SseAlgorithm></EncryptionConfiguration>`
	invTop = `<InventoryConfiguration><Destination><S3BucketDestination><Bucket>arn:aws:s3:::logs</Bucket>`
	invEnd = `</S3BucketDestination></Destination><IsEnabled>true</IsEnabled></InventoryConfiguration>`
)

func sseConfig(rules string) string {
	return "<ServerSideEncryptionConfiguration" + ns + ">" + rules + "</ServerSideEncryptionConfiguration>"
}

func sseRule(apply, more string) string {
	return sseConfig("<Rule><ApplyServerSideEncryptionByDefault>" + apply + "</ApplyServerSideEncryptionByDefault>" + more + "</Rule>")
}

func restore(encryption string) string {
	return `<RestoreRequest` + ns + `><Type>SELECT</Type><Tier>Bulk</Tier><SelectParameters><Expression>x</Expression></SelectParameters><OutputLocation><S3><BucketName>out</BucketName><Prefix>p</Prefix>` +
		encryption + `<AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>u</URI></Grantee></Grant></AccessControlList></S3></OutputLocation></RestoreRequest>`
}

func replication(rules ...string) string {
	return "<ReplicationConfiguration" + ns + "><Role>arn:aws:iam::1:role/r</Role><Rule>" + strings.Join(rules, "</Rule><Rule>") + "</Rule></ReplicationConfiguration>"
}

const (
	byDefault = "Rule[1]/ApplyServerSideEncryptionByDefault"
	toBucket  = "<Status>Enabled</Status><Filter><Prefix>a</Prefix></Filter><Destination><Bucket>arn:aws:s3:::copy</Bucket>"
)

func TestParseDocument(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, operation, in string
		want                Document
	}{
		{"bucket default AES256", "PutBucketEncryption", sseRule("<SSEAlgorithm>AES256</SSEAlgorithm>", ""),
			Document{Settings: []Setting{{Path: byDefault, Mode: S3}}}},
		{"bucket default kms", "PutBucketEncryption",
			`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + sseRule("\n  <SSEAlgorithm>aws:kms</SSEAlgorithm>\n  <KMSMasterKeyID>"+arnA+"</KMSMasterKeyID>\n", "<BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"),
			Document{Settings: []Setting{{Path: byDefault, Mode: KMS, KeyID: arnA, BucketKey: on()}}, Blocked: []string{"SSE-C"}}},
		{"bucket default dsse, no key", "PutBucketEncryption", sseRule("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm><KMSMasterKeyID/>", "<BucketKeyEnabled>false</BucketKeyEnabled>"),
			Document{Settings: []Setting{{Path: byDefault, Mode: DSSE, BucketKey: off()}}}},
		{"without namespace", "PutBucketEncryption", strings.ReplaceAll(sseRule("<SSEAlgorithm>AES256</SSEAlgorithm>", ""), ns, ""),
			Document{Settings: []Setting{{Path: byDefault, Mode: S3}}}},
		{"with a prefix", "PutBucketEncryption", `<a:ServerSideEncryptionConfiguration xmlns:a="http://s3.amazonaws.com/doc/2006-03-01/"><a:Rule><a:ApplyServerSideEncryptionByDefault><a:SSEAlgorithm>AES256</a:SSEAlgorithm></a:ApplyServerSideEncryptionByDefault></a:Rule></a:ServerSideEncryptionConfiguration>`,
			Document{Settings: []Setting{{Path: byDefault, Mode: S3}}}},
		{"with a comment, a CDATA section and an unknown element", "PutBucketEncryption", sseConfig("<!-- x --><Later><b/></Later><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm><![CDATA[AES256]]></SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"),
			Document{Settings: []Setting{{Path: byDefault, Mode: S3}}}},
		{"only what is blocked", "PutBucketEncryption", sseConfig("<Rule><BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes></Rule>"),
			Document{Settings: []Setting{{Path: "Rule[1]"}}, Blocked: []string{"NONE"}}},

		{"update object", "UpdateObjectEncryption", "<ObjectEncryption" + ns + "><SSE-KMS><KMSKeyArn>" + arnA + "</KMSKeyArn><BucketKeyEnabled>true</BucketKeyEnabled></SSE-KMS></ObjectEncryption>",
			Document{Kind: "ObjectEncryption", Settings: []Setting{{Path: "SSE-KMS", Mode: KMS, KeyID: arnA, BucketKey: on()}}}},

		{"replication", "PutBucketReplication",
			replication(
				toBucket+"<Metrics><Status>Enabled</Status></Metrics></Destination>",
				toBucket+"<EncryptionConfiguration><ReplicaKmsKeyID>"+arnA+"</ReplicaKmsKeyID></EncryptionConfiguration></Destination><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>",
				"<Destination><Bucket>arn:aws:s3:::third</Bucket></Destination><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Disabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>"),
			Document{Kind: "ReplicationConfiguration", Settings: []Setting{{Path: "Rule[2]/Destination/EncryptionConfiguration", Mode: KMS, KeyID: arnA}}, Destinations: []string{"copy", "copy", "third"}}},

		{"inventory, bucket's default", "PutBucketInventoryConfiguration", invTop + invEnd, Document{Kind: "InventoryConfiguration", Destinations: []string{"logs"}}},
		{"inventory sse-s3", "PutBucketInventoryConfiguration", invTop + "<Encryption><SSE-S3/></Encryption>" + invEnd,
			Document{Kind: "InventoryConfiguration", Settings: []Setting{{Path: "Destination/S3BucketDestination/Encryption", Mode: S3}}, Destinations: []string{"logs"}}},
		{"inventory sse-kms", "PutBucketInventoryConfiguration", invTop + "<Encryption><SSE-KMS><KeyId>" + arnA + "</KeyId></SSE-KMS></Encryption>" + invEnd,
			Document{Kind: "InventoryConfiguration", Settings: []Setting{{Path: "Destination/S3BucketDestination/Encryption", Mode: KMS, KeyID: arnA}}, Destinations: []string{"logs"}}},

		{"restore", "RestoreObject", "<RestoreRequest><Days>1</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>", Document{Kind: "RestoreRequest"}},
		{"restore select", "RestoreObject", restore(""), Document{Kind: "RestoreRequest", Destinations: []string{"out"}}},
		{"restore select with kms", "RestoreObject", restore("<Encryption><EncryptionType>aws:kms</EncryptionType><KMSKeyId>k</KMSKeyId><KMSContext>" + b64(`{"a":"b"}`) + "</KMSContext></Encryption>"),
			Document{Kind: "RestoreRequest", Settings: []Setting{{Path: "OutputLocation/S3/Encryption", Mode: KMS, KeyID: "k", Context: map[string]string{"a": "b"}}}, Destinations: []string{"out"}}},
		{"restore select with plain context", "RestoreObject", restore(`<Encryption><EncryptionType>aws:kms</EncryptionType><KMSContext>{"a":"b"}</KMSContext></Encryption>`),
			Document{Kind: "RestoreRequest", Settings: []Setting{{Path: "OutputLocation/S3/Encryption", Mode: KMS, Context: map[string]string{"a": "b"}}}, Destinations: []string{"out"}}},
		{"restore select with AES256", "RestoreObject", restore("<Encryption><EncryptionType>AES256</EncryptionType></Encryption>"),
			Document{Kind: "RestoreRequest", Settings: []Setting{{Path: "OutputLocation/S3/Encryption", Mode: S3}}, Destinations: []string{"out"}}},

		{"metadata", "CreateBucketMetadataConfiguration", "<MetadataConfiguration" + ns + "><JournalTableConfiguration><RecordExpiration><Expiration>DISABLED</Expiration></RecordExpiration>" + tbl + "</JournalTableConfiguration><InventoryTableConfiguration><ConfigurationState>ENABLED</ConfigurationState>" + tblS3 + "</InventoryTableConfiguration><AnnotationTableConfiguration><Role>r</Role>" + tbl + "</AnnotationTableConfiguration></MetadataConfiguration>",
			Document{Kind: "MetadataConfiguration", Settings: []Setting{
				{Path: "JournalTableConfiguration/EncryptionConfiguration", Mode: KMS, KeyID: arnA},
				{Path: "InventoryTableConfiguration/EncryptionConfiguration", Mode: S3},
				{Path: "AnnotationTableConfiguration/EncryptionConfiguration", Mode: KMS, KeyID: arnA},
			}}},
		{"metadata without encryption", "CreateBucketMetadataConfiguration", "<MetadataConfiguration><JournalTableConfiguration/></MetadataConfiguration>", Document{Kind: "MetadataConfiguration"}},
		{"metadata table", "CreateBucketMetadataTableConfiguration", "<MetadataTableConfiguration><S3TablesDestination><TableBucketArn>arn:aws:s3tables:us-east-1:1:bucket/t</TableBucketArn><TableName>n</TableName></S3TablesDestination></MetadataTableConfiguration>",
			Document{Kind: "MetadataTableConfiguration", Destinations: []string{"arn:aws:s3tables:us-east-1:1:bucket/t"}}},
		{"inventory table", "UpdateBucketMetadataInventoryTableConfiguration", "<InventoryTableConfiguration>" + tbl + "</InventoryTableConfiguration>",
			Document{Kind: "InventoryTableConfiguration", Settings: []Setting{{Path: "EncryptionConfiguration", Mode: KMS, KeyID: arnA}}}},
		{"annotation table", "UpdateBucketMetadataAnnotationTableConfiguration", "<AnnotationTableConfiguration>" + tblS3 + "</AnnotationTableConfiguration>",
			Document{Kind: "AnnotationTableConfiguration", Settings: []Setting{{Path: "EncryptionConfiguration", Mode: S3}}}},
		{"journal table", "UpdateBucketMetadataJournalTableConfiguration", "<JournalTableConfiguration><RecordExpiration/></JournalTableConfiguration>", Document{Kind: "JournalTableConfiguration"}},

		{"create bucket without body", "CreateBucket", "", Document{Kind: "CreateBucketConfiguration"}},
		{"create bucket", "CreateBucket", "<CreateBucketConfiguration" + ns + "><LocationConstraint>EU</LocationConstraint></CreateBucketConfiguration>", Document{Kind: "CreateBucketConfiguration"}},
		{"logging on", "PutBucketLogging", "<BucketLoggingStatus" + ns + "><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>", Document{Kind: "BucketLoggingStatus", Destinations: []string{"logs"}}},
		{"logging off", "PutBucketLogging", "<BucketLoggingStatus" + ns + "/>", Document{Kind: "BucketLoggingStatus"}},
		{"analytics", "PutBucketAnalyticsConfiguration", "<AnalyticsConfiguration><Id>i</Id><StorageClassAnalysis><DataExport><Destination><S3BucketDestination><Bucket>arn:aws-cn:s3:::logs</Bucket></S3BucketDestination></Destination></DataExport></StorageClassAnalysis></AnalyticsConfiguration>",
			Document{Kind: "AnalyticsConfiguration", Destinations: []string{"logs"}}},
		{"analytics without export", "PutBucketAnalyticsConfiguration", "<AnalyticsConfiguration><Id>i</Id><StorageClassAnalysis/></AnalyticsConfiguration>", Document{Kind: "AnalyticsConfiguration"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.want.Kind == "" {
				tc.want.Kind = "ServerSideEncryptionConfiguration"
			}
			got, ok, err := ParseDocument(tc.operation, []byte(tc.in))
			if err != nil || !ok || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("ParseDocument = %+v, %v, %v; want %+v", got, ok, err, tc.want)
			}
		})
	}
}

func TestParseDocumentLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"PutBucketTagging", "PutObject", "DeleteObjects", ""} {
		if doc, ok, err := ParseDocument(op, []byte("not xml")); ok || err != nil || doc.Kind != "" {
			t.Errorf("%s: %+v, %v, %v", op, doc, ok, err)
		}
	}
}

// Every operation that is read must exist, or its documents pass unread.
func TestReadersAreOperations(t *testing.T) {
	t.Parallel()
	for name, r := range readers {
		if _, ok := s3.Lookup(name); !ok {
			t.Errorf("%s is no operation", name)
		}
		for path := range r.schema {
			if i := strings.LastIndexByte(path, '/'); i >= 0 && r.schema[path[:i]] != branch && r.schema[path[:i]] != many {
				t.Errorf("%s: nothing leads to %s", name, path)
			}
		}
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	t.Parallel()
	const xmlError = "MalformedXML"
	aes := "<SSEAlgorithm>AES256</SSEAlgorithm>"
	sound := "<Rule><ApplyServerSideEncryptionByDefault>" + aes + "</ApplyServerSideEncryptionByDefault></Rule>"
	for _, tc := range []struct{ name, operation, in, code string }{
		{"empty body", "PutBucketEncryption", "", xmlError},
		{"not xml", "PutBucketEncryption", "AES256", xmlError},
		{"other root", "PutBucketEncryption", strings.ReplaceAll(sseConfig(sound), "ServerSideEncryptionConfiguration", "Other"), xmlError},
		{"other namespace", "PutBucketEncryption", strings.ReplaceAll(sseConfig(sound), ns, ` xmlns="urn:x"`), xmlError},
		{"no rule", "PutBucketEncryption", sseConfig(""), xmlError},
		{"two rules", "PutBucketEncryption", sseConfig(sound + sound), xmlError},
		{"two defaults", "PutBucketEncryption", sseConfig(strings.ReplaceAll(sound, "</Rule>", "") + strings.TrimPrefix(sound, "<Rule>")), xmlError},
		{"no algorithm", "PutBucketEncryption", sseRule("", ""), xmlError},
		{"two algorithms", "PutBucketEncryption", sseRule(aes+aes, ""), xmlError},
		{"unknown algorithm", "PutBucketEncryption", sseRule("<SSEAlgorithm>rot13</SSEAlgorithm>", ""), xmlError},
		{"algorithm with spaces", "PutBucketEncryption", sseRule("<SSEAlgorithm> AES256</SSEAlgorithm>", ""), xmlError},
		{"algorithm split by a comment", "PutBucketEncryption", sseRule("<SSEAlgorithm>aws:kms<!-- -->:dsse</SSEAlgorithm>", ""), xmlError},
		{"algorithm split by CDATA", "PutBucketEncryption", sseRule("<SSEAlgorithm>aws:kms<![CDATA[AES256]]></SSEAlgorithm>", ""), xmlError},
		{"algorithm with an element", "PutBucketEncryption", sseRule("<SSEAlgorithm>AES256<b/></SSEAlgorithm>", ""), xmlError},
		{"fsx", "PutBucketEncryption", sseRule("<SSEAlgorithm>aws:fsx</SSEAlgorithm>", ""), "NotImplemented"},
		{"key with AES256", "PutBucketEncryption", sseRule(aes+"<KMSMasterKeyID>k</KMSMasterKeyID>", ""), "InvalidArgument"},
		{"key with a space", "PutBucketEncryption", sseRule("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>a b</KMSMasterKeyID>", ""), xmlError},
		{"bucket key 1", "PutBucketEncryption", sseRule(aes, "<BucketKeyEnabled>1</BucketKeyEnabled>"), xmlError},
		{"bucket key with dsse", "PutBucketEncryption", sseRule("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>", "<BucketKeyEnabled>true</BucketKeyEnabled>"), "InvalidArgument"},
		{"nothing blocked", "PutBucketEncryption", sseRule(aes, "<BlockedEncryptionTypes/>"), xmlError},
		{"unknown blocked", "PutBucketEncryption", sseRule(aes, "<BlockedEncryptionTypes><EncryptionType>SSE-KMS</EncryptionType></BlockedEncryptionTypes>"), xmlError},
		{"all and none blocked", "PutBucketEncryption", sseRule(aes, "<BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"), xmlError},
		{"algorithm beside its place", "PutBucketEncryption", sseConfig(strings.Replace(sound, "</Rule>", "<SSEAlgorithm>aws:kms</SSEAlgorithm></Rule>", 1)), xmlError},
		{"algorithm in an unknown element", "PutBucketEncryption", sseConfig(sound + "<Extra><Deep><SSEAlgorithm>aws:kms</SSEAlgorithm></Deep></Extra>"), xmlError},
		{"after siblings in an unknown element", "PutBucketEncryption", sseConfig(sound + "<Extra><a/><b>t</b><KMSMasterKeyID/></Extra>"), xmlError},
		{"in lower case", "PutBucketEncryption", sseRule(aes+"<ssealgorithm>aws:kms</ssealgorithm>", ""), xmlError},
		{"of another namespace, unknown place", "PutBucketEncryption", sseConfig(sound + `<x:SSEAlgorithm xmlns:x="urn:x">aws:kms</x:SSEAlgorithm>`), xmlError},
		{"of another namespace, known place", "PutBucketEncryption", sseRule(`<x:SSEAlgorithm xmlns:x="urn:x">aws:kms</x:SSEAlgorithm>`, ""), xmlError},
		{"entity", "PutBucketEncryption", `<!DOCTYPE a [<!ENTITY e "AES256">]>` + sseRule("<SSEAlgorithm>&e;</SSEAlgorithm>", ""), xmlError},
		{"second document", "PutBucketEncryption", sseConfig(sound) + sseConfig(sound), xmlError},
		{"too deep", "PutBucketEncryption", sseConfig(sound + strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40)), xmlError},

		{"object, no target", "UpdateObjectEncryption", "<ObjectEncryption/>", "InvalidRequest"},
		{"object, sse-s3", "UpdateObjectEncryption", "<ObjectEncryption><SSE-S3/></ObjectEncryption>", xmlError},
		{"object, no key", "UpdateObjectEncryption", "<ObjectEncryption><SSE-KMS/></ObjectEncryption>", "InvalidRequest"},
		{"object, bare key", "UpdateObjectEncryption", "<ObjectEncryption><SSE-KMS><KMSKeyArn>" + keyA + "</KMSKeyArn></SSE-KMS></ObjectEncryption>", "InvalidRequest"},
		{"object, alias", "UpdateObjectEncryption", "<ObjectEncryption><SSE-KMS><KMSKeyArn>arn:aws:kms:eu-central-1:111122223333:alias/a</KMSKeyArn></SSE-KMS></ObjectEncryption>", "InvalidRequest"},
		{"object, bucket key", "UpdateObjectEncryption", "<ObjectEncryption><SSE-KMS><KMSKeyArn>" + arnA + "</KMSKeyArn><BucketKeyEnabled>yes</BucketKeyEnabled></SSE-KMS></ObjectEncryption>", "InvalidRequest"},

		{"replication without destination", "PutBucketReplication", replication("<Status>Enabled</Status>"), xmlError},
		{"replication of kms objects without key", "PutBucketReplication", replication(toBucket + "</Destination><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>"), "InvalidRequest"},
		{"replication status unknown", "PutBucketReplication", replication(toBucket + "</Destination><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>"), xmlError},
		{"replication key beside its place", "PutBucketReplication", replication(toBucket + "<ReplicaKmsKeyID>k</ReplicaKmsKeyID></Destination>"), xmlError},
		{"replication with too many rules", "PutBucketReplication", replication(strings.Split(strings.Repeat(",<Destination><Bucket>b</Bucket></Destination>", 1001), ",")[1:]...), xmlError},

		{"inventory without destination", "PutBucketInventoryConfiguration", "<InventoryConfiguration/>", xmlError},
		{"inventory of two kinds", "PutBucketInventoryConfiguration", invTop + "<Encryption><SSE-S3/><SSE-KMS><KeyId>k</KeyId></SSE-KMS></Encryption>" + invEnd, xmlError},
		{"inventory of no kind", "PutBucketInventoryConfiguration", invTop + "<Encryption/>" + invEnd, xmlError},
		{"inventory without key", "PutBucketInventoryConfiguration", invTop + "<Encryption><SSE-KMS/></Encryption>" + invEnd, xmlError},

		{"restore without bucket", "RestoreObject", "<RestoreRequest><OutputLocation><S3/></OutputLocation></RestoreRequest>", xmlError},
		{"restore without type", "RestoreObject", restore("<Encryption/>"), xmlError},
		{"restore with key and AES256", "RestoreObject", restore("<Encryption><EncryptionType>AES256</EncryptionType><KMSKeyId>k</KMSKeyId></Encryption>"), "InvalidArgument"},
		{"restore with context and AES256", "RestoreObject", restore("<Encryption><EncryptionType>AES256</EncryptionType><KMSContext>" + b64(`{"a":"b"}`) + "</KMSContext></Encryption>"), "InvalidArgument"},
		{"restore with bad context", "RestoreObject", restore("<Encryption><EncryptionType>aws:kms</EncryptionType><KMSContext>x</KMSContext></Encryption>"), "InvalidArgument"},
		{"restore with encryption elsewhere", "RestoreObject", "<RestoreRequest><Encryption><EncryptionType>AES256</EncryptionType></Encryption></RestoreRequest>", xmlError},

		{"table without key", "UpdateBucketMetadataInventoryTableConfiguration", "<InventoryTableConfiguration><EncryptionConfiguration><SseAlgorithm>aws:kms</SseAlgorithm></EncryptionConfiguration></InventoryTableConfiguration>", xmlError},
		{"table with key and AES256", "UpdateBucketMetadataInventoryTableConfiguration", "<InventoryTableConfiguration>" + strings.Replace(tbl, "aws:kms", "AES256", 1) + "</InventoryTableConfiguration>", "InvalidArgument"},
		{"table with dsse", "UpdateBucketMetadataInventoryTableConfiguration", "<InventoryTableConfiguration>" + strings.Replace(tbl, "aws:kms", "aws:kms:dsse", 1) + "</InventoryTableConfiguration>", xmlError},
		{"journal table cannot change", "UpdateBucketMetadataJournalTableConfiguration", "<JournalTableConfiguration>" + tbl + "</JournalTableConfiguration>", xmlError},
		{"metadata table has no encryption", "CreateBucketMetadataTableConfiguration", "<MetadataTableConfiguration><S3TablesDestination><TableBucketArn>a</TableBucketArn></S3TablesDestination>" + tbl + "</MetadataTableConfiguration>", xmlError},
		{"create bucket with encryption", "CreateBucket", "<CreateBucketConfiguration><ServerSideEncryptionConfiguration/></CreateBucketConfiguration>", xmlError},
		{"logging without bucket", "PutBucketLogging", "<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>", xmlError},
		{"analytics without bucket", "PutBucketAnalyticsConfiguration", "<AnalyticsConfiguration><StorageClassAnalysis><DataExport/></StorageClassAnalysis></AnalyticsConfiguration>", xmlError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			doc, ok, err := ParseDocument(tc.operation, []byte(tc.in))
			var e *s3.Error
			if !ok || !errors.As(err, &e) || e.Code != tc.code {
				t.Errorf("ParseDocument = %+v, %v, %v; want %s", doc, ok, err, tc.code)
			}
		})
	}
}

func TestKeyWithAES256ReadsAsOnAWS(t *testing.T) {
	t.Parallel()
	_, _, err := ParseDocument("PutBucketEncryption", []byte(sseRule("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>", "")))
	e := s3.AsError(err)
	want := []s3.Detail{{Name: "ArgumentName", Value: "ApplyServerSideEncryptionByDefault"}}
	if e.Message != "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse" || !reflect.DeepEqual(e.Details, want) {
		t.Errorf("error = %v, details %v", e, e.Details)
	}
}

func TestBucketEncryptionXML(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		in      Setting
		blocked []string
		want    Setting
	}{
		{"sse-s3 drops key and bucket key", Setting{Mode: S3, KeyID: "k", BucketKey: on()}, nil, Setting{Mode: S3}},
		{"kms", Setting{Mode: KMS, KeyID: arnA, BucketKey: off()}, []string{"SSE-C"}, Setting{Mode: KMS, KeyID: arnA, BucketKey: off()}},
		{"dsse drops bucket key", Setting{Mode: DSSE, KeyID: "alias/a", BucketKey: on()}, []string{"NONE"}, Setting{Mode: DSSE, KeyID: "alias/a"}},
		{"escapes", Setting{Mode: KMS, KeyID: "</KMSMasterKeyID><!--&"}, nil, Setting{Mode: KMS, KeyID: "</KMSMasterKeyID><!--&"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.want.Path = byDefault
			doc, _, err := ParseDocument("PutBucketEncryption", BucketEncryptionXML(tc.in, tc.blocked))
			want := Document{Kind: "ServerSideEncryptionConfiguration", Settings: []Setting{tc.want}, Blocked: tc.blocked}
			if err != nil || !reflect.DeepEqual(doc, want) {
				t.Errorf("reads back as %+v, %v; want %+v", doc, err, want)
			}
		})
	}
	for _, m := range []Mode{"", None, C, Unknown, "cse"} {
		if got := BucketEncryptionXML(Setting{Mode: m}, nil); got != nil {
			t.Errorf("mode %q renders %s", m, got)
		}
	}
}

// A document that is understood names no encryption that was passed over, and
// a bucket's default survives being rendered anew.
func FuzzParseDocument(f *testing.F) {
	names := []string{
		"PutBucketEncryption", "UpdateObjectEncryption", "PutBucketReplication", "PutBucketInventoryConfiguration", "RestoreObject",
		"CreateBucketMetadataConfiguration", "CreateBucketMetadataTableConfiguration", "UpdateBucketMetadataInventoryTableConfiguration",
		"UpdateBucketMetadataJournalTableConfiguration", "UpdateBucketMetadataAnnotationTableConfiguration", "CreateBucket", "PutBucketLogging", "PutBucketAnalyticsConfiguration",
	}
	f.Add(uint8(0), []byte(sseRule("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>", "<BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>")))
	f.Add(uint8(1), []byte("<ObjectEncryption><SSE-KMS><KMSKeyArn>"+arnA+"</KMSKeyArn></SSE-KMS></ObjectEncryption>"))
	f.Add(uint8(2), []byte(replication(toBucket+"<EncryptionConfiguration><ReplicaKmsKeyID>k</ReplicaKmsKeyID></EncryptionConfiguration></Destination>")))
	f.Add(uint8(3), []byte(invTop+"<Encryption><SSE-KMS><KeyId>k</KeyId></SSE-KMS></Encryption>"+invEnd))
	f.Add(uint8(4), []byte(restore("<Encryption><EncryptionType>AES256</EncryptionType></Encryption>")))
	f.Add(uint8(7), []byte("<InventoryTableConfiguration>"+tbl+"</InventoryTableConfiguration>"))
	f.Add(uint8(11), []byte("<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket></LoggingEnabled></BucketLoggingStatus>"))
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		name := names[int(which)%len(names)]
		doc, ok, err := ParseDocument(name, body)
		if !ok {
			t.Fatalf("%s is not known", name)
		}
		if err != nil {
			var e *s3.Error
			if !errors.As(err, &e) || (e.Status != 400 && e.Status != 501) {
				t.Fatalf("error = %v", err)
			}
			return
		}
		if len(doc.Settings) == 0 && strings.Contains(string(body), "<SSEAlgorithm>") {
			// Inside a comment, CDATA or an attribute it is no element.
			if !strings.Contains(string(body), "<!") && !strings.ContainsAny(string(body), `"'`) {
				t.Errorf("%s: an algorithm was passed over in %q", name, body)
			}
		}
		if name != "PutBucketEncryption" || doc.Settings[0].Mode == "" {
			return
		}
		again, _, err := ParseDocument(name, BucketEncryptionXML(doc.Settings[0], doc.Blocked))
		if doc.Settings[0].Mode != KMS {
			doc.Settings[0].BucketKey = nil
		}
		if err != nil || !reflect.DeepEqual(doc, again) {
			t.Errorf("%+v reads back as %+v, %v", doc, again, err)
		}
	})
}
